import type { Folded } from './fold.ts';
import type { Interval } from './interval.ts';

/** What the source of a guardrail answered. */
export type Reading =
  /** It did not answer, or with an error. */
  | { readonly at: 'down'; readonly because: string }
  /** It answered that it has nothing. `requests` is what the router counted meanwhile, where that is known. */
  | { readonly at: 'empty'; readonly requests?: number }
  /** All intervals so far; or those after what was folded, which is taken instead of the earlier ones. */
  | { readonly at: 'intervals'; readonly intervals: readonly Interval[]; readonly folded?: Folded };
