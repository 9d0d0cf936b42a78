import type { CohortSubject } from './cohort-membership.ts';
import type { ReleaseView } from './worlds.ts';

/** The result of an answer; denied: the listener did not get something, or the question was refused. */
export type Result = 'given' | 'denied' | 'failed';

/** Records the answers given to members of a release's cohorts. Releases are judged by these records. */
export interface Witness {
  readonly saw: (
    seen: Pick<ReleaseView<unknown>, 'tracks' | 'isBroken'>,
    subject: CohortSubject,
    result: Result,
    now: Temporal.Instant,
  ) => void;
}

/** The result of an answer by its HTTP status alone. */
export function resultOfStatus(status: number): Result {
  if (status >= 500) return 'failed';
  return status >= 400 ? 'denied' : 'given';
}
