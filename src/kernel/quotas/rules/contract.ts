import type { Balance, Bucket } from './bucket.ts';
import type { OnPlanChange } from './plan-change.ts';

/**
 * What names an operation for good. The first answer under a key is given again for at least 32 days, also when it was
 * a denial; the same key with another request is refused with `http/key-reused`. The buckets are no part of that
 * comparison: between two tries a plan may have changed.
 */
export interface Named {
  /** Whose use it is: a listener, a household, a device, a promotion. All its operations are decided one by one. */
  readonly subject: string;
  readonly key: string;
}

/** What may be taken from: the buckets in force as the caller's snapshot and records have them. */
export interface Source {
  /** What is counted, like the name of a feature. */
  readonly quota: string;
  readonly buckets: readonly Bucket[];
}

export interface Check extends Source {
  readonly subject: string;
  /** 0 asks what is left, and is always allowed. */
  readonly amount: number;
}

interface Consume extends Named, Source {
  readonly amount: number;
  /** Takes what there is when it is not enough. */
  readonly partial?: boolean;
  /**
   * When it was used, by the clock of the client: not older than 35 days, not later than now, else it is moved there.
   * Use of a window that ended more than a day ago counts in the present one, as a correction; closed ones never change.
   */
  readonly usedAtMs?: number;
  /** When it counts as used, where that is not `usedAtMs`. No part of what the key names. */
  readonly countsAtMs?: number;
  /** It belongs to a plan that the subject had before: where use has moved on since, it is counted there as well. */
  readonly isOfBefore?: boolean;
  /** Given without limit: nothing is taken, and that is what is answered under the key from then on. */
  readonly isFree?: boolean;
}

/** Several quotas at once, all or nothing. Subjects of different databases are refused with `quotas/batch-across-shards`. */
interface Batch extends Named {
  /** What was asked for, where the items are only a part of it: under one key it is the same. */
  readonly request?: string;
  /** Given without limit, all of it. */
  readonly isFree?: boolean;
  readonly items: readonly (Source & { readonly amount: number; readonly subject?: string })[];
}

interface Reserve extends Named, Source {
  readonly amount: number;
  /** After so long it ends by itself, and its units are back. */
  readonly ttlMs: number;
}

/** Names something that was done before, by its key. */
interface About extends Named {
  readonly of: string;
  /** What it was counted as; refused with `quotas/other-quota` when that is something else. Absent: whatever it was. */
  readonly quota?: string;
}

/** An operation that was decided before. */
export interface Decided {
  readonly subject: string;
  readonly atMs: number;
  readonly quotas: readonly string[];
  /** Ids of the buckets that units were taken from. */
  readonly buckets: readonly string[];
}

export interface Extend extends About {
  /** From now. */
  readonly ttlMs: number;
}

export interface Commit extends About {
  /** What was used in the end. What is left of the reservation goes back, last in, first out. */
  readonly amount: number;
  /**
   * When it was more than reserved. refuse: with `quotas/commit-above-reserved`. charge: the rest is taken like a
   * consume, and when that is denied, so is the commit, and the reservation stays. record: it is written down whatever
   * the limit is, because it was used already.
   */
  readonly over: 'refuse' | 'charge' | 'record';
  /** The buckets in force now: those of them that are gone get nothing back, the others may be charged. */
  readonly buckets?: readonly Bucket[];
}

export interface Release extends About {
  readonly buckets?: readonly Bucket[];
}

export interface Refund extends About {
  /** Without it, all that is left of what was taken. */
  readonly amount?: number;
  readonly buckets?: readonly Bucket[];
}

/**
 * Use goes with the subject from one bucket to another, in the windows of the moment of the change. From then on charges
 * of the buckets that it left are refused with `quotas/moved`: who asks for them knows the old plan.
 */
export interface Carry extends Named {
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
  /** When the window ends, where it does; for a rolling one, when these units leave it. */
  readonly untilMs?: number;
  /** When they were used, in a rolling window. */
  readonly atMs?: number;
  /** The closed window that they would have counted in. */
  readonly corrects?: string;
}

export interface Answer {
  readonly outcome: 'granted' | 'denied' | 'returned' | 'extended' | 'carried';
  /** Units that were asked for, and those that were granted, returned or carried. A denial has charged nothing. */
  readonly asked: number;
  readonly amount: number;
  /** What was taken, or given back, where. Less than `amount` of a return means that the rest was of closed windows. */
  readonly receipt: readonly Line[];
  /** The buckets in force, as they stand after it. */
  readonly balances: readonly Balance[];
  readonly atMs: number;
  /** What a denial is about. */
  readonly deniedQuota?: string;
  /** When a denied amount may fit: some units come back then. Not there when none ever do. */
  readonly retryAtMs?: number;
  /** Until when a reservation lasts. */
  readonly expiresAtMs?: number;
  /** It was done before under this key, and this is the answer of then. */
  readonly replayed: boolean;
}

/** What an answer is about. */
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
  /** The caller's name of what is in use, like a stream. Asking again for one that has its slot renews it. */
  readonly session: string;
  /** Told to others that find no slot: "Kitchen speaker". */
  readonly holder: string;
  readonly ttlMs: number;
  /** From an earlier conflict: ends that session, and takes its slot in the same moment. */
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
  /** Of many holders those that have been there longest are named. */
  | {
      readonly outcome: 'conflict';
      readonly slots: number;
      readonly inUse: number;
      readonly holders: readonly SlotHolder[];
    }
  /** The session has no slot: it was never given one, it fell silent, it gave it back, or another one took it over. */
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
  /** Give it back with the next `acquire` to end this session. */
  readonly takeover: string;
}

/** Units that a device may use without a connection: they are reserved until it returns or its time is over. */
interface GrantOffline extends Named, Source {
  readonly device: string;
  /** Who takes it along, where the subject is shared by several. */
  readonly owner: string;
  readonly amount: number;
  /** How long. No part of what the key names: it is the catalogue's. */
  readonly ttlMs: number;
}

/** What a device takes along. `key` names the reservation behind it. */
export interface OfflineLease {
  readonly subject: string;
  readonly key: string;
  readonly device: string;
  /** Who took it; undefined in leases from before that was in them. */
  readonly owner?: string;
  readonly quota: string;
  readonly budget: number;
  readonly notAfterMs: number;
}

interface OfflineAnswer extends Answer {
  /** The signed lease, which the device gives back when it returns; not there when it was denied. */
  readonly lease?: string;
}

interface Reconcile {
  readonly key: string;
  readonly lease: string;
  readonly device: string;
  /** What was used without a connection: all of it is recorded, also beyond the budget or the limit. */
  readonly used: number;
  /** In force now; without them it is recorded where it was reserved. */
  readonly buckets?: readonly Bucket[];
}

interface ReconcileAnswer extends Answer {
  /** in-time, or after `notAfterMs`, when the units had gone back already. */
  readonly return: 'in-time' | 'expired';
  /** Units beyond the budget of the lease. */
  readonly overBudget: number;
}

/** Signs what leaves this installation and comes back. */
export interface Signer {
  readonly sign: (payload: string) => string;
  /** The payload; undefined when we never signed it. */
  readonly open: (token: string) => string | undefined;
}

/**
 * Counters that never overshoot, whatever the number of processes: no hard, online grant takes use and reservations
 * above the limit given with it. Counter, ledger and answer are durable, in one transaction, before anything resolves.
 * The catalogue is the caller's: with each request come the buckets in force. The time is that of the database.
 *
 * All reject with a Refusal: `quotas/not-stored` when the database does not confirm it (try again under the same
 * key), `quotas/wrong-amount`, `quotas/wrong-name`, `http/key-reused`, `quotas/anchor-missing`; charges also with
 * `quotas/moved`, see `Carry`. A signal that fires before a transaction has taken the request drops it: nothing is done, and it
 * rejects with the reason.
 */
export interface Quotas {
  /** What a consume would answer now; charges and records nothing. */
  readonly check: (check: Check, signal?: AbortSignal) => Promise<CheckAnswer>;
  /** The operation that was decided under the key, of the first of these subjects that has one. */
  readonly find: (subjects: readonly string[], key: string) => Promise<Decided | undefined>;
  /** The same from what this process saw of the subject at most so long ago; undefined when it saw nothing since. */
  readonly peek: (check: Check, ageMsMax: number) => CheckAnswer | undefined;
  readonly consume: (request: Consume, signal?: AbortSignal) => Promise<Answer>;
  readonly batch: (request: Batch, signal?: AbortSignal) => Promise<Answer>;
  readonly reserve: (request: Reserve, signal?: AbortSignal) => Promise<Answer>;
  /** Refused with `quotas/no-reservation`, or `quotas/reservation-settled` when it ended already; so are the next two. */
  readonly extend: (request: Extend, signal?: AbortSignal) => Promise<Answer>;
  readonly commit: (request: Commit, signal?: AbortSignal) => Promise<Answer>;
  readonly release: (request: Release, signal?: AbortSignal) => Promise<Answer>;
  /** Gives back units of a consume, batch or commit. Refused with `quotas/nothing-to-refund`. */
  readonly refund: (request: Refund, signal?: AbortSignal) => Promise<Answer>;
  readonly carry: (request: Carry) => Promise<Answer>;
  /** Slots of what is used at once. A forged takeover is refused with `quotas/takeover-forged`. */
  readonly acquire: (request: Acquire, signal?: AbortSignal) => Promise<SlotAnswer>;
  readonly heartbeat: (request: Heartbeat, signal?: AbortSignal) => Promise<SlotAnswer>;
  readonly leave: (request: SessionName) => Promise<SlotAnswer>;
  readonly grantOffline: (request: GrantOffline, signal?: AbortSignal) => Promise<OfflineAnswer>;
  /** What a device took along. Refused with `quotas/lease-forged` unless we signed it, for this device. */
  readonly lease: (token: string, device: string) => OfflineLease;
  /** Refused with `quotas/lease-forged`, or `quotas/lease-replayed` when it came back before under another key. */
  readonly reconcile: (request: Reconcile, signal?: AbortSignal) => Promise<ReconcileAnswer>;
  /** Serves budgets from the memory of this process. */
  readonly slices: (node: SliceNode) => Slices;
  /** Slices that were not closed, and of which nothing can be outstanding any more. */
  readonly lostSlices: () => Promise<readonly LostSlice[]>;
  /**
   * Gives back what a lost slice did not spend. Refused with `quotas/slice-outstanding` as long as something that was
   * spent of it may still be settled.
   */
  readonly settleSlice: (request: SettleSlice) => Promise<Answer>;
  /**
   * Removes all that is kept of a subject and of those below it (see `subjectName`), in every database; gives how many
   * records those were. Can be repeated.
   */
  readonly erase: (subject: string) => Promise<number>;
  /** Removes answers and counters that are too old to matter; to be called every hour or so. Gives how many. */
  readonly tidy: () => Promise<number>;
  /** Resolves when all that was asked is answered. Takes no more. */
  readonly close: () => Promise<void>;
}

/** A budget that nodes spend from memory, like that of an ad campaign: all of its quotas have to have room. */
export interface Budget {
  /** The caller's name of it. */
  readonly id: string;
  /** Whose counters these are, like the account: the quotas of one budget are decided together. */
  readonly subject: string;
  /** The limits that hold at once: the day's, the campaign's, the account's. */
  readonly items: readonly Source[];
}

export interface SliceNode {
  /** Of this process, and of no other, also not of the one that ran here before. */
  readonly name: string;
  /** A slice has at most so many units. */
  readonly unitsMax: number;
  /** A slice is spent within this time, then the rest goes back. */
  readonly usableMs: number;
  /** How long after a unit was spent it may still be settled, like the token of an ad. */
  readonly tokenMs: number;
}

/**
 * Budgets served from memory, 100,000 times a second and more. At every instant what is settled and what nodes have is
 * at most the limit: a slice is charged in full, durably, before the first unit of it is spent.
 */
export interface Slices {
  /**
   * Spends from memory: true, or false when there is not enough here now. A slice is fetched in the background in time;
   * whoever can wait for it calls `take`.
   */
  readonly spend: (budget: Budget, amount: number) => boolean;
  /** Spends; fetches a slice where there is none, and recalls those of other nodes before it says no. */
  readonly take: (budget: Budget, amount: number) => Promise<boolean>;
  /** Brings back what is left. A node that ends without it has spent its slices in full, until `settleSlice`. */
  readonly close: () => Promise<void>;
}

/** A slice whose node is gone. */
export interface LostSlice {
  readonly subject: string;
  readonly key: string;
  readonly node: string;
  readonly amount: number;
}

interface SettleSlice {
  readonly subject: string;
  readonly slice: string;
  /** What of it was settled, by durable records: the rest goes back. */
  readonly settled: number;
}
