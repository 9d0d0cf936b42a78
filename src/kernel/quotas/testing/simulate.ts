import assert from 'node:assert/strict';
import { seedRandom } from '#kernel/base/chance.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Bucket } from '../rules/bucket.ts';
import {
  idOf,
  idOfCounter,
  openBook,
  usedIn,
  type Book,
  type Counter,
  type Hold,
  type OperationRecord,
} from '../rules/book.ts';
import type { Answer, Line } from '../rules/contract.ts';
import { decide, settleExpired } from '../rules/decide.ts';
import type { Operation } from '../rules/operation.ts';
import { leftIn, reserveFrom, takeOver, type Pool, type Slice } from '../rules/slice-pool.ts';

const NODES = 3;
const STEPS = 60;
const SKEW_MS = 5_000;
const USABLE_MS = 60_000;
const OUTSTANDING_MS = 120_000;
const SUBJECTS = ['a', 'b'] as const;
const ACCOUNT = 'account';

const PLAN: Bucket = bucket('plan', 10, { window: { type: 'calendar', per: 'PT1H', zone: 'UTC' } });
const TOP_UP: Bucket = bucket('top-up', 12, { priority: 1 });
const SKIPS: Bucket = bucket('skips', 5, { window: { type: 'rolling', per: 'PT1M' } });
const CAMPAIGN: Bucket = bucket('campaign', 50);
const BUCKETS = new Map([PLAN, TOP_UP, SKIPS, CAMPAIGN].map((one) => [one.id, one]));

function bucket(id: string, limit: number, more: Partial<Bucket> = {}): Bucket {
  return { id, limit, window: { type: 'lifetime' }, priority: 0, createdMs: 0, ...more };
}

interface Durable {
  counters: Map<string, Counter>;
  operations: Map<string, OperationRecord>;
  holds: Map<string, Hold>;
}

/** Fate of a transaction: committed and answered; committed without an answer; or not committed. */
type Fate = 'answered' | 'answer lost' | 'never done';

interface SimulatedNode {
  readonly skewMs: number;
  pool: Pool;
}

export interface ScheduleCounts {
  readonly decided: number;
  readonly granted: number;
  readonly denied: number;
  readonly replayed: number;
  readonly lost: number;
  readonly settled: number;
}

/**
 * Runs one schedule: three nodes with different clocks, one database, single and repeated requests, lost answers, nodes
 * that die with slices. After every step: no counter is above its limit or below zero, each equals its ledger, and
 * every answer equals the recorded one.
 */
export function simulate(seed: number): ScheduleCounts {
  const chance = seedRandom(seed);
  const below = (count: number): number => Math.floor(chance() * count);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[below(items.length)];
    assert.ok(item !== undefined);
    return item;
  };

  const durable: Durable = { counters: new Map(), operations: new Map(), holds: new Map() };
  let nowMs = Date.UTC(2026, 2, 29, 0, 55);
  const nodes: SimulatedNode[] = Array.from({ length: NODES }, () => ({
    skewMs: below(2 * SKEW_MS) - SKEW_MS,
    pool: { slices: [] },
  }));
  const asked: Operation[] = [];
  const answered = new Map<string, Answer>();
  /** Units that were in fact reserved in each slice. */
  const reservedOf = new Map<string, number>();
  /** Units that were settled in each slice that has ended. */
  const settledOf = new Map<string, number>();
  const counts = { decided: 0, granted: 0, denied: 0, replayed: 0, lost: 0, settled: 0 };
  let names = 0;
  const name = (): string => `k${(names += 1)}`;

  for (let step = 0; step < STEPS; step += 1) {
    const dice = chance();
    if (dice < 0.1) nowMs += below(40_000);
    else if (dice < 0.6) {
      if (asked.length === 0 || chance() < 0.7) asked.push(request(pick(nodes)));
      // Some new requests, some repeated ones, in one transaction.
      const group = Array.from({ length: 1 + below(3) }, () => pick(asked)).concat(asked.slice(-1));
      transact([...new Set(group)], fate());
    } else if (dice < 0.75) fetchSlice(pick(nodes));
    else if (dice < 0.9) spend(pick(nodes), 1 + below(6));
    else if (dice < 0.94) bringBack(pick(nodes), chance() < 0.5);
    else if (dice < 0.97) pick(nodes).pool = { slices: [] };
    else settleLost();
    verify();
  }
  // In the end every unit comes back that can.
  for (const node of nodes) bringBack(node, true);
  nowMs += 2 * OUTSTANDING_MS;
  settleLost();
  for (const subject of SUBJECTS) transact([{ kind: 'release', subject, key: name(), of: 'nothing' }], 'answered');
  verify();
  assert.ok([...durable.holds.values()].every(({ state }) => state !== 'held'));
  return counts;

  function fate(): Fate {
    const dice = chance();
    return dice < 0.7 ? 'answered' : dice < 0.85 ? 'answer lost' : 'never done';
  }

  function request(node: SimulatedNode): Operation {
    const subject = pick(SUBJECTS);
    const key = name();
    // Mostly recent keys, so that the same operation is settled and refunded again and again.
    const recent = asked.slice(chance() < 0.7 ? -5 : 0);
    const of = pick(recent.length === 0 ? ['nothing'] : recent.map((operation) => operation.key));
    const minutes = { subject, quota: 'minutes', buckets: [TOP_UP, PLAN], amount: 1 + below(6) };
    const usedAtMs = nowMs + node.skewMs - below(2) * below(3_600_000);
    const buckets = minutes.buckets;
    switch (below(8)) {
      case 0:
      case 1:
        return { kind: 'charge', subject, key, items: [minutes], manner: pick(['whole', 'partial']), usedAtMs };
      case 2: {
        const skip = { subject, quota: 'skips', buckets: [SKIPS], amount: 1 + below(2) };
        return { kind: 'charge', subject, key, items: [skip, minutes], manner: 'whole' };
      }
      case 3: {
        const skip = { subject, quota: 'skips', buckets: [SKIPS], amount: 1 };
        return { kind: 'charge', subject, key, items: [skip], manner: 'whole' };
      }
      case 4: {
        const hold = { kind: 'reservation', owner: '', ttlMs: 1_000 + below(60_000) } as const;
        return { kind: 'charge', subject, key, items: [minutes], manner: 'whole', hold };
      }
      case 5: {
        const over = pick(['refuse', 'charge'] as const);
        return { kind: 'commit', subject, key, of, amount: below(8), over, buckets };
      }
      case 6:
        return chance() < 0.5
          ? { kind: 'release', subject, key, of }
          : { kind: 'extend', subject, key, of, ttlMs: 1_000 + below(60_000) };
      default:
        return { kind: 'refund', subject, key, of, amount: 1 + below(3) };
    }
  }

  /** One transaction of the database: decides over a copy, which replaces the durable state, or is discarded. */
  function transact(operations: readonly Operation[], fate: Fate): readonly (Answer | Refusal)[] | undefined {
    const book: Book = {
      ...openBook(nowMs),
      counters: new Map(durable.counters),
      operations: new Map(durable.operations),
      holds: new Map(durable.holds),
    };
    for (const subject of new Set(operations.map((operation) => operation.subject))) settleExpired(book, subject);
    const outcomes = operations.map((operation) => {
      try {
        return decide(book, operation);
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error));
        return error;
      }
    });
    if (fate === 'never done') return undefined;
    durable.counters = book.counters;
    durable.operations = book.operations;
    durable.holds = book.holds;
    if (fate === 'answer lost') {
      counts.lost += 1;
      return undefined;
    }
    for (const [index, outcome] of outcomes.entries()) {
      const operation = operations[index];
      if (outcome instanceof Refusal || operation === undefined) continue;
      counts.decided += 1;
      if (outcome.outcome === 'granted') counts.granted += 1;
      if (outcome.outcome === 'denied') counts.denied += 1;
      if (outcome.replayed) counts.replayed += 1;
      const id = idOf(operation.subject, operation.key);
      const first = answered.get(id);
      if (first === undefined) answered.set(id, { ...outcome, replayed: false });
      else assert.deepEqual({ ...outcome, replayed: false }, first);
    }
    return outcomes;
  }

  function steady(node: SimulatedNode): number {
    return nowMs + node.skewMs;
  }

  function fetchSlice(node: SimulatedNode): void {
    const key = name();
    const askedMs = steady(node);
    const items = [{ subject: ACCOUNT, quota: 'campaign', buckets: [CAMPAIGN], amount: 1 + below(15) }];
    const hold = { kind: 'slice', owner: 'node', ttlMs: OUTSTANDING_MS } as const;
    const operation = { kind: 'charge', subject: ACCOUNT, key, items, manner: 'partial', hold } as const;
    let outcomes = transact([operation], fate());
    // The answer got lost: repeated under the same key, perhaps much later, or never.
    if (outcomes === undefined && chance() < 0.6) {
      nowMs += below(USABLE_MS * 2);
      outcomes = transact([operation], fate());
    }
    const [answer] = outcomes ?? [];
    if (answer === undefined || answer instanceof Refusal || answer.outcome !== 'granted') return;
    const slice: Slice = {
      key,
      amount: answer.amount,
      usableUntilMs: askedMs + USABLE_MS,
      settledUntilMs: answer.atMs + OUTSTANDING_MS,
      reserved: 0,
      isRecalled: false,
    };
    node.pool.slices.push(slice);
  }

  function spend(node: SimulatedNode, amount: number): void {
    const left = leftIn(node.pool, steady(node));
    const slice = reserveFrom(node.pool, amount, steady(node));
    if (slice === undefined) return;
    assert.ok(amount <= left);
    reservedOf.set(slice.key, (reservedOf.get(slice.key) ?? 0) + amount);
  }

  function bringBack(node: SimulatedNode, all: boolean): void {
    if (all) for (const slice of node.pool.slices) slice.isRecalled = true;
    for (const { key, reserved } of takeOver(node.pool, steady(node))) {
      transact([{ kind: 'trim', subject: ACCOUNT, key: `trim ${key}`, of: key, amount: reserved }], fate());
    }
  }

  /** Settles slices by evidence: a part of the reserved units. A slice that has not ended is refused. */
  function settleLost(): void {
    for (const { key, state, kind, expiresAtMs } of durable.holds.values()) {
      if (state !== 'held' || kind !== 'slice') continue;
      const amount = settledOf.get(key) ?? below(1 + (reservedOf.get(key) ?? 0));
      settledOf.set(key, amount);
      const commit = { subject: ACCOUNT, key: `settle ${key}`, of: key, amount, over: 'refuse', ended: true } as const;
      const [outcome] = transact([{ kind: 'commit', ...commit }], 'answered') ?? [];
      if (outcome instanceof Refusal) assert.ok(outcome.code === 'quotas/slice-outstanding' && expiresAtMs > nowMs);
      else counts.settled += 1;
    }
  }

  function verify(): void {
    const byLedger = ledgerUse(durable);
    for (const [id, counter] of durable.counters) {
      const { limit } = BUCKETS.get(counter.bucket) ?? { limit: 0 };
      const used = usedIn(counter, nowMs - 60_000);
      assert.ok(used >= 0 && used <= Number(limit), `${counter.bucket} ${counter.window}: ${used} of ${limit}`);
      const rolling = rollingUseByLedger(durable, counter, nowMs - 60_000);
      assert.ok(rolling <= Number(limit), `${rolling} of ${limit} ${counter.bucket} within a minute`);
      if (counter.entries === undefined) assert.equal(used, byLedger.get(id) ?? 0, `${id} is not what the ledger says`);
    }
    for (const [id, answer] of answered) assert.deepEqual(durable.operations.get(id)?.answer, answer);
    let most = 0;
    for (const [key, units] of reservedOf) {
      const hold = durable.holds.get(idOf(ACCOUNT, key));
      // Until a slice is settled, all that is reserved in it may still be.
      const due = hold?.state === 'held' ? units : (settledOf.get(key) ?? 0);
      const recorded =
        hold?.state === 'held' ? hold.amount : durable.operations.get(idOf(ACCOUNT, `settle ${key}`))?.answer.amount;
      assert.ok(due <= (recorded ?? 0), `${due} may be settled in slice ${key}, ${recorded} are charged`);
      most += due;
    }
    assert.ok(most <= Number(CAMPAIGN.limit));
  }
}

/** Use by the ledger, computed independently of the counters: grants, less returned units. */
function ledgerUse({ operations, holds }: Durable): ReadonlyMap<string, number> {
  const use = new Map<string, number>();
  const count = (lines: readonly Line[], sign: 1 | -1): void => {
    for (const line of lines) {
      const id = idOfCounter(line);
      use.set(id, (use.get(id) ?? 0) + sign * line.amount);
    }
  };
  for (const { subject, key, kind, answer } of operations.values()) {
    const hold = kind === 'reserve' ? holds.get(idOf(subject, key)) : undefined;
    if (kind === 'charge' || kind === 'commit') count(answer.receipt, 1);
    if (hold?.state === 'held') count(hold.lines, 1);
    if (kind === 'refund') count(answer.receipt, -1);
  }
  return use;
}

/** Units of a rolling window that were used after a moment, and not given back. */
function rollingUseByLedger({ operations }: Durable, { subject, bucket }: Counter, fromMs: number): number {
  let used = 0;
  for (const { kind, answer } of operations.values()) {
    for (const { atMs = -Infinity, amount, ...line } of answer.receipt) {
      if (line.subject !== subject || line.bucket !== bucket || atMs <= fromMs) continue;
      used += kind === 'refund' ? -amount : amount;
    }
  }
  return used;
}
