import type { Queryable } from '#kernel/postgres/database.ts';
import type { Track } from './cohort-membership.ts';
import type { Result } from './witness.ts';

const COUNT_LIMITS = {
  bucketMs: 10_000,
  /** Rows that wait while the database is away, the oldest dropped first: for an hour, with ten releases. */
  rowsMax: 10_000,
  keptDays: 35,
} as const;

interface Row {
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
  readonly #node: string;
  /** The oldest first. */
  readonly #rows = new Map<string, Row>();
  /** Buckets before this are done with: what comes late, as its answer took long, is counted in the first that is not. */
  #openFromMs = 0;
  #dropped = 0;

  /** `node` is nobody else's, and not that of an earlier process either. */
  constructor(node: string) {
    this.#node = node;
  }

  /** Rows that were given up. */
  get dropped(): number {
    return this.#dropped;
  }

  count(release: string, track: Track, result: Result, nowMs: number): void {
    const beganMs = Math.floor(nowMs / COUNT_LIMITS.bucketMs) * COUNT_LIMITS.bucketMs;
    const bucketMs = Math.max(beganMs, this.#openFromMs);
    const key = `${bucketMs} ${track} ${release}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = { release, track, bucketMs, answers: 0, denied: 0, failed: 0, isWritten: false };
      this.#rows.set(key, row);
      this.#shed();
    }
    row.answers += 1;
    if (result !== 'given') row[result] += 1;
    row.isWritten = false;
  }

  /** Writes what changed since the last time. */
  async flush(database: Queryable, nowMs: number): Promise<void> {
    const rows = [...this.#rows.values()].filter(({ isWritten }) => !isWritten);
    if (rows.length > 0) {
      // What is counted while this is written marks its row anew.
      for (const row of rows) row.isWritten = true;
      try {
        await write(database, this.#node, rows);
      } catch (error) {
        for (const row of rows) row.isWritten = false;
        throw error;
      }
    }
    for (const [key, row] of this.#rows) {
      if (row.isWritten && row.bucketMs + COUNT_LIMITS.bucketMs <= nowMs) this.#forget(key, row);
    }
  }

  /** Whoever counted in its bucket again would write over what is there. */
  #forget(key: string, { bucketMs }: Row): void {
    this.#rows.delete(key);
    this.#openFromMs = Math.max(this.#openFromMs, bucketMs + COUNT_LIMITS.bucketMs);
  }

  #shed(): void {
    const [oldest] = this.#rows;
    if (this.#rows.size <= COUNT_LIMITS.rowsMax || oldest === undefined) return;
    this.#forget(...oldest);
    this.#dropped += 1;
  }
}

async function write(database: Queryable, node: string, rows: readonly Row[]): Promise<void> {
  await database.query({
    name: 'release-counts-write',
    text: `
      insert into backline.release_counts (release, track, bucket_at, node, answers, denied, failed)
      select release, track, bucket_at, $1, answers, denied, failed
      from unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::bigint[])
        as r (release, track, bucket_at, answers, denied, failed)
      on conflict (release, bucket_at, track, node) do update set
        answers = excluded.answers, denied = excluded.denied, failed = excluded.failed`,
    values: [
      node,
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
