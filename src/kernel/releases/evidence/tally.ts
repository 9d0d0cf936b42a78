import type { Clustering } from '#kernel/statistics/cells.ts';
import { fold, type GuardrailState } from '#kernel/statistics/fold.ts';
import type { GuardrailSpec as JudgedSpec, JudgeContext } from '#kernel/statistics/guardrail.ts';
import type { Interval } from '#kernel/statistics/interval.ts';
import { judge } from '#kernel/statistics/judge.ts';
import type { TimeHistory } from '#kernel/statistics/time-history.ts';
import type { Verdict } from '#kernel/statistics/verdict.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { judgedSpec } from './judged-spec.ts';
import type { MetricTraits, Measurement } from './measure-source.ts';

/** A stored window. */
export interface StoredWindow {
  readonly guardrail: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly stage: number;
  /** The first of the stages up to this one that split the same units; absent in windows of an older version. */
  readonly scope?: number;
  /** The intended part of units of the candidate. */
  readonly share: number;
  readonly reading: StoredAnswer;
  readonly judgeVersion: number;
  /** When it was measured. */
  readonly atMs: number;
}

type StoredMeasurement = Omit<Extract<Measurement, { readonly at: 'measured' }>, 'cells'> & {
  /** How the events of units cluster up to the end of the window, where units are known. */
  readonly clustering?: { readonly release: Clustering; readonly scope: Clustering };
  /** The noise of the day before the release; in the first window that counts. */
  readonly history?: TimeHistory;
};

export type StoredAnswer = StoredMeasurement | Extract<Measurement, { readonly at: 'empty' | 'down' }>;

/**
 * How long a source may have no data while the candidate has answers, before the verdict is that nothing measures the candidate: a
 * new series appears only after the first scrapes, however short the windows are.
 */
const EMPTY_MS = 180_000;
/**
 * Minimum variance for the sample-ratio check (units of a window, times share and rest); below it, repeated counting of one unit
 * could fail it by chance.
 */
const SPLIT_VARIANCE_MIN = 500;

/** Ends a sentence. */
const BAD_MISSING =
  "the query for bad has had no series yet: is the metric's name right? Add `or vector(0)` if none so far is right";

/** The state of a guardrail after all its windows. Plain data; the same windows in the same order give the same. */
export interface Tally {
  readonly measured?: MetricTraits;
  readonly folded?: GuardrailState;
  readonly latest?: StoredWindow;
  /** The last counted window, with the folded state up to it. */
  readonly counted?: { readonly kept: StoredWindow; readonly folded: GuardrailState };
  /** Start of the first window. */
  readonly firstMs?: number;
  /** Whether bad events have been reported so far; absent while nothing was measured. */
  readonly hasBad?: boolean;
  /** Answers of the candidate in windows without data; undefined where none knew. */
  readonly emptyRequests?: number;
}

export const NO_TALLY: Tally = {};

export function addKept(guardrail: GuardrailSpec, tally: Tally, kept: StoredWindow): Tally {
  const { latest, folded } = tally;
  if (latest !== undefined && kept.toMs <= latest.toMs) return tally;
  const { reading } = kept;
  const seen = { ...tally, latest: kept, firstMs: tally.firstMs ?? kept.fromMs };
  if (reading.at === 'down') return seen;
  if (reading.at === 'empty') {
    const { requests } = reading;
    return requests === undefined ? seen : { ...seen, emptyRequests: (tally.emptyRequests ?? 0) + requests };
  }
  const { measured } = reading;
  const hasBad = tally.hasBad === true || reading.isBadMissing !== true;
  if (!hasBad) return { ...seen, measured, hasBad };
  const next = fold(judgedSpec(guardrail, measured), folded, [intervalOf(kept, reading)]);
  const isCounted = next.newest?.fault === null;
  return { ...seen, measured, hasBad, folded: next, ...(isCounted ? { counted: { kept, folded: next } } : {}) };
}

/**
 * The verdict; undefined while nothing was measured. `lateMs` is the delay of new data beyond the usual. A failure on all counted
 * windows comes first: harm may have taken its source down.
 */
export function verdictOf(
  guardrail: GuardrailSpec,
  { measured, folded, latest, counted, hasBad, firstMs = 0, emptyRequests: requests }: Tally,
  lateMs: number,
  context: Omit<JudgeContext, 'nowMs'>,
): Verdict | undefined {
  if (latest === undefined) return undefined;
  const spec = judgedSpec(guardrail, measured ?? namedOnly(guardrail));
  if (counted !== undefined) {
    const judged = judgedAt(spec, counted.folded, context, counted.kept.toMs);
    if (judged.outcome === 'fail' || (counted.kept === latest && lateMs === 0)) return judged;
  }
  const at = { ...context, nowMs: latest.toMs + lateMs };
  const { reading } = latest;
  if (reading.at === 'down') return judge(spec, reading, at);
  if (reading.at === 'measured' && folded !== undefined) return judgedAt(spec, folded, context, at.nowMs);
  if (reading.at === 'measured') return judge(spec, { at: 'empty', because: BAD_MISSING }, at);
  const isLong = latest.toMs - firstMs >= EMPTY_MS;
  // With a total, the candidate is measured: a wrong query for bad events holds promotion, and does not roll back.
  const isTold = requests !== undefined && hasBad === undefined && (requests === 0 || isLong);
  return judge(spec, isTold ? { at: 'empty', requests } : { at: 'empty' }, at);
}

function judgedAt(
  spec: JudgedSpec,
  folded: GuardrailState,
  context: Omit<JudgeContext, 'nowMs'>,
  nowMs: number,
): Verdict {
  return judge(spec, { at: 'intervals', intervals: [], folded }, { ...context, nowMs });
}

/** Whether the last counted window is of this stage since then, with units of the candidate. */
export function isMeasuredIn({ counted }: Tally, stage: number, sinceMs: number): boolean {
  if (counted === undefined || counted.kept.stage !== stage || counted.kept.fromMs < sinceMs) return false;
  const { reading } = counted.kept;
  // A gauge shows a value without traffic too.
  return reading.at === 'measured' && (reading.candidate.units > 0 || reading.measured.of === 'values');
}

/** The verdict on a source that is silent and should not be. */
export function silence(guardrail: GuardrailSpec, because: string, context: Omit<JudgeContext, 'nowMs'>): Verdict {
  return judge(judgedSpec(guardrail, namedOnly(guardrail)), { at: 'down', because }, { ...context, nowMs: 0 });
}

export function intervalOf(
  { fromMs, toMs, stage, scope, share }: Omit<StoredWindow, 'reading'>,
  { candidate, stable, sources, clustering, history, measured }: StoredMeasurement,
): Interval {
  const units = candidate.units + stable.units;
  const isChecked = measured.isSplit && units * share * (1 - share) >= SPLIT_VARIANCE_MIN;
  return {
    fromMs,
    toMs,
    candidate,
    stable,
    stage,
    ...(scope === undefined ? {} : { scope }),
    ...(isChecked ? { share } : {}),
    ...(sources === undefined ? {} : { sources }),
    ...(clustering === undefined ? {} : { clustering }),
    ...(history === undefined ? {} : { history }),
  };
}

/** For sentences about a source of which only the guardrail is known. */
function namedOnly({ name, decisions, requests, metric }: GuardrailSpec): MetricTraits {
  const called =
    decisions !== undefined ? CALLED[decisions] : requests !== undefined ? REQUESTS[requests] : (metric ?? name);
  return { called, better: 'fewer', of: 'events', isSplit: false };
}

const CALLED = { denied: 'Denials', failed: 'Failed answers' } as const;
const REQUESTS = { failed: 'Failed requests', slow: 'Slow requests' } as const;
