import type { FormerTerms, SubjectFacts, SubscriptionFacts } from './subject-facts.ts';

/** Facts of a moment that lies behind, and whether that was on other terms than now. */
export interface FactsAt {
  readonly facts: SubjectFacts;
  /** When it counts as used. */
  readonly atMs: number;
  readonly isOfBefore: boolean;
}

/**
 * What a listener was on at a moment. Use of a time at which the listener was on nothing counts at the beginning of what
 * came next: no window that ended before gives anything. With `hasOther`, there is a plan for those who are on nothing.
 */
export function factsAt(facts: SubjectFacts, atMs: number, hasOther = false): FactsAt {
  const { subscription, formers } = facts;
  const sinceMs = subscription?.status === 'active' ? beganMs(subscription, formers) : Infinity;
  if (atMs >= sinceMs) return { facts, atMs, isOfBefore: false };
  const former = formers.find((one) => one.sinceMs <= atMs && atMs < one.untilMs);
  if (former !== undefined) return { facts: factsOn(facts, former), atMs, isOfBefore: true };
  if (hasOther) return { facts: { ...facts, subscription: undefined }, atMs, isOfBefore: false };
  const next = formers.findLast((one) => one.sinceMs > atMs);
  if (next !== undefined) return { facts: factsOn(facts, next), atMs: next.sinceMs, isOfBefore: true };
  return { facts, atMs: sinceMs === Infinity ? atMs : sinceMs, isOfBefore: false };
}

/** The facts as if the listener still were on what came before. */
export function factsOn(facts: SubjectFacts, { subscription }: FormerTerms): SubjectFacts {
  return { ...facts, subscription };
}

/** Since when somebody is on what they are on, without a break and as they are. */
function beganMs({ givesSinceMs, memberSinceMs }: SubscriptionFacts, [last]: readonly FormerTerms[]): number {
  return Math.max(givesSinceMs, memberSinceMs, last?.untilMs ?? 0);
}
