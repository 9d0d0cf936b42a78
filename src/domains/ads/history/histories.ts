import { hash } from 'node:crypto';
import type { AdHistory, NewExposure } from '../rules/ad-history.ts';
import type { CapScope } from '../rules/frequency.ts';

/** Ids of who is asked about, those that are known and may be used. */
export type HistorySubject = Partial<Readonly<Record<CapScope, string | undefined>>>;

/** The history of one id, as it was read. */
export interface HistoryRow {
  /** Pseudonym of the id, in hexadecimal digits. */
  readonly key: string;
  /** Undefined: nothing is kept of it. */
  readonly version: number | undefined;
  readonly history: AdHistory;
  /** The history lacks something that the row has: it is written in any case. */
  readonly isCleaned?: boolean;
}

export interface KnownHistory {
  readonly rows: ReadonlyMap<CapScope, HistoryRow>;
}

/** Where exposures of a break go. */
type ScopedExposures = ReadonlyMap<CapScope, readonly NewExposure[]>;

/** The ads that listeners got lately, for frequency caps. */
export interface Histories {
  /** One read, however many ad sets there are. Rejects when the signal aborts, as `add`, where it has not begun by then. */
  readonly read: (subject: HistorySubject, signal?: AbortSignal) => Promise<KnownHistory>;
  /** Adds exposures to what was read, to all of it or nothing. False: another decision was first; read again. */
  readonly add: (
    known: KnownHistory,
    exposures: ScopedExposures,
    nowMs: number,
    signal?: AbortSignal,
  ) => Promise<boolean>;
  /**
   * Notes that an ad plays now: from here on it counts by the windows of its caps. Changes nothing where it is not known, as
   * after an erasure, or has played already.
   */
  readonly confirm: (subject: HistorySubject, exposure: number, nowMs: number) => Promise<void>;
  /** Notes that the load gives no breaks until then. Changes nothing where the listener is not known, as after an erasure. */
  readonly reward: (subject: HistorySubject, untilMs: number) => Promise<void>;
}

/** Without a database nothing is counted, and ad sets with caps wait. */
export const NO_HISTORIES: Histories = {
  read: async () => ({ rows: new Map() }),
  add: async () => true,
  confirm: async () => {},
  reward: async () => {},
};

const ID_DIGITS = 12;

/** The number of an ad of a decision in histories, which its impression names again: 48 bits. */
export function exposureNumber(decision: string, index: number): number {
  return Number.parseInt(hash('sha256', JSON.stringify([decision, index]), 'hex').slice(0, ID_DIGITS), 16);
}
