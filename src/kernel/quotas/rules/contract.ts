import type { Balance, Bucket } from './bucket.ts';
import type { OnPlanChange } from './plan-change.ts';

/**
 * The permanent name of an operation. A repetition under the same key gets the first answer, also a denial, for at
 * least 32 days. The same key with another request is refused with `http/key-reused`. The comparison leaves out the
 * buckets: a plan may change between two tries.
 */
export interface OperationName {
  /** The owner of the use: a listener, a household, a device, a promotion. Its operations are decided one by one. */
  readonly subject: string;
  readonly key: string;
}

/** Where units may be taken from: the buckets in force by the caller's snapshot and records. */
export interface Source {
  /** The counted thing, like the name of a feature. */
  readonly quota: string;
  readonly buckets: readonly Bucket[];
}

export interface Check extends Source {
  readonly subject: string;
  /** 0 reads the balance, and is always allowed. */
  readonly amount: number;
}

interface Consume extends OperationName, Source {
  readonly amount: number;
  /** Takes the available units when they are fewer than asked for. */
  readonly partial?: boolean;
  /**
   * When it was used, by the client's clock; moved to within 35 days ago and now. Use of a window that ended more than
   * a day ago counts in the present one, as a correction; closed windows never change.
   */
  readonly usedAtMs?: number;
  /** When it counts as used, where that is not `usedAtMs`. Not compared under the key. */
  readonly countsAtMs?: number;
  /** Use of an earlier plan of the subject: where use has moved on since, it counts there as well. */
  readonly isOfOldPlan?: boolean;
  /** Without limit: takes no units, and a repetition under the key gets that answer. */
  readonly isFree?: boolean;
}

/**
 * Several quotas at once, all or nothing. Subjects of different databases are refused with `quotas/batch-across-
 * shards`.
 */
interface Batch extends OperationName {
  /** The request, where the items are only a part of it; compared under the key. */
  readonly request?: string;
  /** Without limit, all of it. */
  readonly isFree?: boolean;
  readonly items: readonly (Source & { readonly amount: number; readonly subject?: string })[];
}

interface Reserve extends OperationName, Source {
  readonly amount: number;
  /** Duration after which it ends by itself and gives its units back. */
  readonly ttlMs: number;
}

/** Refers to an earlier operation by its key. */
interface OperationReference extends OperationName {
  readonly of: string;
  /** The quota of that operation; another one is refused with `quotas/other-quota`. Absent: any. */
  readonly quota?: string;
}

/** An operation that was decided before. */
export interface PastOperation {
  readonly subject: string;
  readonly atMs: number;
  readonly quotas: readonly string[];
  /** Ids of the buckets that units were taken from. */
  readonly buckets: readonly string[];
}

export interface Extend extends OperationReference {
  /** From now. */
  readonly ttlMs: number;
}

export interface Commit extends OperationReference {
  /** Units that were used in the end. The rest of the reservation goes back, last in, first out. */
  readonly amount: number;
  /**
   * For an amount above the reservation. refuse: with `quotas/commit-above-reserved`. charge: the rest is taken like a
   * consume; a denial of it denies the commit, and the reservation stays. record: the rest is recorded beyond any
   * limit, because it was used already.
   */
  readonly over: 'refuse' | 'charge' | 'record';
  /** The buckets in force now: removed ones get nothing back, the others may be charged. */
  readonly buckets?: readonly Bucket[];
}

/** Leaves so many units in a reservation; the others go back. It stays until it ends. */
export interface Trim extends OperationReference {
  readonly amount: number;
}

export interface Release extends OperationReference {
  readonly buckets?: readonly Bucket[];
}

export interface Refund extends OperationReference {
  /** Default: all units that are left. */
  readonly amount?: number;
  readonly buckets?: readonly Bucket[];
}

/**
 * Moves use of the subject from one bucket to another, in the windows of the moment of the change. Later charges of the
 * old buckets are refused with `quotas/moved`: their caller has the old plan.
 */
export interface Carry extends OperationName {
  /** When the plan changed; absent: now. */
  readonly changedAtMs?: number;
  readonly moves: readonly { readonly from: Bucket; readonly to: Bucket; readonly onPlanChange: OnPlanChange }[];
}

/** Units of one bucket in one window. */
export interface Line {
  readonly subject: string;
  readonly quota: string;
  readonly bucket: string;
  readonly window: string;
  readonly amount: number;
  /** When the window ends, if it does; for a rolling one, when these units leave it. */
  readonly untilMs?: number;
  /** When they were used, in a rolling window. */
  readonly atMs?: number;
  /** The closed window that the units belong to. */
  readonly corrects?: string;
}

export interface Answer {
  readonly outcome: 'granted' | 'denied' | 'returned' | 'extended' | 'carried';
  /** Units that were asked for, and units that were granted, returned or carried. A denial charges nothing. */
  readonly asked: number;
  readonly amount: number;
  /**
   * Units taken or given back, by bucket and window. A return has fewer than `amount` when the rest was of closed
   * windows.
   */
  readonly receipt: readonly Line[];
  /** The buckets in force after the operation. */
  readonly balances: readonly Balance[];
  readonly atMs: number;
  /** The quota that a denial refers to. */
  readonly deniedQuota?: string;
  /** When a denied amount may fit, as some units come back; absent when none ever do. */
  readonly retryAtMs?: number;
  /** When a reservation ends. */
  readonly expiresAtMs?: number;
  /** The operation was done before under this key, and this is its first answer. */
  readonly replayed: boolean;
}

/** The quotas of an answer. */
export function quotasOf({ receipt, deniedQuota }: Pick<Answer, 'receipt' | 'deniedQuota'>): readonly string[] {
  return [...new Set([...receipt.map(({ quota }) => quota), ...(deniedQuota === undefined ? [] : [deniedQuota])])];
}

export interface CheckAnswer {
  readonly outcome: 'granted' | 'denied';
  readonly balances: readonly Balance[];
  readonly retryAtMs?: number;
  readonly atMs: number;
}

export interface Acquire extends Source {
  readonly subject: string;
  /** The caller's name of the use, like a stream. A repetition for a session with a slot renews it. */
  readonly session: string;
  /** Shown to other sessions that find no slot: "Kitchen speaker". */
  readonly holder: string;
  readonly ttlMs: number;
  /** From an earlier conflict: ends that session and takes its slot at once. */
  readonly takeover?: string;
}

export interface SessionName {
  readonly subject: string;
  readonly quota: string;
  readonly session: string;
}

export interface Heartbeat extends SessionName {
  readonly ttlMs: number;
}

export type SlotAnswer =
  | { readonly outcome: 'granted'; readonly expiresAtMs: number; readonly inUse: number }
  /** Of many holders, names those with the oldest slots. */
  | {
      readonly outcome: 'conflict';
      readonly slots: number;
      readonly inUse: number;
      readonly holders: readonly SlotHolder[];
    }
  /** The session has no slot: it never got one, missed its heartbeats, gave it up, or lost it to a takeover. */
  | {
      readonly outcome: 'ended';
      readonly because: 'unknown' | 'expired' | 'left' | 'taken-over';
      readonly by?: string;
    };

interface SlotHolder {
  readonly session: string;
  readonly holder: string;
  readonly sinceMs: number;
  readonly expiresAtMs: number;
  /** A token for the next `acquire`: ends this session. */
  readonly takeover: string;
}

/** Units for a device without a connection: reserved until it returns or its time is over. */
interface GrantOffline extends OperationName, Source {
  readonly device: string;
  /** The person who takes it, where several share the subject. */
  readonly owner: string;
  readonly amount: number;
  /** Duration. Not compared under the key: the catalogue gives it. */
  readonly ttlMs: number;
}

/** The lease that a device stores. `key` names its reservation. */
export interface OfflineLease {
  readonly subject: string;
  readonly key: string;
  readonly device: string;
  /** The person who took it; undefined in leases from before the field existed. */
  readonly owner?: string;
  readonly quota: string;
  readonly budget: number;
  readonly notAfterMs: number;
}

interface OfflineAnswer extends Answer {
  /** The signed lease, which the device returns; absent after a denial. */
  readonly lease?: string;
}

interface Reconcile {
  readonly key: string;
  readonly lease: string;
  readonly device: string;
  /** Units used without a connection: all are recorded, also beyond the budget or the limit. */
  readonly used: number;
  /** In force now; without them the use is recorded where it was reserved. */
  readonly buckets?: readonly Bucket[];
}

interface ReconcileAnswer extends Answer {
  /** in-time, or after `notAfterMs`, when the units had gone back already. */
  readonly return: 'in-time' | 'expired';
  /** Units beyond the budget of the lease. */
  readonly overBudget: number;
}

/** Signs tokens that leave this installation and come back. */
export interface Signer {
  readonly sign: (payload: string) => string;
  /** The payload; undefined for a token without our signature. */
  readonly open: (token: string) => string | undefined;
}

/**
 * Counters that never overshoot, with any number of processes: no hard, online grant takes use and reservations above
 * the limit given with it. Counter, ledger and answer are durable, in one transaction, before anything resolves. The
 * caller owns the catalogue: each request brings the buckets in force. The time is that of the database.
 *
 * All reject with a Refusal: `quotas/not-stored` when the database does not confirm the commit (retry under the same
 * key), `quotas/wrong-amount`, `quotas/wrong-name`, `http/key-reused`, `quotas/anchor-missing`; charges also with
 * `quotas/moved`, see `Carry`. A signal that fires before a transaction has taken the request drops it: nothing
 * changes, and the call rejects with the reason.
 */
export interface Quotas {
  /** The answer that a consume would get now; charges and records nothing. */
  readonly check: (check: Check, signal?: AbortSignal) => Promise<CheckAnswer>;
  /** Counters of a subject that were not removed yet, by pages: what is used of them, and what of that is in open slices. */
  readonly listUse: (request: UseRequest) => Promise<readonly CounterUse[]>;
  /** The operation under the key, of the first of these subjects that has one. */
  readonly find: (subjects: readonly string[], key: string) => Promise<PastOperation | undefined>;
  /** A check from this process's memory, at most so old; undefined without a recent entry. */
  readonly peek: (check: Check, ageMsMax: number) => CheckAnswer | undefined;
  readonly consume: (request: Consume, signal?: AbortSignal) => Promise<Answer>;
  readonly batch: (request: Batch, signal?: AbortSignal) => Promise<Answer>;
  readonly reserve: (request: Reserve, signal?: AbortSignal) => Promise<Answer>;
  /**
   * Refused with `quotas/no-reservation`, or `quotas/reservation-settled` when it ended already; so are the next two.
   */
  readonly extend: (request: Extend, signal?: AbortSignal) => Promise<Answer>;
  readonly commit: (request: Commit, signal?: AbortSignal) => Promise<Answer>;
  readonly release: (request: Release, signal?: AbortSignal) => Promise<Answer>;
  /** Gives back units of a consume, batch or commit. Refused with `quotas/nothing-to-refund`. */
  readonly refund: (request: Refund, signal?: AbortSignal) => Promise<Answer>;
  readonly carry: (request: Carry) => Promise<Answer>;
  /** Slots for concurrent use. A forged takeover is refused with `quotas/takeover-forged`. */
  readonly acquire: (request: Acquire, signal?: AbortSignal) => Promise<SlotAnswer>;
  readonly heartbeat: (request: Heartbeat, signal?: AbortSignal) => Promise<SlotAnswer>;
  readonly leave: (request: SessionName) => Promise<SlotAnswer>;
  readonly grantOffline: (request: GrantOffline, signal?: AbortSignal) => Promise<OfflineAnswer>;
  /** The lease behind a token. Refused with `quotas/lease-forged` unless we signed it, for this device. */
  readonly lease: (token: string, device: string) => OfflineLease;
  /** Refused with `quotas/lease-forged`, or `quotas/lease-replayed` when it was returned before under another key. */
  readonly reconcile: (request: Reconcile, signal?: AbortSignal) => Promise<ReconcileAnswer>;
  /** Serves budgets from the memory of this process. */
  readonly slices: (node: SliceNode) => Slices;
  /** Slices that have ended and wait for their evidence, the oldest first: 1,000 at most. */
  readonly endedSlices: () => Promise<readonly EndedSlice[]>;
  /**
   * Charges what was settled in a slice, and gives the rest back. Refused with `quotas/slice-outstanding` while units may
   * still be settled.
   */
  readonly settleSlice: (request: SettleSlice) => Promise<Answer>;
  /**
   * Removes all records of a subject and of the subjects below it (see `subjectName`), in every database; gives how
   * many records. Idempotent.
   */
  readonly erase: (subject: string) => Promise<number>;
  /** Removes answers and counters past their retention; to be called every hour or so. Gives how many. */
  readonly tidy: () => Promise<number>;
  /** Resolves after all open requests are answered. Refuses new ones. */
  readonly close: () => Promise<void>;
}

/** A budget that nodes spend from memory, like that of an ad set: every one of its quotas must have room. */
export interface Budget {
  /** The caller's name of it. */
  readonly id: string;
  /** The owner of the counters, like the account: the quotas of one budget are decided together. */
  readonly subject: string;
  /** Changes when a limit does: slices of an earlier version go back. */
  readonly version: string;
  /** The limits that apply at once: of the day, the campaign, the account. Read for each slice. */
  readonly items: () => readonly Source[] | Promise<readonly Source[]>;
  /**
   * How long to wait after a denial, where the budget knows when more units come. Undefined: other nodes are asked to return
   * theirs.
   */
  readonly retryMs?: (denial: Pick<Answer, 'balances' | 'atMs'>, amount: number) => number | undefined;
}

export interface SliceNode {
  /** Unique to this process: another run on the same host needs another name. */
  readonly name: string;
  /** Units of a slice are reserved within this time, then the rest goes back. */
  readonly usableMs: number;
  /** How long after it was reserved a unit may be settled, like the token of an ad. */
  readonly tokenMs: number;
  /** A clock that never goes back; that of the process by default. */
  readonly steadyMs?: () => number;
}

/** Units of one slice that are set aside. */
export interface SliceUnits {
  /** Key of the slice. */
  readonly slice: string;
  readonly amount: number;
  /** Until when they may be settled, by the time of the database. */
  readonly untilMs: number;
}

/**
 * Budgets served from memory, 100,000 times a second and more. At every instant, settled units and units of nodes are at
 * most the limit: a slice is charged in full, durably, before its first unit is reserved. The caller keeps durable evidence of
 * what is settled in which slice; when a slice has ended, the evidence is its charge (`settleSlice`).
 */
export interface Slices {
  /** Reserves from memory; undefined when too few units are here now. Slices are fetched in the background, in time. */
  readonly reserve: (budget: Budget, amount: number) => SliceUnits | undefined;
  /** Reserves; waits for the slice that is being fetched, if one is, until the signal aborts: then nothing is reserved. */
  readonly take: (budget: Budget, amount: number, signal?: AbortSignal) => Promise<SliceUnits | undefined>;
  /** Fetches the next slice of a budget that was denied, or is unknown, where it is due, in the background; reserves nothing. */
  readonly prefetch: (budget: Budget, amount: number) => void;
  /** Whether so many units are here, or the last request was answered and not denied: a caller may then wait with `take`. */
  readonly mayReserve: (id: string, amount: number) => boolean;
  /** Whether the last request for units failed, or was not answered in time. */
  readonly isUnknown: (id: string) => boolean;
  /** Takes back units that nothing can settle. Without effect once the slice is closed. */
  readonly giveBack: (units: SliceUnits) => void;
  /** Resolves when the slices that are being fetched have come. */
  readonly waitForFetches: () => Promise<void>;
  /** Gives back the units of slices that are over. Done ten times a second anyway. */
  readonly closeEnded: () => Promise<void>;
  /** Gives back all units that are not reserved. */
  readonly close: () => Promise<void>;
}

/** A page of the counters of a subject. */
export interface UseRequest {
  readonly subject: string;
  /** The last counter of the page before. */
  readonly after: { readonly bucket: string; readonly window: string } | undefined;
  readonly rowsMax: number;
  /** The slices of buckets with this prefix are named. */
  readonly slicesOf: string;
}

/** Use of a bucket in a window. */
export interface CounterUse {
  readonly bucket: string;
  readonly window: string;
  /** With what is reserved in slices. */
  readonly used: number;
  /** In slices that are not settled. */
  readonly reserved: number;
  /** Keys of those slices. */
  readonly slices: readonly string[];
}

/** A slice of which nothing can be settled any more. */
export interface EndedSlice {
  readonly subject: string;
  readonly key: string;
  readonly node: string;
  readonly amount: number;
}

interface SettleSlice {
  readonly subject: string;
  readonly slice: string;
  /** Units that durable records prove; the rest goes back. */
  readonly settled: number;
}
