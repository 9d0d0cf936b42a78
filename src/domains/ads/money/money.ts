import type { HoldBack } from '../decisions/decide.ts';
import type { CompiledAdSet } from '../decisions/table.ts';

/** Money of a budget that is set aside for one ad, until its event comes or can come no more. */
export interface Reservation {
  /** Key of the slice that it is part of. */
  readonly slice: string;
  readonly micros: number;
  /** Until when the event is charged to it, by the time of the database. */
  readonly untilMs: number;
}

/** The budgets of ad sets in this process: `settled + reserved ≤ limit` for each, whatever other processes do. */
export interface Money {
  /** Why nothing can be reserved for an ad set now, from memory; undefined where it may be possible. */
  readonly heldBack: (adSet: CompiledAdSet) => HoldBack | undefined;
  /** The same for one that may be served: where units are due again they are fetched meanwhile, and no decision waits. */
  readonly prepare: (adSet: CompiledAdSet) => HoldBack | undefined;
  /**
   * Reserves from memory; a promise where a slice has to be fetched first, then until the signal of `beginWait` aborts, if it is
   * given. Undefined: there is no room, or it is not known in time.
   */
  readonly reserve: (
    adSet: CompiledAdSet,
    micros: number,
    beginWait?: () => AbortSignal,
  ) => Reservation | undefined | Promise<Reservation | undefined>;
  /** Takes back a reservation that is in no answer. */
  readonly giveBack: (reservation: Reservation) => void;
  /** Counts a break that could have ads: budgets are spread by how many there are at which time. */
  readonly countBreak: (placement: string, market: string | undefined) => void;
}

/** Without a database no budget can be kept: ad sets that have one wait, and the others charge nothing. */
export const NO_MONEY: Money = {
  heldBack: ({ money }) => (money.limits.some(({ limit }) => limit !== 'unlimited') ? 'budget unknown' : undefined),
  prepare: (adSet) => NO_MONEY.heldBack(adSet),
  reserve: (_adSet, micros) => ({ slice: '', micros, untilMs: 0 }),
  giveBack: () => {},
  countBreak: () => {},
};
