import type { Queryable } from '#kernel/postgres/database.ts';
import { CELLS } from '#kernel/statistics/cells.ts';
import type { Track } from './cohort-membership.ts';
import type { Result } from './witness.ts';

const CELL_LIMITS = {
  /** A row is written at most once in each of these, at the first flush in it: windows end where they do. */
  everyMs: 10_000,
  /** Counters of one process, one for each release, stage and track. Each takes 6 KiB. */
  countersMax: 2_000,
  /** A counter that counts nothing for so long is forgotten; the next answer begins another one. */
  idleMs: 3_600_000,
  /** Rows of one statement. */
  rowsMax: 64,
  /** Rows read at a time. */
  pageRows: 50,
  keptDays: 35,
} as const;

/** Answers, denied and failed of each cell, one after the other, as unsigned integers of 32 bits (little-endian). */
const FIELDS = { answers: 0, denied: 1, failed: 2 } as const;
const FIELD_COUNT = 3;
/** Of one cell in one counter; what comes on top of four billion answers is not counted. */
const COUNT_MAX = 2 ** 32 - 1;

export type ComparedTrack = Exclude<Track, 'exposed'>;

interface Counter {
  readonly id: string;
  readonly release: string;
  readonly stage: number;
  readonly track: ComparedTrack;
  readonly counts: Uint32Array<ArrayBuffer>;
  countedMs: number;
  /** Number of the ten seconds in which it was written last. */
  writtenIn: number | undefined;
  isWritten: boolean;
}

/**
 * Counts what one process answered in each stage of releases, by track and cell of units. A counter only grows, and its
 * row says what there is by then, so that a write whose outcome got lost is simply made again. Sums over all rows of a
 * stage grow as well: a counter that begins anew, also after a restart, has another id.
 */
export class ReleaseCells {
  readonly #node: string;
  readonly #counters = new Map<string, Counter>();
  #begun = 0;
  #dropped = 0;

  /** `node` is nobody else's, and not that of an earlier process either. */
  constructor(node: string) {
    this.#node = node;
  }

  /** Answers that were not counted, as too many stages are under way. */
  get dropped(): number {
    return this.#dropped;
  }

  count(
    at: { readonly release: string; readonly stage: number; readonly track: ComparedTrack; readonly cell: number },
    result: Result,
    nowMs: number,
  ): void {
    const key = `${at.stage} ${at.track} ${at.release}`;
    const counter = this.#counters.get(key) ?? this.#begin(key, at);
    if (counter === undefined) {
      this.#dropped += 1;
      return;
    }
    const { counts } = counter;
    const first = at.cell * FIELD_COUNT;
    const answers = counts[first] ?? 0;
    if (answers === COUNT_MAX) return;
    counts[first] = answers + 1;
    if (result !== 'given') {
      const field = first + FIELDS[result];
      counts[field] = (counts[field] ?? 0) + 1;
    }
    counter.countedMs = nowMs;
    counter.isWritten = false;
  }

  #begin(key: string, { release, stage, track }: Pick<Counter, 'release' | 'stage' | 'track'>): Counter | undefined {
    if (this.#counters.size >= CELL_LIMITS.countersMax) return undefined;
    this.#begun += 1;
    const counter: Counter = {
      id: `${this.#node}#${this.#begun}`,
      release,
      stage,
      track,
      counts: new Uint32Array(CELLS * FIELD_COUNT),
      countedMs: 0,
      writtenIn: undefined,
      isWritten: false,
    };
    this.#counters.set(key, counter);
    return counter;
  }

  /** Writes what changed and is due; `isLast`: whatever changed. */
  async flush(database: Queryable, nowMs: number, isLast = false): Promise<void> {
    const period = Math.floor(nowMs / CELL_LIMITS.everyMs);
    const due = [...this.#counters.values()].filter(
      ({ isWritten, writtenIn }) => !isWritten && (isLast || writtenIn !== period),
    );
    for (let from = 0; from < due.length; from += CELL_LIMITS.rowsMax) {
      const rows = due.slice(from, from + CELL_LIMITS.rowsMax);
      // An answer that is counted during the write marks its counter anew.
      for (const row of rows) Object.assign(row, { isWritten: true, writtenIn: period });
      try {
        await write(database, rows, nowMs);
      } catch (error) {
        for (const row of rows) Object.assign(row, { isWritten: false, writtenIn: undefined });
        throw error;
      }
    }
    for (const [key, { isWritten, countedMs }] of this.#counters) {
      if (isWritten && nowMs - countedMs >= CELL_LIMITS.idleMs) this.#counters.delete(key);
    }
  }
}

async function write(database: Queryable, rows: readonly Counter[], nowMs: number): Promise<void> {
  await database.query({
    name: 'release-cells-write',
    text: `
      insert into backline.release_cells (release, stage, counter, track, counts, at)
      select release, stage, counter, track, decode(counts, 'base64'), $1::timestamptz
      from unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[])
        as r (release, stage, counter, track, counts)
      on conflict (release, stage, counter) do update set counts = excluded.counts, at = excluded.at`,
    values: [
      Temporal.Instant.fromEpochMilliseconds(nowMs).toString(),
      rows.map(({ release }) => release),
      rows.map(({ stage }) => stage),
      rows.map(({ id }) => id),
      rows.map(({ track }) => track),
      rows.map(({ counts }) => Buffer.from(counts.buffer).toString('base64')),
    ],
  });
}

/** The answers of all processes so far in one cell on one track. */
export interface AnsweredInCell {
  readonly cell: number;
  readonly answers: number;
  readonly denied: number;
  readonly failed: number;
}

/** The sums over all processes, by track, as far as they are written. Cells without an answer are left out. */
export async function readReleaseCells(
  { query }: Queryable,
  { release, stage }: { readonly release: string; readonly stage: number },
): Promise<Readonly<Record<ComparedTrack, readonly AnsweredInCell[]>>> {
  const sums = { candidate: new Float64Array(CELLS * FIELD_COUNT), stable: new Float64Array(CELLS * FIELD_COUNT) };
  for (let after = ''; ;) {
    const rows = await query<{ counter: string; track: ComparedTrack; counts: Buffer }>({
      name: 'read-release-cells',
      text: `
        select counter, track, counts from backline.release_cells
        where release = $1 and stage = $2::integer and counter > $3 order by counter limit $4::integer`,
      values: [release, stage, after, CELL_LIMITS.pageRows],
    });
    for (const { track, counts } of rows) addTo(sums[track], counts);
    const last = rows.at(-1);
    if (last === undefined || rows.length < CELL_LIMITS.pageRows) break;
    after = last.counter;
  }
  return { candidate: inCells(sums.candidate), stable: inCells(sums.stable) };
}

function addTo(sums: Float64Array, counts: Buffer): void {
  for (let index = 0; index < sums.length; index += 1) {
    sums[index] = (sums[index] ?? 0) + counts.readUInt32LE(index * Uint32Array.BYTES_PER_ELEMENT);
  }
}

function inCells(sums: Float64Array): readonly AnsweredInCell[] {
  return Array.from({ length: CELLS }, (_, cell) => {
    const [answers = 0, denied = 0, failed = 0] = sums.subarray(cell * FIELD_COUNT, (cell + 1) * FIELD_COUNT);
    return { cell, answers, denied, failed };
  }).filter(({ answers }) => answers > 0);
}

/** Deletes what nobody has written for longer than anybody asks for. */
export async function tidyReleaseCells(database: Queryable, now: Temporal.Instant): Promise<void> {
  await database.query({
    text: 'delete from backline.release_cells where at < $1::timestamptz',
    values: [now.subtract({ hours: 24 * CELL_LIMITS.keptDays }).toString()],
  });
}
