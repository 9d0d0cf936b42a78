import type { CohortSubject } from './cohort-membership.ts';
import type { Seen } from './worlds.ts';

/** What somebody was answered; denied: something was kept from the listener, or the question refused. */
export type Result = 'given' | 'denied' | 'failed';

/** Notes what those were answered of whom releases that are under way make something: by that releases are judged. */
export interface Witness {
  readonly saw: (
    seen: Pick<Seen<unknown>, 'tracks' | 'isBroken'>,
    subject: CohortSubject,
    result: Result,
    now: Temporal.Instant,
  ) => void;
}

/** The result of an answer that is told by its HTTP status alone. */
export function resultOfStatus(status: number): Result {
  if (status >= 500) return 'failed';
  return status >= 400 ? 'denied' : 'given';
}
