import type { FormerTerms, SubjectFacts, SubscriptionFacts } from './subject-facts.ts';

/** Terms of a listener at a past moment, and whether they differ from the present ones. */
export interface FactsAt {
  readonly facts: SubjectFacts;
  /** Moment at which the use counts. */
  readonly atMs: number;
  readonly isOfOldPlan: boolean;
}

/**
 * Terms of a listener at a moment. Use from a time without terms counts at the start of the next ones: no
 * earlier window gives anything. With `hasOther` the question names a plan for such times.
 */
export function factsAt(facts: SubjectFacts, atMs: number, hasOther = false): FactsAt {
  const { subscription, formers } = facts;
  const sinceMs = subscription?.status === 'active' ? beganMs(subscription, formers) : Infinity;
  if (atMs >= sinceMs) return { facts, atMs, isOfOldPlan: false };
  const former = formers.find((one) => one.sinceMs <= atMs && atMs < one.untilMs);
  if (former !== undefined) return { facts: factsOn(facts, former), atMs, isOfOldPlan: true };
  if (hasOther) return { facts: { ...facts, subscription: undefined }, atMs, isOfOldPlan: false };
  const next = formers.findLast((one) => one.sinceMs > atMs);
  if (next !== undefined) return { facts: factsOn(facts, next), atMs: next.sinceMs, isOfOldPlan: true };
  return { facts, atMs: sinceMs === Infinity ? atMs : sinceMs, isOfOldPlan: false };
}

/** The facts as if the former terms were in force. */
export function factsOn(facts: SubjectFacts, { subscription }: FormerTerms): SubjectFacts {
  return { ...facts, subscription };
}

/** When the present terms began, without a break. */
function beganMs({ givesSinceMs, memberSinceMs }: SubscriptionFacts, [last]: readonly FormerTerms[]): number {
  return Math.max(givesSinceMs, memberSinceMs, last?.untilMs ?? 0);
}
