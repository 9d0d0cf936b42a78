import type { Queryable } from '#kernel/postgres/database.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { candidateAnswers } from '#kernel/releases/evidence/decisions-source.ts';
import type { MetricTraits, MeasuredCells, MeasureSource, Window } from '#kernel/releases/evidence/measure-source.ts';
import type { CellCounts } from '#kernel/statistics/cells.ts';
import { isCount, type Track } from '#kernel/statistics/interval.ts';
import { EXPOSURE_WINDOW_MS } from '../built-in-types.ts';
import { identifier, literal } from './sql-text.ts';
import { readProgress } from './manifest.ts';
import { RECEIPT_SECONDS_MAX } from './watermark.ts';
import { METRIC, RELEASE_EXPOSURE } from '../kinds/identity.ts';
import { Metric, type MetricSpec } from '../kinds/metric.ts';

/** Usual delay of an event. Later events are in files, but in no window. */
const ARRIVAL_MS = 10_000;

const OF: Readonly<Record<MetricSpec['type'], MetricTraits['of']>> = {
  count: 'events',
  proportion: 'events',
  sum: 'totals',
  mean: 'totals',
};

/**
 * Measures declared Metrics over listeners with an exposure of a release. A listener who saw both tracks within a window
 * counts for the candidate, which may have caused the difference. Exposures are sent once a minute, so windows are whole
 * minutes. Counts are also given by cell, which the exposures carry.
 */
export function releaseMetrics(parts: {
  readonly database: Queryable;
  readonly world: () => World | undefined;
  /** The rows of one SELECT over the files of events. */
  readonly ask: (sql: string, signal: AbortSignal) => Promise<readonly (readonly unknown[])[]>;
  readonly rollUpSeconds: number;
}): MeasureSource {
  const { database, ask } = parts;
  return {
    grainMs: EXPOSURE_WINDOW_MS,
    // Time for one more roll-up, and for writing it.
    lagMs: ARRIVAL_MS + 1_000 * (RECEIPT_SECONDS_MAX + 2 * parts.rollUpSeconds),
    completeUntil: async () => (await readProgress(database)).completeUntil.epochMilliseconds - ARRIVAL_MS,
    measure: async (window, signal) => {
      const name = window.guardrail.metric ?? '';
      const live = parts.world()?.get(METRIC, name);
      if (live === undefined) return { at: 'down', because: `there is no live Metric "${name}"` };
      const spec = Metric.spec(live);
      const { type, title, direction } = spec;
      // Declared before its type was removed.
      if (!Object.hasOwn(OF, type)) {
        return { at: 'down', because: `Metric "${name}" is a ${type}, which is not computed: declare it anew` };
      }
      const rows = (await ask(metricQuery(spec, window), signal)).map(parseRow);
      if (rows.length === 0) return { at: 'empty', requests: await candidateAnswers(database, window) };
      const measured: MetricTraits = {
        called: title,
        better: direction === 'increase' ? 'more' : 'fewer',
        of: OF[type],
        // The units of a mean are events, which are not split.
        isSplit: type !== 'mean',
      };
      const cells = cellsOf(rows, measured.of);
      return {
        at: 'measured',
        measured,
        candidate: trackOf(rows, true),
        stable: trackOf(rows, false),
        ...(cells === undefined ? {} : { cells }),
      };
    },
  };
}

/** One row for each track and cell of exposed listeners: whether candidate, the cell, units, bad and total. */
function metricQuery(spec: MetricSpec, { release, fromMs, toMs }: Window): string {
  const { eventType, type, field, filter = [] } = spec;
  const inWindow = [
    `day between ${dayOf(fromMs)} and ${dayOf(toMs)}`,
    `corrected_at >= ${timeOf(fromMs)}`,
    `corrected_at < ${timeOf(toMs)}`,
  ];
  const counted = [...inWindow, ...filter.map(condition)];
  const total = field === undefined ? '0' : `coalesce(sum(${identifier(field)}), 0)`;
  const values: Readonly<Record<MetricSpec['type'], string>> = {
    proportion: 'count(*), count(events), 0',
    count: 'count(*), coalesce(sum(events), 0), 0',
    sum: 'count(*), 0, coalesce(sum(total), 0)',
    mean: 'coalesce(sum(events), 0), 0, coalesce(sum(total), 0)',
  };
  // Events without the number do not count for its mean.
  const events = type === 'mean' && field !== undefined ? `count(${identifier(field)})` : 'count(*)';
  return `
    with seen as (
      select pseudonym, bool_or(track = 'candidate') as is_candidate, min(cell) as cell
      from events.${identifier(RELEASE_EXPOSURE)}
      where release = ${literal(release)} and ${inWindow.join(' and ')}
      group by pseudonym
    ), happened as (
      select pseudonym, ${events} as events, ${total} as total
      from events.${identifier(eventType)} where ${counted.join(' and ')} group by pseudonym
    )
    select is_candidate, cell, ${values[type]}
    from seen left join happened using (pseudonym) group by is_candidate, cell`;
}

function condition({ field, equals, in: values = [equals] }: NonNullable<MetricSpec['filter']>[number]): string {
  return `${identifier(field)} in (${values.map(valueText).join(', ')})`;
}

/** A value of a filter, which has the type of its field. */
function valueText(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : literal(String(value));
}

function timeOf(ms: number): string {
  return `timestamptz ${literal(Temporal.Instant.fromEpochMilliseconds(ms).toString())}`;
}

function dayOf(ms: number): string {
  return `date ${literal(Temporal.Instant.fromEpochMilliseconds(ms).toString().slice(0, 10))}`;
}

interface Row {
  readonly isCandidate: boolean;
  /** Undefined for exposures from before cells existed. */
  readonly cell: number | undefined;
  readonly units: number;
  readonly bad: number;
  readonly total: number;
}

/** Whole numbers beyond 2^53 and long decimals come as text. */
function parseRow([isCandidate, cell, units, bad, total]: readonly unknown[]): Row {
  return {
    isCandidate: isCandidate === true,
    cell: cell === null ? undefined : Number(cell),
    units: Number(units),
    bad: Number(bad),
    total: Number(total),
  };
}

function trackOf(rows: readonly Row[], isCandidate: boolean): Required<Omit<Track, 'value'>> {
  const sum = { units: 0, bad: 0, total: 0 };
  for (const row of rows.filter((one) => one.isCandidate === isCandidate)) {
    sum.units += row.units;
    sum.bad += row.bad;
    sum.total += row.total;
  }
  return sum;
}

/** The counts by cell; undefined where some have no cell or are no safe numbers. */
function cellsOf(rows: readonly Row[], of: MetricTraits['of']): MeasuredCells | undefined {
  const cells: Record<'candidate' | 'stable', CellCounts[]> = { candidate: [], stable: [] };
  for (const { isCandidate, cell, units, bad, total } of rows) {
    const counts = { units, bad: of === 'totals' ? total : bad };
    if (cell === undefined || !isCount(counts.units) || !isCount(Math.abs(counts.bad))) return undefined;
    if (units > 0) cells[isCandidate ? 'candidate' : 'stable'].push({ cell, ...counts });
  }
  return { since: 'window', ...cells };
}
