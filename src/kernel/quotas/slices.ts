import { randomUUID } from 'node:crypto';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Answer, Budget, SliceNode, Slices } from './rules/contract.ts';
import type { Operation } from './rules/operation.ts';
import { leftIn, sliceSize, spendFrom, takeOver, type Pool, type Slice } from './rules/slice-pool.ts';

const SLICE_LIMITS = {
  /** Of what is left of a budget one slice takes at most this part: eight nodes find something. */
  share: 8,
  /** The next slice is fetched when less than this part of the last one is left: at 100,000 a second in time. */
  refillAt: 0.5,
  /** How often a node looks whether its slices are recalled, and closes those that are over. */
  lookMs: 100,
  /** How long a node waits for others to bring back what it recalled; whoever is silent so long is charged in full. */
  recallMsMax: 1_000,
  /** After a final denial a node asks the database again so much later: a paused campaign must not be asked about all day. */
  deniedMs: 1_000,
  /** Between the last use of a slice and the moment from which evidence counts; clocks and slow answers. */
  marginMs: 10_000,
} as const;

/** What slices need of the store of a subject. */
export interface SliceStore {
  readonly operate: (operation: Operation) => Promise<Answer>;
  /** Asks the nodes to bring back the slices that they have of these buckets; gives how many there are. */
  readonly recall: (subject: string, buckets: readonly string[]) => Promise<number>;
}

interface BudgetPool extends Pool {
  budget: Budget;
  /** Of the last slice. */
  size: number;
  remaining: number | undefined;
  /** Buckets that had too little when they were last asked: other nodes may have it, also for another budget. */
  scarce: readonly string[];
  refilling: Promise<boolean> | undefined;
  /** The budget is spent, as far as all nodes know. */
  deniedUntilMs: number;
  /** There was no slice, which is asked for only so much later again, unless somebody waits for it. */
  noSliceUntilMs: number;
}

/**
 * Serves budgets from memory. A slice is a reservation that no time ends: it is charged in full when it is taken, and
 * what is left goes back when this node closes it. When the node dies, all of it stays charged.
 *
 * @param recalled keys of this node's slices that others wait for
 */
export function openSlices(
  node: SliceNode,
  options: {
    readonly storeOf: (subject: string) => SliceStore;
    readonly recalled: (node: string) => Promise<readonly string[]>;
    readonly log: Log;
    readonly steadyMs?: () => number;
  },
): Slices {
  const { storeOf, recalled, log, steadyMs = () => performance.now() } = options;
  const parts: SliceParts = { node, storeOf, log, steadyMs };
  const pools = new Map<string, BudgetPool>();
  const closing = new Set<Promise<void>>();
  let isClosed = false;
  let looking = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking
      .then(look)
      .catch((error: unknown) => log.warn({ err: error }, 'quota slices: maintenance failed; retrying'));
  }, SLICE_LIMITS.lookMs);
  timer.unref();

  return {
    spend: (budget, amount) => {
      const pool = poolOf(pools, budget);
      const nowMs = steadyMs();
      const spent = spendFrom(pool, amount, nowMs);
      if (!spent || leftIn(pool, nowMs) < pool.size * SLICE_LIMITS.refillAt) {
        const isVain = nowMs < Math.max(pool.deniedUntilMs, pool.noSliceUntilMs);
        if (!isVain && !isClosed) void refill(parts, pool, amount).catch(() => {});
      }
      return spent;
    },
    take: (budget, amount) => takeFrom(parts, poolOf(pools, budget), amount, { isClosed: () => isClosed, look }),
    close: async () => {
      isClosed = true;
      clearInterval(timer);
      await looking;
      await Promise.all([...pools.values()].map(async ({ refilling }) => refilling?.catch(() => false)));
      for (const pool of pools.values()) for (const slice of pool.slices) slice.isRecalled = true;
      closeOver();
      await Promise.all(closing);
    },
  };

  async function look(): Promise<void> {
    const keys = new Set(await recalled(node.name));
    for (const { slices } of pools.values()) for (const slice of slices) slice.isRecalled ||= keys.has(slice.key);
    closeOver();
    await Promise.all(closing);
  }

  function closeOver(): void {
    for (const pool of pools.values()) {
      for (const slice of takeOver(pool, steadyMs())) {
        const running: Promise<void> = closeSlice(parts, pool.budget, slice).finally(() => closing.delete(running));
        closing.add(running);
      }
    }
  }
}

/** What slices are fetched and closed with. */
interface SliceParts {
  readonly node: SliceNode;
  readonly storeOf: (subject: string) => SliceStore;
  readonly log: Log;
  readonly steadyMs: () => number;
}

function poolOf(pools: Map<string, BudgetPool>, budget: Budget): BudgetPool {
  let pool = pools.get(budget.id);
  if (pool === undefined) {
    pool = {
      slices: [],
      budget,
      size: 0,
      remaining: undefined,
      scarce: [],
      refilling: undefined,
      deniedUntilMs: -Infinity,
      noSliceUntilMs: -Infinity,
    };
    pools.set(budget.id, pool);
  }
  pool.budget = budget;
  return pool;
}

/** Spends also what has to be fetched first, or recalled from other nodes. */
async function takeFrom(
  parts: SliceParts,
  pool: BudgetPool,
  amount: number,
  { isClosed, look }: { readonly isClosed: () => boolean; readonly look: () => Promise<void> },
): Promise<boolean> {
  const { storeOf, steadyMs } = parts;
  const { subject } = pool.budget;
  const giveUpMs = steadyMs() + SLICE_LIMITS.recallMsMax;
  let hasRecalled = false;
  for (;;) {
    if (spendFrom(pool, amount, steadyMs())) return true;
    if (isClosed() || steadyMs() < pool.deniedUntilMs) return false;
    if (await refill(parts, pool, amount)) continue;
    if (!hasRecalled) {
      // Our own other slices are among them, and they come back the same way.
      const outstanding = await storeOf(subject).recall(subject, pool.scarce);
      hasRecalled = true;
      if (outstanding === 0 && !spendFrom(pool, amount, steadyMs())) return deny(pool, steadyMs());
    }
    if (steadyMs() >= giveUpMs) return deny(pool, steadyMs());
    await look();
    await new Promise((resolve) => setTimeout(resolve, SLICE_LIMITS.lookMs / 2));
  }
}

function deny(pool: BudgetPool, nowMs: number): false {
  pool.deniedUntilMs = nowMs + SLICE_LIMITS.deniedMs;
  return false;
}

/** One at a time for each budget; whether there is a new slice. */
function refill(parts: SliceParts, pool: BudgetPool, amount: number): Promise<boolean> {
  pool.refilling ??= fetchSlice(parts, pool, amount).finally(() => {
    pool.refilling = undefined;
  });
  return pool.refilling;
}

async function fetchSlice({ node, storeOf, steadyMs }: SliceParts, pool: BudgetPool, amount: number): Promise<boolean> {
  const { subject, items } = pool.budget;
  const share = { share: SLICE_LIMITS.share, unitsMax: node.unitsMax };
  const wanted = sliceSize(amount, pool.remaining ?? limitOf(pool.budget), share);
  const key = `slice ${node.name} ${randomUUID()}`;
  // Before the database says when: so that our end of it comes before the one that it counts.
  const askedMs = steadyMs();
  const answer = await storeOf(subject).operate({
    kind: 'charge',
    subject,
    key,
    items: items.map((item) => ({ ...item, subject, amount: wanted })),
    manner: 'partial',
    hold: { kind: 'slice', owner: node.name, ttlMs: node.usableMs + node.tokenMs + SLICE_LIMITS.marginMs },
  });
  const counts = answer.balances.flatMap(({ remaining }) => (remaining === 'unlimited' ? [] : [remaining]));
  pool.remaining = counts.length === 0 ? node.unitsMax * SLICE_LIMITS.share : Math.min(...counts);
  pool.scarce = answer.balances
    .filter(({ remaining }) => remaining !== 'unlimited' && remaining < amount)
    .map(({ bucket }) => bucket);
  if (answer.outcome !== 'granted') {
    pool.noSliceUntilMs = steadyMs() + SLICE_LIMITS.lookMs;
    return false;
  }
  // Nothing of one day is spent on the next.
  const ends = answer.receipt.map(({ untilMs = Infinity }) => untilMs - answer.atMs);
  const slice: Slice = {
    key,
    amount: answer.amount / items.length,
    usableUntilMs: askedMs + Math.min(node.usableMs, ...ends),
    spent: 0,
    isRecalled: false,
  };
  pool.size = slice.amount;
  pool.slices.push(slice);
  return true;
}

async function closeSlice({ storeOf, log }: SliceParts, { subject }: Budget, { key, spent }: Slice): Promise<void> {
  try {
    await storeOf(subject).operate({
      kind: 'commit',
      subject,
      key: `close ${key}`,
      of: key,
      amount: spent,
      over: 'refuse',
    });
  } catch (error) {
    // Charged in full until evidence settles it: too much for the moment, never too little.
    const known = error instanceof Refusal ? error.code : undefined;
    log.warn({ err: error, slice: key, code: known }, 'quota slices: cannot close a slice');
  }
}

/** What a budget has at most: as long as nothing else is known, the first slice is a share of that. */
function limitOf({ items }: Budget): number {
  const limits = items.map(({ buckets }) =>
    buckets.reduce((sum, { limit }) => sum + (limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : limit), 0),
  );
  return Math.min(...limits);
}
