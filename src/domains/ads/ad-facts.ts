import type { CohortSubject } from '#kernel/snapshots/cohort-membership.ts';
import type { AdSubject } from './serving/ad-token.ts';

/** Facts of other modules that the gate needs. */
export interface AdFacts {
  /** Whether a listener has a feature; undefined where that cannot be known. A promise where a record is read. */
  readonly hasFeature: (
    subject: AdSubject,
    feature: string,
    now: Temporal.Instant,
  ) => boolean | undefined | Promise<boolean | undefined>;
  /** The listener and household of a question, by the record of products. */
  readonly cohortSubject: (input: unknown) => CohortSubject | Promise<CohortSubject>;
}
