import { answerCheck } from '#kernel/quotas/rules/check.ts';
import { openBook, type Book } from '#kernel/quotas/rules/book.ts';
import type { Answer, CheckAnswer } from '#kernel/quotas/rules/contract.ts';
import { decide } from '#kernel/quotas/rules/decide.ts';
import type { MeteredUse, UnmeteredUse } from '../decisions/buckets-for.ts';
import type { UseMoves } from '../decisions/plan-change.ts';
import type { GrantFacts, SubjectFacts, SubscriptionFacts } from '../rules/subject-facts.ts';

const BERLIN = { wallTime: '2026-01-31T15:00', zone: 'Europe/Berlin' };

/** Anna pays for Premium in Germany since the 31st of a month; `more` adds to her record. */
export function anna(subscription: Partial<SubscriptionFacts> = {}, more: Partial<SubjectFacts> = {}): SubjectFacts {
  return {
    listener: 'anna',
    version: 1,
    subscription: {
      id: 's1',
      plan: 'premium',
      market: 'de',
      role: 'manager',
      manager: 'anna',
      household: 'h1',
      status: 'active',
      anchor: BERLIN,
      givesSinceMs: 0,
      memberSinceMs: 0,
      ...subscription,
    },
    formers: [],
    grants: [],
    overrides: [],
    moves: [],
    ...more,
  };
}

/** A listener without a record. */
export function nobody(listener: string): SubjectFacts {
  return { listener, version: 0, subscription: undefined, formers: [], grants: [], overrides: [], moves: [] };
}

export function grant(id: string, more: Partial<GrantFacts> = {}): GrantFacts {
  return {
    id,
    addOn: 'ten-hours',
    feature: 'audiobooks',
    amount: 600,
    createdMs: 0,
    validFromMs: 0,
    validUntilMs: undefined,
    anchor: undefined,
    terms: undefined,
    ...more,
  };
}

export function requireMetered(use: MeteredUse | UnmeteredUse): MeteredUse {
  if (use.metered) return use;
  throw new Error(use.reason.message);
}

/** The rules of the quotas over counters in memory; the test sets the time. */
export class Counters {
  #book: Book = openBook(0);
  #operations = 0;

  at(nowMs: number): this {
    this.#book = { ...this.#book, nowMs };
    return this;
  }

  check({ scope, quota, buckets }: MeteredUse, amount = 0): CheckAnswer {
    return answerCheck(this.#book, { subject: scope.subject, quota, buckets, amount });
  }

  /** The charged units, as `bucket:units`. */
  consume(use: MeteredUse, amount: number): string {
    const { receipt, outcome } = this.charge(use, amount);
    return receipt.map(({ bucket, amount: units }) => `${bucket}:${units}`).join(' ') || outcome;
  }

  charge({ scope, quota, buckets }: MeteredUse, amount: number, usedAtMs?: number): Answer {
    const { subject } = scope;
    const items = [{ subject, quota, buckets, amount }];
    const used = usedAtMs === undefined ? {} : { usedAtMs };
    return this.#decide({ kind: 'charge', subject, items, manner: 'whole', ...used });
  }

  /** Reserves units for a while, under a key. */
  reserve({ scope, quota, buckets }: MeteredUse, amount: number, key: string): Answer['outcome'] {
    const { subject } = scope;
    const items = [{ subject, quota, buckets, amount }];
    const hold = { kind: 'reservation', owner: '', ttlMs: 3_600_000 } as const;
    return decide(this.#book, { kind: 'charge', subject, key, items, manner: 'whole', hold }).outcome;
  }

  commit({ scope, buckets }: MeteredUse, of: string, amount: number): Answer['outcome'] {
    return this.#decide({ kind: 'commit', subject: scope.subject, of, amount, over: 'charge', buckets }).outcome;
  }

  carry(all: readonly UseMoves[]): void {
    for (const { subject, moves } of all) this.#decide({ kind: 'carry', subject, moves });
  }

  #decide(operation: WithoutKey<Parameters<typeof decide>[1]>): Answer {
    this.#operations += 1;
    return decide(this.#book, { ...operation, key: `#${this.#operations}` });
  }
}

type WithoutKey<Operation> = Operation extends { readonly key: string } ? Omit<Operation, 'key'> : never;
