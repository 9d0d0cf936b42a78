import { fold, type Folded } from '#kernel/statistics/fold.ts';
import type { JudgeContext } from '#kernel/statistics/guardrail.ts';
import type { Interval } from '#kernel/statistics/interval.ts';
import { judge } from '#kernel/statistics/judge.ts';
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
  /** The part of units that the stage gives the candidate. */
  readonly share: number;
  readonly reading: KeptReading;
  readonly judgeVersion: number;
  /** When it was measured. */
  readonly atMs: number;
}

export type KeptReading = Exclude<Measurement, { readonly at: 'waits' }>;

/**
 * So many windows without anything, and answers meanwhile, before it is said that nothing measures the candidate: a new
 * series shows only after the first scrapes.
 */
const EMPTY_WINDOWS = 3;
/**
 * The split is checked where chance would move it little even if whoever is counted is counted several times: so many units
 * in a window, times share and rest.
 */
const SPLIT_VARIANCE_MIN = 500;

/** All that the windows of a guardrail come to. Plain data; the same windows in the same order give the same. */
export interface Tally {
  readonly measured?: Measured;
  readonly folded?: Folded;
  readonly latest?: Kept;
  /** Windows without anything since the first, and the answers in them; only until there is something. */
  readonly empty: { readonly windows: number; readonly requests: number | undefined };
}

export const NO_TALLY: Tally = { empty: { windows: 0, requests: undefined } };

export function addKept(guardrail: GuardrailSpec, tally: Tally, kept: Kept): Tally {
  const { latest, folded } = tally;
  if (latest !== undefined && kept.toMs <= latest.toMs) return tally;
  const { reading } = kept;
  if (reading.at === 'down') return { ...tally, latest: kept };
  if (reading.at === 'empty') {
    const { windows, requests } = tally.empty;
    const more = reading.requests === undefined ? requests : (requests ?? 0) + reading.requests;
    return { ...tally, latest: kept, empty: { windows: windows + 1, requests: more } };
  }
  const { measured } = reading;
  const next = fold(judgedSpec(guardrail, measured), folded, [intervalOf(kept, reading)]);
  return { ...tally, latest: kept, measured, folded: next };
}

/**
 * What the judge says; undefined while nothing was measured. `lateMs` is by how much longer than usual nothing new has
 * come.
 */
export function verdictOf(
  guardrail: GuardrailSpec,
  { measured, folded, latest, empty }: Tally,
  lateMs: number,
  context: Omit<JudgeContext, 'nowMs'>,
): Verdict | undefined {
  if (latest === undefined) return undefined;
  const spec = judgedSpec(guardrail, measured ?? namedOnly(guardrail));
  const at = { ...context, nowMs: latest.toMs + lateMs };
  const { reading } = latest;
  if (reading.at === 'down') return judge(spec, reading, at);
  if (reading.at === 'measured' && folded !== undefined)
    return judge(spec, { at: 'intervals', intervals: [], folded }, at);
  const { windows, requests } = empty;
  const isTold = requests !== undefined && folded === undefined && (requests === 0 || windows >= EMPTY_WINDOWS);
  return judge(spec, isTold ? { at: 'empty', requests } : { at: 'empty' }, at);
}

/** The verdict on a source that has said nothing so far and should have. */
export function silence(guardrail: GuardrailSpec, because: string, context: Omit<JudgeContext, 'nowMs'>): Verdict {
  return judge(judgedSpec(guardrail, namedOnly(guardrail)), { at: 'down', because }, { ...context, nowMs: 0 });
}

export function intervalOf(
  { fromMs, toMs, share }: Pick<Kept, 'fromMs' | 'toMs' | 'share'>,
  { candidate, stable, sources, measured }: Extract<KeptReading, { readonly at: 'measured' }>,
): Interval {
  const units = candidate.units + stable.units;
  const isChecked = measured.isSplit && units * share * (1 - share) >= SPLIT_VARIANCE_MIN;
  return {
    fromMs,
    toMs,
    candidate,
    stable,
    ...(isChecked ? { share } : {}),
    ...(sources === undefined ? {} : { sources }),
  };
}

/** For sentences about a source of which nothing but the guardrail is known. */
function namedOnly({ name, decisions, metric }: GuardrailSpec): Measured {
  const called = decisions === undefined ? (metric ?? name) : CALLED[decisions];
  return { called, better: 'fewer', of: 'events', dispersion: 1, isSplit: false };
}

const CALLED = { denied: 'Denials', failed: 'Failed answers' } as const;
