import type { GuardrailState } from './fold.ts';
import type { Interval } from './interval.ts';

/** Answer of the source of a guardrail. */
export type SourceAnswer =
  /** It did not answer, or answered with an error. */
  | { readonly at: 'down'; readonly because: string }
  /** It has no measurement. `requests` is the count of the router meanwhile, where known; `because` names a missing part. */
  | { readonly at: 'empty'; readonly requests?: number; readonly because?: string }
  /** All intervals so far; or the intervals after `folded`, which replaces the earlier ones. */
  | { readonly at: 'intervals'; readonly intervals: readonly Interval[]; readonly folded?: GuardrailState };
