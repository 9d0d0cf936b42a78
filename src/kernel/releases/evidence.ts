import type { Verdict } from '#kernel/statistics/verdict.ts';
import type { ReleaseSpec } from './kinds/release-spec.ts';
import type { Split } from './kinds/target.ts';
import type { StageInterval } from './kinds/release-status.ts';

/** A release in a stage, as input of the judge. */
export interface JudgedRelease {
  readonly name: string;
  readonly uid: string;
  readonly spec: ReleaseSpec;
  readonly stage: number;
  /** How each stage splits units; undefined until a stage splits any. */
  readonly splits: readonly (Split | undefined)[];
  /** When the cohort was first observed to have the stage. */
  readonly seenMs: number;
  /** The intervals of earlier stages, and of this one before it restarted. */
  readonly earlier: readonly StageInterval[];
}

/** Verdict on a guardrail. */
export interface GuardrailVerdict extends Verdict {
  /** Whether the evidence includes a whole window of the stage itself, with traffic of the candidate. */
  readonly isOfStage: boolean;
}

/** Source of verdicts on open releases. */
export interface Evidence {
  /**
   * Verdicts by guardrail over all measurements since the release was first exposed. Measures what is due and stores it before
   * judging: repeated calls, also after a crash, give the same verdicts.
   */
  readonly verdicts: (release: JudgedRelease, nowMs: number) => Promise<ReadonlyMap<string, GuardrailVerdict>>;
}
