import type { Steps } from '#kernel/base/turns.ts';
import { compileAt } from './ad-sets.ts';
import { fittingAds, type BreakDecision, type BreakQuestion, type Obstacle } from './decide.ts';
import { worthsAt } from './may-fit.ts';
import type { Halt } from './halts.ts';
import type { AdsTable, CompiledAdSet } from './table.ts';

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

/**
 * Counts why the ad sets that a decision did not serve were not served. Looks at every ad set, in steps, and compiles those
 * that the listener is in the audience of.
 */
export function* countReasons(
  table: AdsTable,
  question: BreakQuestion,
  decision: Pick<BreakDecision, 'served' | 'candidates'>,
): Steps<readonly ReasonCount[]> {
  const { rows, outdated, recent, audiences, index } = table;
  const counts = new Map<Reason, { adSets: number; example: string }>();
  const servedSets = new Set(decision.served.map(({ adSet }) => adSet.name));
  const findReason = fitReasonFinder(question, decision);
  const matching = new Set(index.matches(question.context, question.nowMs));
  for (let at = 0; at < rows.length; at += 1) {
    const { name } = rows.objectAt(at);
    if (!outdated.has(name)) countIndexed(at, name);
    yield;
  }
  for (const { adSet } of recent) {
    if (adSet.halts.length > 0) for (const halt of adSet.halts) count(halt, adSet.name);
    else if (!servedSets.has(adSet.name)) {
      count(isInAudience(adSet, audiences, question) ? findReason(adSet) : 'audience', adSet.name);
    }
    yield;
  }
  return Array.from(counts, ([reason, { adSets: sets, example }]) => ({ reason, adSets: sets, example })).toSorted(
    (a, b) => b.adSets - a.adSets || (a.reason < b.reason ? -1 : 1),
  );

  function countIndexed(at: number, name: string): void {
    const audience = rows.audienceAt(at);
    const isMissing = audience !== undefined && audiences.matcher(audience) === undefined;
    const halts: readonly Halt[] = isMissing ? [...rows.haltsAt(at), 'audience missing'] : rows.haltsAt(at);
    if (halts.length > 0) for (const halt of halts) count(halt, name);
    else if (servedSets.has(name)) return;
    else if (!matching.has(at)) count('audience', name);
    else count(findReason(compileAt(table, at)), name);
  }

  function count(reason: Reason, name: string): void {
    const known = counts.get(reason);
    if (known === undefined) counts.set(reason, { adSets: 1, example: name });
    else known.adSets += 1;
  }
}

/** Finds why an ad set without halts that a decision did not serve was not served. */
export function reasonFinder(
  audiences: AdsTable['audiences'],
  question: BreakQuestion,
  decision: Pick<BreakDecision, 'served' | 'candidates'>,
): (adSet: CompiledAdSet) => BreakReason {
  const findReason = fitReasonFinder(question, decision);
  return (adSet) => (isInAudience(adSet, audiences, question) ? findReason(adSet) : 'audience');
}

function isInAudience({ rule }: CompiledAdSet, audiences: AdsTable['audiences'], question: BreakQuestion): boolean {
  return rule === undefined || audiences.compile(rule)(question.context, question.nowMs) === true;
}

/** Finds the same of an ad set that the listener is in the audience of. */
function fitReasonFinder(
  question: BreakQuestion,
  { served, candidates }: Pick<BreakDecision, 'served' | 'candidates'>,
): (adSet: CompiledAdSet) => BreakReason {
  const candidateSets = new Set(candidates.map(({ adSet }) => adSet.name));
  const taken = new Set(served.flatMap(({ adSet }) => adSet.separations));
  const worthOf = worthsAt(question);
  return (adSet) => {
    const ads = fittingAds(adSet, question, worthOf);
    if (typeof ads === 'string') return ads;
    if (adSet.separations.some((name) => taken.has(name))) return 'separated';
    return candidateSets.has(adSet.name) ? 'no room' : 'same advertiser, same room';
  };
}
