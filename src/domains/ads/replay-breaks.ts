import type { Steps } from '#kernel/base/turns.ts';
import { heldBackBy, loadObstacle } from './break-history.ts';
import { decideBreak, type BreakQuestion } from './decisions/decide.ts';
import { reasonFinder } from './decisions/explain.ts';
import type { AdsTable, CompiledAdSet } from './decisions/table.ts';
import type { LossReason, ReplayCounts } from './diagnosis/losses.ts';
import type { RecentBreak, SampledBreaks } from './diagnosis/recent-breaks.ts';
import type { Money } from './money/money.ts';

/** Breaks that are decided anew for one diagnosis: each costs what an answered break does. */
const REPLAYS_MAX = 400;

interface ReplayParts {
  readonly table: AdsTable;
  readonly money: Pick<Money, 'heldBack'>;
  readonly random: () => number;
}

/**
 * Decides recent breaks anew by what is declared now, and counts what became of one ad set. The others are held back by their
 * budgets as of now, and this one is not: what its own budget does is known without. Caps count what the listener had then.
 */
export function* replayBreaks(
  adSet: CompiledAdSet,
  breaks: readonly SampledBreaks[],
  parts: ReplayParts,
): Steps<ReplayCounts & { readonly replayed: number }> {
  const most = Math.max(1, Math.floor(REPLAYS_MAX / Math.max(1, breaks.length)));
  const lost = new Map<LossReason, { requests: number; readonly places: Set<string> }>();
  let [requests, served, replayed] = [0, 0, 0];
  for (const { placement, asked, kept } of breaks) {
    const found = parts.table.placements.get(placement);
    const step = Math.ceil(kept.length / most);
    const chosen = kept.filter((_, index) => index % step === 0);
    if (found === undefined || chosen.length === 0) continue;
    // Each stands for as many of those that were asked for.
    const weight = asked / chosen.length;
    for (const one of chosen) {
      const reason = reasonIn(adSet, one, { ...parts, placement: found });
      if (reason === undefined) served += weight;
      else {
        const loss = lost.get(reason) ?? { requests: 0, places: new Set() };
        loss.requests += weight;
        lost.set(reason, loss);
        loss.places.add(placement);
      }
      yield;
    }
    requests += asked;
    replayed += chosen.length;
  }
  return { requests, served, lost, replayed };
}

/** Why an ad set without halts is not in a break; undefined where it is. */
function reasonIn(
  adSet: CompiledAdSet,
  { question, history }: RecentBreak,
  { table, money, random, placement }: ReplayParts & Pick<BreakQuestion, 'placement'>,
): LossReason | undefined {
  const asked = {
    ...question,
    placement,
    random,
    heldBack: (one: CompiledAdSet) => (one.name === adSet.name ? undefined : money.heldBack(one)),
  };
  if (loadObstacle(asked, history) !== undefined) return 'ad load';
  const counted = { ...asked, heldBack: heldBackBy(asked, history) };
  const decision = decideBreak(table, counted);
  if (decision.served.some((ad) => ad.adSet.name === adSet.name)) return undefined;
  return reasonFinder(table.audiences, counted, decision)(adSet);
}
