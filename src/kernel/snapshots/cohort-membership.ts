import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { compileSlot } from '#kernel/audiences/bucketing/compile-slot.ts';
import type { Context, Matcher } from '#kernel/audiences/language/language.ts';
import { SHARE_TOTAL, type Cohort, type CohortSlice } from './cohort.ts';

/** The subject of a question, as far as cohorts depend on it. */
export interface CohortSubject {
  /** The units that it belongs to, by what they are called: a release puts one of them into buckets. */
  readonly units: Readonly<Record<string, string | undefined>>;
  /** The facts that cohorts depend on besides audiences. */
  readonly facts: Readonly<Record<string, string | undefined>>;
  /** The context for audiences: attributes by name. */
  readonly context: Context;
}

/**
 * The track of a subject in a release: `candidate` and `stable` are compared with each other; `exposed` gets what the
 * release carries and is compared with nobody.
 */
export type Track = 'candidate' | 'stable' | 'exposed';

/** undefined: not part of the release, and not part of the comparison. */
export type Membership = (subject: CohortSubject, nowMs: number) => Track | undefined;

/** A subject without an id falls into the last bucket, which only a whole share reaches. */
const LAST_BUCKET = SHARE_TOTAL - 1;

/**
 * Compiles who is in a cohort, and in which track of the comparison. The last slice is compared: its share against the
 * rest of the same audience and facts. Excluded are units that an earlier, larger slice could also have selected, and
 * units without an id. The audiences are those of the world of everyone, so that a release that carries audiences does
 * not choose its own cohort.
 */
export function compileMembership(cohort: Cohort, audiences: Pick<AudienceTable, 'matcher'>): Membership {
  const { unit: kind, salt } = cohort;
  const bucketOf = compileSlot({ algorithm: 'backline', salt }, SHARE_TOTAL);
  const slices = cohort.slices.map((slice) => ({ share: slice.share, isAbout: compileSlice(slice, audiences) }));
  const last = slices.at(-1);
  return (subject, nowMs) => {
    const unit = subject.units[kind];
    const bucket = unit === undefined ? LAST_BUCKET : bucketOf(unit);
    let isIn = false;
    let isCompared = false;
    for (const slice of slices) {
      if (!slice.isAbout(subject, nowMs)) continue;
      isIn ||= bucket < slice.share;
      if (slice === last) isCompared = unit !== undefined;
    }
    if (isCompared && !slices.some((slice) => slice.share > (last?.share ?? 0) && slice.isAbout(subject, nowMs))) {
      return isIn ? 'candidate' : 'stable';
    }
    return isIn ? 'exposed' : undefined;
  };
}

/** Whether a slice selects a subject: unknown is no. */
function compileSlice(
  { audience, facts: needed = {} }: CohortSlice,
  audiences: Pick<AudienceTable, 'matcher'>,
): (subject: CohortSubject, nowMs: number) => boolean {
  const matcher = audience === undefined ? EVERYBODY : (audiences.matcher(audience) ?? NOBODY);
  const places = Object.entries(needed).map(([name, values]) => [name, new Set<string | undefined>(values)] as const);
  return ({ facts, context }, nowMs) =>
    places.every(([name, values]) => values.has(facts[name])) && matcher(context, nowMs) === true;
}

const EVERYBODY: Matcher = () => true;
const NOBODY: Matcher = () => false;
