import type { Steps } from '#kernel/base/turns.ts';
import { fittingAds, separationsOf, type BreakDecision, type BreakQuestion, type Obstacle } from './decide.ts';
import type { AdsTable, CompiledAdSet, Halt } from './table.ts';

/** Why an ad set was not served; each has one, or all of its halts. */
type Reason = Halt | BreakReason;

/** Why an ad set that may be served was not served in a break. */
export type BreakReason = Obstacle | 'audience' | 'same advertiser, same room' | 'separated' | 'no room';

export interface ReasonCount {
  readonly reason: Reason;
  readonly adSets: number;
  /** One of them. */
  readonly example: string;
}

/** Counts why the ad sets that a decision did not serve were not served. Looks at every ad set, in steps. */
export function* countReasons(
  { adSets, audiences }: AdsTable,
  question: BreakQuestion,
  { served, candidates }: BreakDecision,
): Steps<readonly ReasonCount[]> {
  const counts = new Map<Reason, { adSets: number; example: string }>();
  const findReason = reasonFinder(audiences, question, { served, candidates });
  const servedSets = new Set(served.map(({ adSet }) => adSet));
  for (const adSet of adSets.values()) {
    if (adSet.halts.length > 0) for (const halt of adSet.halts) count(halt, adSet);
    else if (!servedSets.has(adSet)) count(findReason(adSet), adSet);
    yield;
  }
  return Array.from(counts, ([reason, { adSets: sets, example }]) => ({ reason, adSets: sets, example })).toSorted(
    (a, b) => b.adSets - a.adSets || (a.reason < b.reason ? -1 : 1),
  );

  function count(reason: Reason, { name }: CompiledAdSet): void {
    const known = counts.get(reason);
    if (known === undefined) counts.set(reason, { adSets: 1, example: name });
    else known.adSets += 1;
  }
}

/** Finds why an ad set without halts that a decision did not serve was not served. */
export function reasonFinder(
  audiences: AdsTable['audiences'],
  question: BreakQuestion,
  { served, candidates }: Pick<BreakDecision, 'served' | 'candidates'>,
): (adSet: CompiledAdSet) => BreakReason {
  const candidateSets = new Set(candidates.map(({ adSet }) => adSet));
  const taken = new Set(served.flatMap(({ adSet }) => separationsOf(adSet)));
  return (adSet) => {
    const { rule } = adSet;
    if (rule !== undefined && audiences.compile(rule)(question.context, question.nowMs) !== true) return 'audience';
    const ads = fittingAds(adSet, question);
    if (typeof ads === 'string') return ads;
    if (separationsOf(adSet).some((name) => taken.has(name))) return 'separated';
    return candidateSets.has(adSet) ? 'no room' : 'same advertiser, same room';
  };
}
