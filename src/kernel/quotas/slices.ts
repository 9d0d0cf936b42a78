import { randomUUID } from 'node:crypto';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Answer, Budget, SliceNode, Slices } from './rules/contract.ts';
import type { Operation } from './rules/operation.ts';
import { leftIn, sliceSize, spendFrom, takeOver, type Pool, type Slice } from './rules/slice-pool.ts';

const SLICE_LIMITS = {
  /** A slice takes at most this part of the remaining budget: eight nodes find units. */
  share: 8,
  /** The next slice is fetched when less than this part of the last one is left: early enough at 100,000 a second. */
  refillAt: 0.5,
  /** How often a node checks for recalls of its slices, and closes those that are over. */
  lookMs: 100,
  /** How long a node waits for others to return recalled units; a silent node is charged in full. */
  recallMsMax: 1_000,
  /**
   * After a final denial a node waits so long before it asks the database again: a paused campaign must not be polled
   * all day.
   */
  deniedMs: 1_000,
  /**
   * Margin between the last use of a slice and the moment from which evidence counts; covers clocks and slow answers.
   */
  marginMs: 10_000,
} as const;

/** The part of the store of a subject that slices need. */
export interface SliceStore {
  readonly operate: (operation: Operation) => Promise<Answer>;
  /** Asks the nodes to return the slices of these buckets; gives how many there are. */
  readonly recall: (subject: string, buckets: readonly string[]) => Promise<number>;
}

interface BudgetPool extends Pool {
  budget: Budget;
  /** Of the last slice. */
  size: number;
  remaining: number | undefined;
  /** Buckets that had too few units at the last request: other nodes may have them, also for another budget. */
  scarce: readonly string[];
  refilling: Promise<boolean> | undefined;
  /** The budget is spent, as far as all nodes know. */
  deniedUntilMs: number;
  /** No slice was available: the next background fetch waits until then. */
  noSliceUntilMs: number;
}

/**
 * Serves budgets from memory. A slice is a reservation without an end: it is charged in full when it is taken, and its
 * rest goes back when this node closes it. When the node dies, all of it stays charged.
 *
 * @param readRecalled keys of this node's slices that others wait for
 */
export function openSlices(
  node: SliceNode,
  options: {
    readonly storeOf: (subject: string) => SliceStore;
    readonly readRecalled: (node: string) => Promise<readonly string[]>;
    readonly log: Log;
    readonly steadyMs?: () => number;
  },
): Slices {
  const { storeOf, readRecalled, log, steadyMs = () => performance.now() } = options;
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
    const keys = new Set(await readRecalled(node.name));
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

/** Parts that fetch and close slices. */
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

/** Spends; first fetches a slice, or recalls those of other nodes. */
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
      // This node's other slices are among them, and come back the same way.
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

/** One refill at a time for each budget; true when there is a new slice. */
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
  // Read before the request, so that our end of the slice comes before that of the database.
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
  // Units of one day are not spent on the next.
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
    // The slice stays charged in full until evidence settles it: too much for a while, never too little.
    const known = error instanceof Refusal ? error.code : undefined;
    log.warn({ err: error, slice: key, code: known }, 'quota slices: cannot close a slice');
  }
}

/** The largest possible size of a budget; the first slice is a share of it. */
function limitOf({ items }: Budget): number {
  const limits = items.map(({ buckets }) =>
    buckets.reduce((sum, { limit }) => sum + (limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : limit), 0),
  );
  return Math.min(...limits);
}
