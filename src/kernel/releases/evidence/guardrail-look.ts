import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { JudgeContext } from '#kernel/statistics/guardrail.ts';
import { judgeVersion, type Verdict } from '#kernel/statistics/verdict.ts';
import type { GuardrailVerdict, JudgedRelease } from '../evidence.ts';
import { metricsOf, type GuardrailSpec } from '../kinds/guardrail-spec.ts';
import type { PolicySpec } from '../kinds/policy-spec.ts';
import { isBake } from '../kinds/release-stages.ts';
import { nextStageInterval, windowMs, type Schedule } from './due-window.ts';
import type { MeasureSource } from './measure-source.ts';
import { isMeasuredIn, silence, verdictOf, type Tally } from './tally.ts';

/** Windows without data before a source counts as late. */
const LATE_WINDOWS = 2;

/** One look at one guardrail of a release. */
export interface GuardrailLook {
  readonly release: JudgedRelease;
  readonly policy: PolicySpec;
  readonly guardrail: GuardrailSpec;
  readonly source: MeasureSource;
  readonly nowMs: number;
}

/** The measuring schedule. A bake has no control: guardrails that compare stop at the end of the stages. Pure. */
export function scheduleOf(
  { release: { stage, seenMs, earlier }, policy, guardrail, source: { grainMs } }: GuardrailLook,
  { latest }: Tally,
): Schedule {
  const isAlone = guardrail.noWorse !== undefined && isBake(policy, stage);
  const past = isAlone ? earlier.filter((one) => !isBake(policy, one.stage)) : earlier;
  return {
    grainMs,
    everyMs: durationMs(policy.judging.every),
    stretches: isAlone ? past : [...past, { stage, seenMs }],
    lastToMs: latest?.toMs,
  };
}

/**
 * The verdict on all measurements; undefined while there are none and nothing is late. Pure.
 *
 * @param waits why there is no new data
 */
export function judgeGuardrail(
  look: GuardrailLook,
  tally: Tally,
  waits: string | undefined,
): GuardrailVerdict | undefined {
  const { release, policy, guardrail, source, nowMs } = look;
  const alone = guardrail.noWorse === undefined ? undefined : source.whyAlone?.(release.spec);
  if (alone !== undefined) {
    return { outcome: 'pass', because: alone, judgeVersion, figures: { of: 'nothing' }, isOfStage: true };
  }
  const schedule = scheduleOf(look, tally);
  const fromMs = nextStageInterval(schedule)?.fromMs ?? nowMs;
  const lateMs = Math.max(0, nowMs - source.lagMs - fromMs);
  const { alpha, beta } = policy.judging;
  const context: Omit<JudgeContext, 'nowMs'> = { alpha, beta, metrics: metricsOf(policy.guardrails) };
  const verdict = verdictOf(guardrail, tally, lateMs, context);
  if (verdict !== undefined) {
    if (endMsOf(tally) > nowMs) return { ...aheadOfTime(verdict), isOfStage: false };
    return { ...verdict, isOfStage: isMeasuredIn(tally, release.stage, release.seenMs) };
  }
  if (waits === undefined || lateMs <= LATE_WINDOWS * windowMs(schedule)) return undefined;
  return { ...silence(guardrail, waits, context), isOfStage: false };
}

/** The end of the last measured window. */
export function endMsOf({ latest }: Tally): number {
  return latest?.toMs ?? 0;
}

/** Whether a release has left a stage and returned to it, after a rollback of a stage. Pure. */
export function isStageAgain(
  { stage: now, earlier }: Pick<JudgedRelease, 'stage' | 'earlier'>,
  stage: number,
): boolean {
  const stages = [...earlier.map((one) => one.stage), now];
  const first = stages.indexOf(stage);
  const other = stages.findIndex((one, index) => index > first && one !== stage);
  return first >= 0 && other >= 0 && stages.indexOf(stage, other) >= 0;
}

/** Evidence from the future is no success, and hides no failure. */
function aheadOfTime(verdict: Verdict): Verdict {
  if (verdict.outcome === 'fail') return verdict;
  return { ...verdict, outcome: 'stale', because: 'The newest data is from the future.' };
}
