import type { Folded } from './fold.ts';
import type { Interval } from './interval.ts';

/** What the source of a guardrail answered. */
export type Reading =
  /** It did not answer, or with an error. */
  | { readonly at: 'down'; readonly because: string }
  /**
   * It answered that it has nothing. `requests` is what the router counted meanwhile, where that is known; `because` says what
   * it lacks, where it has something.
   */
  | { readonly at: 'empty'; readonly requests?: number; readonly because?: string }
  /** All intervals so far; or those after what was folded, which is taken instead of the earlier ones. */
  | { readonly at: 'intervals'; readonly intervals: readonly Interval[]; readonly folded?: Folded };
