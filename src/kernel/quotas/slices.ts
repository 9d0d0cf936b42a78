import { randomUUID } from 'node:crypto';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { LATE, untilAbort } from '#kernel/base/time.ts';
import type { Answer, Budget, SliceNode, Slices, SliceUnits } from './rules/contract.ts';
import type { Operation } from './rules/operation.ts';
import { hasUnits, leftIn, reserveFrom, sliceSize, takeOver, type Pool, type Slice } from './rules/slice-pool.ts';

const SLICE_LIMITS = {
  /** A slice takes at most this part of the remaining budget: eight nodes find units. */
  share: 8,
  /** The first slice of a budget on a node is enough for so many reservations like the first. */
  firstCharges: 4,
  /** The next slice is fetched when less than this part of the last one is left: early enough at 100,000 a second. */
  refillAt: 0.5,
  /** How often a node checks for recalls of its slices, and closes those that are over … */
  lookMs: 100,
  /** … of so many budgets: of 100,000 each is looked at every two seconds. */
  lookPools: 5_000,
  /** After a denial a node waits so long before it asks the database again, unless the budget knows better. */
  deniedMs: 1_000,
  /** Other nodes are asked to return units of a budget at most this often. */
  recallMs: 10_000,
  /** A budget without slices that nobody has asked for so long is forgotten. */
  idleMs: 600_000,
  /** Units of a slice at most: far below what a number counts exactly. */
  unitsMax: 2 ** 46,
  /**
   * Margin between the last settlement in a slice and the moment from which evidence counts; covers clocks and slow
   * commits.
   */
  marginMs: 10_000,
} as const;

/** The part of the store of a subject that slices need. */
export interface SliceStore {
  readonly operate: (operation: Operation) => Promise<Answer>;
  /** Asks the nodes to return the slices of these buckets. */
  readonly recall: (subject: string, buckets: readonly string[]) => Promise<unknown>;
}

interface BudgetPool extends Pool {
  budget: Budget;
  /** Units that the next slice should have, by the use of the last ones. */
  recent: number;
  remaining: number | undefined;
  refilling: Promise<void> | undefined;
  /** Too few units are left since the last request … */
  isShort: boolean;
  /** The last request failed, or somebody waited for it in vain: whether there are units is unknown until one is answered. */
  isUnknown: boolean;
  /** … and the next one waits until then. */
  deniedUntilMs: number;
  recalledMs: number;
  usedMs: number;
}

/**
 * Serves budgets from memory. A slice is a hold: it is charged in full when it is taken. When this node closes it, the hold
 * shrinks to what was reserved, and the rest goes back. Evidence settles it in the end, also that of a node that died.
 *
 * @param readRecalled keys of this node's slices that others wait for
 */
export function openSlices(
  node: SliceNode,
  options: {
    readonly storeOf: (subject: string) => SliceStore;
    readonly readRecalled: (node: string) => Promise<readonly string[]>;
    readonly log: Log;
  },
): Slices {
  const { steadyMs = () => performance.now() } = node;
  const parts: SliceParts = {
    node,
    ...options,
    steadyMs,
    pools: new Map(),
    bySlice: new Map(),
    closing: new Set(),
    cursor: undefined,
  };
  const { pools, bySlice, closing } = parts;
  let isClosed = false;
  let looking: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = (pools?: Iterable<BudgetPool>): Promise<void> => {
    looking = look(parts, pools).finally(() => {
      looking = undefined;
    });
    return looking;
  };
  // However many ask while a look goes on, one more follows it.
  const closeEnded = (): Promise<void> => {
    if (looking === undefined) return begin();
    next ??= looking.then(() => {
      next = undefined;
      return begin();
    });
    return next;
  };
  const waitForFetches = async (): Promise<void> => {
    await Promise.all([...pools.values()].map(async ({ refilling }) => refilling));
  };
  const timer = setInterval(() => {
    if (looking === undefined) void begin(nextPools(parts));
  }, SLICE_LIMITS.lookMs);
  timer.unref();
  const reserve: Slices['reserve'] = (budget, amount) => (isClosed ? undefined : reserveUnits(parts, budget, amount));

  return {
    reserve,
    take: async (budget, amount, signal) => {
      const units = reserve(budget, amount);
      const pool = pools.get(budget.id);
      if (units !== undefined || pool?.refilling === undefined) return units;
      return (await waitForFetch(pool, signal)) ? reserve(budget, amount) : undefined;
    },
    prefetch: (budget, amount) => {
      if (isClosed || !isHeldBack(pools.get(budget.id))) return;
      refillInTime(parts, poolOf(pools, budget, steadyMs()), amount);
    },
    mayReserve: (id, amount) => {
      const pool = pools.get(id);
      return pool === undefined || !isHeldBack(pool) || hasUnits(pool, amount, steadyMs());
    },
    isUnknown: (id) => pools.get(id)?.isUnknown === true,
    giveBack: ({ slice, amount }) => {
      const open = bySlice.get(slice);
      if (open !== undefined) open.slice.reserved -= amount;
    },
    waitForFetches,
    closeEnded,
    close: async () => {
      isClosed = true;
      clearInterval(timer);
      await (next ?? looking);
      await waitForFetches();
      for (const pool of pools.values()) for (const slice of pool.slices) slice.isRecalled = true;
      closeOver(parts, pools.values());
      await Promise.all(closing);
    },
  };
}

/** Whether the slice that is being fetched came before the signal aborted. */
async function waitForFetch(pool: BudgetPool, signal: AbortSignal | undefined): Promise<boolean> {
  const fetching = pool.refilling ?? Promise.resolve();
  const end = await (signal === undefined ? fetching : untilAbort(fetching, signal));
  if (end === LATE) pool.isUnknown = true;
  return end !== LATE;
}

/** Whether the last request brought too few units, or none is known to. */
function isHeldBack(pool: BudgetPool | undefined): boolean {
  return pool !== undefined && (pool.isShort || pool.isUnknown);
}

/** State of the slices of a node, and the parts that fetch and close them. */
interface SliceParts {
  readonly node: SliceNode;
  readonly storeOf: (subject: string) => SliceStore;
  readonly readRecalled: (node: string) => Promise<readonly string[]>;
  readonly log: Log;
  readonly steadyMs: () => number;
  /** By budget. */
  readonly pools: Map<string, BudgetPool>;
  /** The open slices, with their pools. */
  readonly bySlice: Map<string, { readonly slice: Slice; readonly pool: BudgetPool }>;
  readonly closing: Set<Promise<void>>;
  /** Where the looks are in the pools. */
  cursor: Iterator<BudgetPool> | undefined;
}

/** Reserves from memory, and begins to fetch the next slice in time. */
function reserveUnits(parts: SliceParts, budget: Budget, amount: number): SliceUnits | undefined {
  const nowMs = parts.steadyMs();
  const pool = poolOf(parts.pools, budget, nowMs);
  const slice = reserveFrom(pool, amount, nowMs);
  refillInTime(parts, pool, amount);
  return slice && { slice: slice.key, amount, untilMs: slice.settledUntilMs };
}

function refillInTime(parts: SliceParts, pool: BudgetPool, amount: number): void {
  const { log, steadyMs } = parts;
  const nowMs = steadyMs();
  const isLow = leftIn(pool, nowMs) < Math.max(amount, (pool.recent / 2) * SLICE_LIMITS.refillAt);
  if (!isLow || pool.refilling !== undefined || nowMs < pool.deniedUntilMs) return;
  pool.refilling = fetchSlice(parts, pool, amount)
    .then(() => {
      pool.isUnknown = false;
    })
    .catch((error: unknown) => {
      pool.isUnknown = true;
      pool.deniedUntilMs = steadyMs() + SLICE_LIMITS.deniedMs;
      log.warn({ err: error, budget: pool.budget.id }, 'quota slices: cannot fetch a slice; retrying');
    })
    .finally(() => {
      pool.refilling = undefined;
    });
}

/** Closes slices that are over, of these pools and of those that others wait for. Never rejects. */
async function look(parts: SliceParts, pools: Iterable<BudgetPool> = parts.pools.values()): Promise<void> {
  const { node, bySlice, readRecalled, closing, log } = parts;
  const recalled = new Set<BudgetPool>();
  try {
    for (const key of bySlice.size === 0 ? [] : await readRecalled(node.name)) {
      const open = bySlice.get(key);
      if (open === undefined) continue;
      open.slice.isRecalled = true;
      recalled.add(open.pool);
    }
  } catch (error) {
    log.warn({ err: error }, 'quota slices: cannot read recalls; retrying');
  }
  closeOver(parts, recalled);
  closeOver(parts, pools);
  await Promise.all(closing);
}

/** The next pools to look at: some at a time, so that many of them do not hold the event loop. */
function nextPools(parts: SliceParts): readonly BudgetPool[] {
  const some: BudgetPool[] = [];
  parts.cursor ??= parts.pools.values();
  while (some.length < SLICE_LIMITS.lookPools) {
    const { value, done } = parts.cursor.next();
    if (done === true) {
      parts.cursor = undefined;
      break;
    }
    some.push(value);
  }
  return some;
}

function closeOver(parts: SliceParts, some: Iterable<BudgetPool>): void {
  const { pools, bySlice, closing, steadyMs } = parts;
  const nowMs = steadyMs();
  for (const pool of some) {
    const { id } = pool.budget;
    for (const slice of takeOver(pool, nowMs)) {
      bySlice.delete(slice.key);
      // Twice the use of its life: the next slice lasts as long, and the node may speed up.
      if (slice.reserved < slice.amount) pool.recent = Math.max(1, 2 * slice.reserved);
      const running: Promise<void> = trimSlice(parts, pool.budget, slice).finally(() => closing.delete(running));
      closing.add(running);
    }
    const isIdle = pool.slices.length === 0 && pool.refilling === undefined;
    if (isIdle && nowMs - pool.usedMs > SLICE_LIMITS.idleMs) pools.delete(id);
  }
}

function poolOf(pools: Map<string, BudgetPool>, budget: Budget, nowMs: number): BudgetPool {
  let pool = pools.get(budget.id);
  if (pool === undefined) {
    pool = {
      slices: [],
      budget,
      recent: 0,
      remaining: undefined,
      refilling: undefined,
      isShort: false,
      isUnknown: false,
      deniedUntilMs: -Infinity,
      recalledMs: -Infinity,
      usedMs: nowMs,
    };
    pools.set(budget.id, pool);
  }
  if (pool.budget.version !== budget.version) {
    // A lowered limit holds at once: units of the old one go back.
    for (const slice of pool.slices) slice.isRecalled = true;
    pool.deniedUntilMs = -Infinity;
    pool.isShort = false;
    pool.remaining = undefined;
  }
  pool.budget = budget;
  pool.usedMs = nowMs;
  return pool;
}

async function fetchSlice(parts: SliceParts, pool: BudgetPool, amount: number): Promise<void> {
  const { node, bySlice, storeOf, steadyMs } = parts;
  const { budget } = pool;
  const { subject } = budget;
  const items = await budget.items();
  const remaining = pool.remaining ?? limitOf(items);
  const units = sliceSize(amount, { recent: pool.recent, remaining }, SLICE_LIMITS);
  const key = `slice ${node.name} ${randomUUID()}`;
  // Read before the request, so that our end of the slice comes before that of the database.
  const askedMs = steadyMs();
  const answer = await storeOf(subject).operate({
    kind: 'charge',
    subject,
    key,
    items: items.map((item) => ({ ...item, subject, amount: Math.min(units, SLICE_LIMITS.unitsMax) })),
    manner: 'partial',
    hold: { kind: 'slice', owner: node.name, ttlMs: node.usableMs + node.tokenMs + SLICE_LIMITS.marginMs },
  });
  const counts = answer.balances.flatMap(({ remaining: left }) => (left === 'unlimited' ? [] : [left]));
  pool.remaining = counts.length === 0 ? SLICE_LIMITS.unitsMax : Math.min(...counts);
  const granted = answer.outcome === 'granted' ? answer.amount / items.length : 0;
  // Also when these are the last ones for now: nobody waits for a denial that is known.
  pool.isShort = granted < amount || pool.remaining < amount;
  if (granted > 0) {
    // Units of one day are not reserved on the next.
    const ends = answer.receipt.map(({ untilMs = Infinity }) => untilMs - answer.atMs);
    const slice: Slice = {
      key,
      amount: granted,
      usableUntilMs: askedMs + Math.min(node.usableMs, ...ends),
      settledUntilMs: answer.atMs + node.usableMs + node.tokenMs,
      reserved: 0,
      // The limits may have changed meanwhile; and too few units are of no use here.
      isRecalled: pool.budget.version !== budget.version || granted < amount,
    };
    // The one before was used up before its time.
    pool.recent = Math.min(SLICE_LIMITS.unitsMax, 2 * granted);
    pool.slices.push(slice);
    bySlice.set(key, { slice, pool });
  }
  // After the slice is kept: a recall that fails must not lose it.
  if (pool.isShort) await waitForUnits(parts, pool, { amount, answer, isDenied: granted < amount });
}

/** No more units for now: waits before the next request, and after a denial asks other nodes for theirs. */
async function waitForUnits(
  { storeOf, steadyMs }: SliceParts,
  pool: BudgetPool,
  { amount, answer, isDenied }: { readonly amount: number; readonly answer: Answer; readonly isDenied: boolean },
): Promise<void> {
  const { budget } = pool;
  const retryMs = budget.retryMs?.(answer, amount);
  const nowMs = steadyMs();
  pool.deniedUntilMs = nowMs + (retryMs ?? SLICE_LIMITS.deniedMs);
  if (!isDenied || retryMs !== undefined || nowMs - pool.recalledMs < SLICE_LIMITS.recallMs) return;
  pool.recalledMs = nowMs;
  const scarce = answer.balances.filter(({ remaining }) => remaining !== 'unlimited' && remaining < amount);
  await storeOf(budget.subject).recall(
    budget.subject,
    scarce.map(({ bucket }) => bucket),
  );
}

async function trimSlice(parts: SliceParts, { subject }: Budget, { key, amount, reserved }: Slice): Promise<void> {
  if (reserved === amount) return;
  try {
    await parts.storeOf(subject).operate({ kind: 'trim', subject, key: `trim ${key}`, of: key, amount: reserved });
  } catch (error) {
    // The slice stays charged in full until evidence settles it: too much for a while, never too little.
    const known = error instanceof Refusal ? error.code : undefined;
    parts.log.warn({ err: error, slice: key, code: known }, 'quota slices: cannot close a slice');
  }
}

/** The largest possible size of a budget; the first slice is a share of it. */
function limitOf(items: Awaited<ReturnType<Budget['items']>>): number {
  const limits = items.map(({ buckets }) =>
    buckets.reduce((sum, { limit }) => sum + (limit === 'unlimited' ? SLICE_LIMITS.unitsMax : limit), 0),
  );
  return Math.min(...limits);
}
