import { OPEN_RULES } from '../rules/listener-rules.ts';
import { fittingAds, openQuestion, type Obstacle } from './decide.ts';
import type { Halt } from './halts.ts';
import { mayStandAt } from './places.ts';
import type { AdsTable, CompiledAdSet, CompiledPlacement } from './table.ts';

/** Why an ad set, or one ad of it, is served to nobody now. */
export interface ServingReason {
  readonly reason: Halt | Obstacle | 'placement missing' | 'no placement' | 'policy missing';
  /** Names of the placements where it is so. */
  readonly places: readonly string[];
}

/**
 * All reasons for which an ad set is served to nobody, by what is declared; empty: a listener who may get everything can get
 * it. Budgets, caps and day parts change from one break to the next, and are none.
 */
export function servingReasons(
  adSet: CompiledAdSet,
  placements: AdsTable['placements'],
  nowMs: number,
): readonly ServingReason[] {
  const times: readonly ('not begun' | 'over')[] = [
    ...(nowMs < adSet.fromMs ? ['not begun' as const] : []),
    ...(nowMs >= adSet.untilMs ? ['over' as const] : []),
  ];
  return [
    ...[...adSet.halts, ...times].map((reason) => ({ reason, places: [] })),
    // Without the account there is no currency to compare in.
    ...(adSet.halts.includes('advertiser missing') ? [] : placeReasons(adSet, placements, nowMs)),
  ];
}

/** Empty where one of its placements takes it. */
function placeReasons(
  adSet: CompiledAdSet,
  placements: AdsTable['placements'],
  nowMs: number,
): readonly ServingReason[] {
  const names = [...(adSet.placements ?? placesOf(adSet, placements))];
  if (names.length === 0) return [{ reason: 'no placement', places: [] }];
  const byReason = new Map<ServingReason['reason'], string[]>();
  const obstacleAt = obstaclesOf(adSet, nowMs);
  for (const name of names) {
    const placement = placements.get(name);
    const reason = placement === undefined ? 'placement missing' : obstacleAt(placement);
    if (reason === undefined) return [];
    const places = byReason.get(reason);
    if (places === undefined) byReason.set(reason, [name]);
    else places.push(name);
  }
  return Array.from(byReason, ([reason, places]) => ({ reason, places }));
}

/** Names of the placements of its own namespace. */
function* placesOf(adSet: CompiledAdSet, placements: AdsTable['placements']): Iterable<string> {
  for (const placement of placements.values()) if (mayStandAt(adSet, placement)) yield placement.name;
}

/** Finds the obstacle between an ad set and every listener at a placement, from its begin on. */
function obstaclesOf(
  adSet: CompiledAdSet,
  nowMs: number,
): (placement: CompiledPlacement) => ServingReason['reason'] | undefined {
  const always = { ...adSet, fromMs: -Infinity, untilMs: Infinity, dayParts: undefined };
  return (placement) => {
    const { policy } = placement;
    if (policy === undefined) return 'policy missing';
    const open = openQuestion(placement, Math.max(nowMs, adSet.fromMs));
    const question = policy.explicit === 'never' ? { ...open, rules: NEVER_EXPLICIT } : open;
    const found = fittingAds(always, question);
    if (typeof found !== 'string') return undefined;
    // The halts say it already.
    return found === 'no ad of the format' && adSet.ads.length === 0 ? undefined : found;
  };
}

const NEVER_EXPLICIT = { ...OPEN_RULES, mayBeExplicit: false };
