import type { Queryable } from '#kernel/postgres/database.ts';
import type { Track } from './cohort-membership.ts';
import type { Result } from './witness.ts';

const COUNT_LIMITS = {
  bucketMs: 10_000,
  /** Rows that wait while the database is away, the oldest dropped first: for an hour, with ten releases. */
  rowsMax: 10_000,
  keptDays: 35,
  /** An answer is late by less: a clock that shows so much less than before was set back. */
  lateMs: 120_000,
} as const;

interface Row {
  readonly node: string;
  readonly release: string;
  readonly track: Track;
  readonly bucketMs: number;
  answers: number;
  denied: number;
  failed: number;
  isWritten: boolean;
}

/**
 * Counts what one process answered, by release, track and ten seconds. Rows are written as they stand, not added to what
 * is there, so that a write whose outcome got lost is simply made again.
 */
export class ReleaseCounts {
  readonly #name: string;
  /** Another one since the clock was set back: what is counted again at a time writes over nothing. */
  #node: string;
  /** The oldest first. */
  readonly #rows = new Map<string, Row>();
  /** Buckets before this are done with: what comes late, as its answer took long, is counted in the first that is not. */
  #openFromMs = 0;
  #newestMs = 0;
  #timesSetBack = 0;
  #dropped = 0;

  /** `node` is nobody else's, and not that of an earlier process either. */
  constructor(node: string) {
    this.#name = node;
    this.#node = node;
  }

  /** Rows that were given up. */
  get dropped(): number {
    return this.#dropped;
  }

  count(release: string, track: Track, result: Result, nowMs: number): void {
    const beganMs = Math.floor(nowMs / COUNT_LIMITS.bucketMs) * COUNT_LIMITS.bucketMs;
    if (nowMs < this.#newestMs - COUNT_LIMITS.lateMs) this.#beginAnew();
    this.#newestMs = Math.max(this.#newestMs, nowMs);
    const bucketMs = Math.max(beganMs, this.#openFromMs);
    const key = `${this.#timesSetBack} ${bucketMs} ${track} ${release}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = { node: this.#node, release, track, bucketMs, answers: 0, denied: 0, failed: 0, isWritten: false };
      this.#rows.set(key, row);
      this.#shed();
    }
    row.answers += 1;
    if (result !== 'given') row[result] += 1;
    row.isWritten = false;
  }

  /** The time comes again that was counted in before. */
  #beginAnew(): void {
    this.#timesSetBack += 1;
    this.#node = this.#name.replace('/', `/${this.#timesSetBack}.`);
    this.#newestMs = 0;
    this.#openFromMs = 0;
  }

  /** Writes what changed since the last time. */
  async flush(database: Queryable, nowMs: number): Promise<void> {
    const rows = [...this.#rows.values()].filter(({ isWritten }) => !isWritten);
    if (rows.length > 0) {
      // An answer that is counted during the write marks its row anew.
      for (const row of rows) row.isWritten = true;
      try {
        await write(database, rows);
      } catch (error) {
        for (const row of rows) row.isWritten = false;
        throw error;
      }
    }
    for (const [key, row] of this.#rows) {
      if (row.isWritten && row.bucketMs + COUNT_LIMITS.bucketMs <= nowMs) this.#forget(key, row);
    }
  }

  /** Counting in its bucket again would overwrite the row. */
  #forget(key: string, { bucketMs, node }: Row): void {
    this.#rows.delete(key);
    if (node !== this.#node) return;
    this.#openFromMs = Math.max(this.#openFromMs, bucketMs + COUNT_LIMITS.bucketMs);
  }

  #shed(): void {
    const [oldest] = this.#rows;
    if (this.#rows.size <= COUNT_LIMITS.rowsMax || oldest === undefined) return;
    this.#forget(...oldest);
    this.#dropped += 1;
  }
}

async function write(database: Queryable, rows: readonly Row[]): Promise<void> {
  await database.query({
    name: 'release-counts-write',
    text: `
      insert into backline.release_counts (release, track, bucket_at, node, answers, denied, failed)
      select release, track, bucket_at, node, answers, denied, failed
      from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::bigint[])
        as r (node, release, track, bucket_at, answers, denied, failed)
      on conflict (release, bucket_at, track, node) do update set
        answers = excluded.answers, denied = excluded.denied, failed = excluded.failed`,
    values: [
      rows.map(({ node }) => node),
      rows.map(({ release }) => release),
      rows.map(({ track }) => track),
      rows.map(({ bucketMs }) => Temporal.Instant.fromEpochMilliseconds(bucketMs).toString()),
      rows.map(({ answers }) => answers),
      rows.map(({ denied }) => denied),
      rows.map(({ failed }) => failed),
    ],
  });
}

/** Deletes what is older than anybody asks for. */
export async function tidyReleaseCounts(database: Queryable, now: Temporal.Instant): Promise<void> {
  await database.query({
    text: 'delete from backline.release_counts where bucket_at < $1',
    values: [now.subtract({ hours: 24 * COUNT_LIMITS.keptDays }).toString()],
  });
}
