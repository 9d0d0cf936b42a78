import type { Carry } from '#kernel/quotas/rules/contract.ts';
import type { DeclaredRollover } from './rollover.ts';

/** What is on record for one listener: everything about caps that no snapshot holds. */
export interface SubjectFacts {
  readonly listener: string;
  /** Counts changes of these records; answers name it. 0 where nothing is on record. */
  readonly version: number;
  /** The subscription that the listener is on, as the one who pays or as a member. */
  readonly subscription: SubscriptionFacts | undefined;
  /** What the listener was on before, the latest first; the last few only. */
  readonly formers: readonly FormerTerms[];
  /** Those of which something may be left. */
  readonly grants: readonly GrantFacts[];
  readonly overrides: readonly OverrideFacts[];
  /** Use that has to go along with a change before anything else is counted, in order. Mostly there is none. */
  readonly moves: readonly PendingMoves[];
}

/** A plan that somebody had from one moment up to, and without, another one. */
export interface FormerTerms {
  readonly sinceMs: number;
  readonly untilMs: number;
  /** As it was then: active. */
  readonly subscription: SubscriptionFacts;
}

/** Moves of use that were written with a change of records, see `Quotas.carry`. */
export interface PendingMoves extends Pick<Carry, 'subject' | 'moves'> {
  /** Permanent: they are done once under it. */
  readonly number: number;
  readonly changedAtMs: number;
}

export interface SubscriptionFacts {
  readonly id: string;
  readonly plan: string;
  readonly market: string;
  /** What this listener is on it: a role of the plan. */
  readonly role: string;
  /** Who pays. */
  readonly manager: string;
  /** What everybody on it shares, as a scope of caps. */
  readonly household: string;
  /** lapsed: it gives nothing, and what was bought beside it waits and ages. */
  readonly status: 'active' | 'lapsed';
  /** From which anchored windows are counted: wall-clock time without an offset, and an IANA zone. */
  readonly anchor: { readonly wallTime: string; readonly zone: string };
  /** Since when it gives what it gives, without a break: it came onto its plan then, or was resumed. */
  readonly givesSinceMs: number;
  /** Since when this listener is on it. */
  readonly memberSinceMs: number;
}

/** Something that was bought beside a plan: a month of an add-on, a top-up. */
export interface GrantFacts {
  /** Permanent: what is taken from it is counted under it. */
  readonly id: string;
  /** Name of the AddOn. */
  readonly addOn: string;
  readonly feature: string;
  /** In the unit of the feature; for a recurring one, for each of its periods. */
  readonly amount: number;
  readonly createdMs: number;
  readonly validFromMs: number;
  readonly validUntilMs: number | undefined;
  /** Recurring ones start anew from here. */
  readonly anchor: { readonly wallTime: string; readonly zone: string } | undefined;
  /** As it was sold: they hold once the AddOn is no longer declared. Undefined for what was bought before they were kept. */
  readonly terms: GrantTerms | undefined;
}

/** An add-on as far as using it goes. */
export interface GrantTerms {
  readonly title: string;
  readonly per?: string;
  readonly priority: number;
  readonly rollover?: DeclaredRollover;
  readonly whileLapsed: 'suspended' | 'kept';
}

/** What somebody was given by hand, for a reason and a time. */
export interface OverrideFacts {
  readonly id: string;
  readonly feature: string;
  readonly limit: number | 'unlimited' | undefined;
  readonly value: unknown;
  readonly reason: string;
  readonly untilMs: number;
}
