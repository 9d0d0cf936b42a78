import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { compileSlot } from '#kernel/audiences/bucketing/compile-slot.ts';
import type { Context, Matcher } from '#kernel/audiences/language/language.ts';
import { SHARE_TOTAL, type Cohort, type CohortSlice } from './cohort.ts';

/** Whom a question is about, as far as releases go by it. */
export interface CohortSubject {
  /** The units that it belongs to, by what they are called: a release puts one of them into buckets. */
  readonly units: Readonly<Record<string, string | undefined>>;
  /** What cohorts go by besides audiences. */
  readonly facts: Readonly<Record<string, string | undefined>>;
  /** What audiences are asked with: attributes by name. */
  readonly context: Context;
}

/**
 * What a release makes of somebody: `candidate` and `stable` are compared with each other; `exposed` gets what the
 * release carries and is compared with nobody.
 */
export type Track = 'candidate' | 'stable' | 'exposed';

/** Undefined for those who get what everybody gets, and are compared with nobody. */
export type Membership = (subject: CohortSubject, nowMs: number) => Track | undefined;

/** Somebody without an id falls into the last bucket, which only a whole share reaches. */
const LAST_BUCKET = SHARE_TOTAL - 1;

/**
 * Who is in a cohort, and in which track of the comparison. What is compared is the last slice: its share against the
 * rest of the same audience and facts. Whoever an earlier, larger slice is about too had another chance to be in, and
 * is no part of it; neither is who has no id. With the audiences of the world that everybody gets, so that a release
 * that carries audiences does not choose its own cohort.
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

/** Whether a slice is about somebody: unknown is no. */
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
