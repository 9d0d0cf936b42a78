import type { Queryable } from '#kernel/postgres/database.ts';
import { readReleaseCells, type AnsweredInCell } from '#kernel/snapshots/release-cells.ts';
import type { Counts } from '#kernel/statistics/interval.ts';
import { sumOf, NOTHING } from '#kernel/statistics/interval.ts';
import type { MetricTraits, MeasureSource, Window } from './measure-source.ts';

const LIMITS = {
  /** The buckets that nodes count in. */
  grainMs: 10_000,
  /** Nodes write their counts every second. */
  lagMs: 3_000,
  /** Characters of a node's id that make it unique. */
  nodeIdChars: 8,
} as const;

/** Rates below the harmless ones let a release pass to which nearly nothing happens. */
const MEASURED: Readonly<Record<'denied' | 'failed', MetricTraits>> = {
  denied: { called: 'Denials', better: 'fewer', of: 'events', harmlessRate: 0.002, isSplit: true },
  failed: { called: 'Failed answers', better: 'fewer', of: 'events', harmlessRate: 0.0005, isSplit: true },
};

interface Row {
  readonly track: 'candidate' | 'stable';
  readonly node: string;
  readonly answers: number;
  readonly denied: number;
  readonly failed: number;
}

/** Answers of the decision plane, by cohort track. */
export function decisionsSource(database: Queryable): MeasureSource {
  return {
    grainMs: LIMITS.grainMs,
    lagMs: LIMITS.lagMs,
    completeUntil: (nowMs) => Promise.resolve(nowMs - LIMITS.lagMs),
    measure: async (window) => {
      const bad = window.guardrail.decisions ?? 'denied';
      const [rows, cells] = await Promise.all([countedRows(database, window), readReleaseCells(database, window)]);
      const counts = (row: Row): Counts => ({ units: row.answers, bad: row[bad] });
      const all = (track: Row['track']) =>
        rows
          .filter((row) => row.track === track)
          .map(counts)
          .reduce(sumOf, NOTHING);
      const inCell = (one: AnsweredInCell) => ({ cell: one.cell, units: one.answers, bad: one[bad] });
      const candidate = all('candidate');
      // Nodes of an older version count without cells: then units are unknown, and not absent.
      const hasCells = candidate.units === 0 || cells.candidate.length > 0;
      const byNode = rows.filter(({ track }) => track === 'candidate').map((row) => [shortName(row.node), counts(row)]);
      return {
        at: 'measured',
        measured: MEASURED[bad],
        candidate,
        stable: all('stable'),
        ...(hasCells
          ? { cells: { since: 'stage', candidate: cells.candidate.map(inCell), stable: cells.stable.map(inCell) } }
          : {}),
        ...(byNode.length === 0 ? {} : { sources: Object.fromEntries(byNode) }),
      };
    },
  };
}

/** Answers to the candidate cohort in a window: they show that something should be measured. */
export async function candidateAnswers(
  { query }: Queryable,
  { release, fromMs, toMs }: Pick<Window, 'release' | 'fromMs' | 'toMs'>,
): Promise<number> {
  const [row] = await query<{ answers: number }>({
    text: `
      select coalesce(sum(answers), 0)::bigint as answers from backline.release_counts
      where release = $1 and track = 'candidate' and bucket_at >= $2::timestamptz and bucket_at < $3::timestamptz`,
    values: [release, timeOf(fromMs), timeOf(toMs)],
  });
  return row?.answers ?? 0;
}

function countedRows({ query }: Queryable, { release, fromMs, toMs }: Window): Promise<Row[]> {
  return query<Row>({
    name: 'read-release-counts',
    text: `
      select track, node, sum(answers)::bigint as answers, sum(denied)::bigint as denied, sum(failed)::bigint as failed
      from backline.release_counts
      where release = $1 and track in ('candidate', 'stable') and bucket_at >= $2::timestamptz
        and bucket_at < $3::timestamptz
      group by track, node order by track, node`,
    values: [release, timeOf(fromMs), timeOf(toMs)],
  });
}

function timeOf(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString();
}

/** `host/1f0c9a2b`: the machine and one of its processes. */
function shortName(node: string): string {
  const [host = '', id = ''] = node.split('/');
  return `${host}/${id.slice(0, LIMITS.nodeIdChars)}`;
}
