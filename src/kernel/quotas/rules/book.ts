import type { Answer, Line } from './contract.ts';
import { rollingUse, type Entry } from './rolling.ts';

/** Rollover state of one window of a bucket. */
export interface RolloverState {
  /** Units from earlier windows, less the units passed on to the next. Below 0 after carried overage. */
  readonly brought: number;
  /** The lowest limit of the bucket under which use of this window was decided: only units below it pass on … */
  readonly least: number;
  /** … and the last limit: use beyond it is overage. */
  readonly last: number;
  /** Units were passed on to a later window. */
  readonly isPassed: boolean;
}

/**
 * Where the use of a counter went when a plan changed. A charge of the old counter is refused: its caller has the old
 * plan. Units given back to it, and late use from before the change, count there too.
 */
export interface UseTransfer {
  readonly bucket: string;
  readonly window: string;
  /** Whether it counts there at all: with `reset` it does not. */
  readonly isCounted: boolean;
  /** So many units there stand for `of` units here. */
  readonly units: number;
  readonly of: number;
  /** Units that the change added there: the maximum that can be given back. */
  readonly gain: number;
}

/** The use of one bucket in one window. */
export interface Counter {
  readonly subject: string;
  readonly bucket: string;
  readonly window: string;
  /** Units taken, reservations included; in a rolling window, see `entries`. */
  readonly used: number;
  readonly entries?: readonly Entry[];
  /** Of a bucket with rollover. */
  readonly rolled?: RolloverState;
  readonly moved?: UseTransfer | undefined;
  readonly untilMs: number | undefined;
}

/**
 * The row of a counter in the database: its id, chosen by the process that creates it, and the mark of the transaction
 * that wrote it last. An equal mark means an unchanged counter.
 */
export interface CounterRow {
  readonly id: number;
  mark: number;
}

/** A decided operation, with the answer that a repetition gets. */
export interface OperationRecord {
  readonly subject: string;
  readonly key: string;
  readonly kind: string;
  /** Of the request. */
  readonly fingerprint: string;
  readonly answer: Answer;
  /** Units of each line of the receipt that were given back; empty when none were. */
  readonly returned: readonly number[];
}

export type HoldKind = 'reservation' | 'offline' | 'slice';

/** Units that are taken but may be given back. */
export interface Hold {
  readonly subject: string;
  readonly key: string;
  readonly quota: string;
  readonly kind: HoldKind;
  /** The device or the node that has them; empty for a reservation. */
  readonly owner: string;
  readonly state: 'held' | 'committed' | 'released' | 'expired';
  readonly amount: number;
  readonly lines: readonly Line[];
  /** When it ends by itself. A slice never does: from here on no token of it can be outstanding. */
  readonly expiresAtMs: number;
  readonly settledAtMs: number | undefined;
}

/** A slot in use, or one that was. */
export interface Slot {
  readonly subject: string;
  readonly quota: string;
  readonly session: string;
  readonly holder: string;
  readonly sinceMs: number;
  readonly expiresAtMs: number;
  readonly ended: '' | 'left' | 'taken-over';
  readonly endedBy: string;
}

/**
 * Input and output of the rules: all records of the subjects of one transaction, and their changes. A counter that is
 * not in it has no use.
 */
export interface Book {
  readonly nowMs: number;
  readonly counters: Map<string, Counter>;
  /** Of the counters that are in the database. */
  readonly rows: Map<string, CounterRow>;
  /** Ids of the counters that a decision read: it is valid while they are unchanged. */
  readonly readIds: Set<string>;
  readonly operations: Map<string, OperationRecord>;
  readonly holds: Map<string, Hold>;
  readonly slots: Map<string, Slot>;
  /** Ids of the operations that are in the ledger already. */
  readonly recorded: Set<string>;
  /** Ids of the records to write. */
  readonly changed: Record<'counters' | 'operations' | 'holds' | 'slots', Set<string>>;
}

/** The part of a book that reading counters needs. */
export type Counters = Pick<Book, 'nowMs' | 'counters'> & Partial<Pick<Book, 'readIds'>>;

export function openBook(nowMs: number): Book {
  return {
    nowMs,
    counters: new Map(),
    rows: new Map(),
    readIds: new Set(),
    operations: new Map(),
    holds: new Map(),
    slots: new Map(),
    recorded: new Set(),
    changed: { counters: new Set(), operations: new Set(), holds: new Set(), slots: new Set() },
  };
}

/** Names never hold the separator: `checkName` refuses it. */
export function idOf(subject: string, name: string): string {
  return `${subject}\u0000${name}`;
}

export function idOfCounter({ subject, bucket, window }: Pick<Counter, 'subject' | 'bucket' | 'window'>): string {
  return `${subject}\u0000${bucket}\u0000${window}`;
}

export function idOfSlot({ subject, quota, session }: Pick<Slot, 'subject' | 'quota' | 'session'>): string {
  return `${subject}\u0000${quota}\u0000${session}`;
}

/** Units used in a window; in a rolling one, after `fromMs`. */
export function usedIn(counter: Counter | undefined, fromMs: number): number {
  if (counter === undefined) return 0;
  return counter.entries === undefined ? counter.used : rollingUse(counter.entries, fromMs);
}

export function writeCounter(book: Book, counter: Counter): void {
  const id = idOfCounter(counter);
  book.counters.set(id, counter);
  book.changed.counters.add(id);
}

export function writeHold(book: Book, hold: Hold): void {
  const id = idOf(hold.subject, hold.key);
  book.holds.set(id, hold);
  book.changed.holds.add(id);
}

export function writeOperation(book: Book, id: string, operation: OperationRecord): void {
  book.operations.set(id, operation);
  book.changed.operations.add(id);
}

export function writeSlot(book: Book, slot: Slot): void {
  const id = idOfSlot(slot);
  book.slots.set(id, slot);
  book.changed.slots.add(id);
}
