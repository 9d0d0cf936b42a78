import type { Verdict } from '#kernel/statistics/verdict.ts';
import type { ReleaseSpec } from './kinds/release-spec.ts';
import type { Split } from './kinds/target.ts';
import type { Stretch } from './kinds/release-status.ts';

/** A release in a stage, as the judge gets it. */
export interface JudgedRelease {
  readonly name: string;
  readonly uid: string;
  readonly spec: ReleaseSpec;
  readonly stage: number;
  /** How each stage splits units; undefined while none has split any. */
  readonly splits: readonly (Split | undefined)[];
  /** When the stage was first seen to have it. */
  readonly seenMs: number;
  /** The times of stages before, and of this one before it began anew. */
  readonly earlier: readonly Stretch[];
}

/** What the judge says of a guardrail. */
export interface GuardrailVerdict extends Verdict {
  /** Whether a whole window of the stage itself is part of the evidence, with traffic of the candidate. */
  readonly isOfStage: boolean;
}

/** What the judge says of releases that are under way. */
export interface Evidence {
  /**
   * Verdicts by guardrail over all that was measured since the release was first shown to anybody. Measures what is due,
   * and keeps it before it judges: asked again, also after a crash, it judges the same.
   */
  readonly verdicts: (release: JudgedRelease, nowMs: number) => Promise<ReadonlyMap<string, GuardrailVerdict>>;
}
