import type { Clustering } from '#kernel/statistics/cells.ts';
import { fold, type GuardrailState } from '#kernel/statistics/fold.ts';
import type { GuardrailSpec as JudgedSpec, JudgeContext } from '#kernel/statistics/guardrail.ts';
import type { Interval } from '#kernel/statistics/interval.ts';
import { judge } from '#kernel/statistics/judge.ts';
import type { TimeHistory } from '#kernel/statistics/time-history.ts';
import type { Verdict } from '#kernel/statistics/verdict.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { judgedSpec } from './judged-spec.ts';
import type { Measured, Measurement } from './measure-source.ts';

/** What one window came to, as it is kept. */
export interface Kept {
  readonly guardrail: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly stage: number;
  /** The first of the stages up to this one that split the same units; absent in windows of old. */
  readonly scope?: number;
  /** The part of units that the stage gives the candidate. */
  readonly share: number;
  readonly reading: KeptReading;
  readonly judgeVersion: number;
  /** When it was measured. */
  readonly atMs: number;
}

type MeasuredReading = Omit<Extract<Measurement, { readonly at: 'measured' }>, 'cells'> & {
  /** How the events of units hang together up to the end of the window, where units are known. */
  readonly clustering?: { readonly release: Clustering; readonly scope: Clustering };
  /** What the day before the release taught; with the first window that counts. */
  readonly history?: TimeHistory;
};

export type KeptReading = MeasuredReading | Extract<Measurement, { readonly at: 'empty' | 'down' }>;

/**
 * How long a source may have nothing while the candidate answers, before it is said that nothing measures the candidate: a
 * new series shows only after the first scrapes, however short the windows are.
 */
const EMPTY_MS = 180_000;
/**
 * The split is checked where chance would move it little even if whoever is counted is counted several times: so many units
 * in a window, times share and rest.
 */
const SPLIT_VARIANCE_MIN = 500;

/** Ends a sentence. */
const BAD_MISSING =
  "the query for bad has had no series yet: is the metric's name right? Add `or vector(0)` if none so far is right";

/** All that the windows of a guardrail come to. Plain data; the same windows in the same order give the same. */
export interface Tally {
  readonly measured?: Measured;
  readonly folded?: GuardrailState;
  readonly latest?: Kept;
  /** The last window that was measured and could be counted, with all that was folded up to it. */
  readonly counted?: { readonly kept: Kept; readonly folded: GuardrailState };
  /** When the first window began. */
  readonly firstMs?: number;
  /** Whether something said what is bad, up to now; absent while nothing was measured. */
  readonly hasBad?: boolean;
  /** Answers of the candidate in windows without anything; undefined where none of them knew. */
  readonly emptyRequests?: number;
}

export const NO_TALLY: Tally = {};

export function addKept(guardrail: GuardrailSpec, tally: Tally, kept: Kept): Tally {
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
 * What the judge says; undefined while nothing was measured. `lateMs` is by how much longer than usual nothing new has
 * come. A failure by all that was counted is said first: harm may have taken its source with it.
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
    const said = judgedAt(spec, counted.folded, context, counted.kept.toMs);
    if (said.outcome === 'fail' || (counted.kept === latest && lateMs === 0)) return said;
  }
  const at = { ...context, nowMs: latest.toMs + lateMs };
  const { reading } = latest;
  if (reading.at === 'down') return judge(spec, reading, at);
  if (reading.at === 'measured' && folded !== undefined) return judgedAt(spec, folded, context, at.nowMs);
  if (reading.at === 'measured') return judge(spec, { at: 'empty', because: BAD_MISSING }, at);
  const isLong = latest.toMs - firstMs >= EMPTY_MS;
  // Where there was a total, the candidate is measured: a wrong query for what is bad holds it, and takes nothing back.
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

/** Whether the last window that was counted is of this stage since then, and somebody of the candidate is in it. */
export function isMeasuredIn({ counted }: Tally, stage: number, sinceMs: number): boolean {
  if (counted === undefined || counted.kept.stage !== stage || counted.kept.fromMs < sinceMs) return false;
  const { reading } = counted.kept;
  // A gauge shows something also while nobody asks.
  return reading.at === 'measured' && (reading.candidate.units > 0 || reading.measured.of === 'values');
}

/** The verdict on a source that has said nothing so far and should have. */
export function silence(guardrail: GuardrailSpec, because: string, context: Omit<JudgeContext, 'nowMs'>): Verdict {
  return judge(judgedSpec(guardrail, namedOnly(guardrail)), { at: 'down', because }, { ...context, nowMs: 0 });
}

export function intervalOf(
  { fromMs, toMs, stage, scope, share }: Omit<Kept, 'reading'>,
  { candidate, stable, sources, clustering, history, measured }: MeasuredReading,
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

/** For sentences about a source of which nothing but the guardrail is known. */
function namedOnly({ name, decisions, metric }: GuardrailSpec): Measured {
  const called = decisions === undefined ? (metric ?? name) : CALLED[decisions];
  return { called, better: 'fewer', of: 'events', isSplit: false };
}

const CALLED = { denied: 'Denials', failed: 'Failed answers' } as const;
