import { isInWindow } from '#kernel/audiences/language/compile-time.ts';
import { zoneClock } from '#kernel/audiences/language/zone.ts';
import { categoryObstacle, type ListenerRules } from '../rules/listener-rules.ts';
import { ecpmOf, type Goal } from '../rules/goals.ts';
import { times, type Ratio } from '../rules/ratio.ts';
import type { AdSetRows, DayParts } from './ad-set-rows.ts';
import { mayStandAt } from './places.ts';
import type { CompiledPlacement } from './table.ts';

/** The part of a question that most ad sets do not fit by. */
interface FitQuestion {
  readonly placement: CompiledPlacement;
  readonly nowMs: number;
  readonly wallMs: number | undefined;
  readonly seconds: number;
  readonly filtersExplicit: boolean;
  readonly rules: ListenerRules;
}

/** Gives the worth of a unit that is bid in a currency for a goal, in the currency of a placement; undefined without a rate. */
export type WorthOf = (currency: string, goal: Goal) => Ratio | undefined;

/** Computes each worth once. */
export function worthsAt({ placement, nowMs }: Pick<FitQuestion, 'placement' | 'nowMs'>): WorthOf {
  const rates = placement.rates.at(nowMs);
  const known = new Map<string, Readonly<Record<Goal, Ratio>> | undefined>();
  return (currency, goal) => {
    if (known.has(currency)) return known.get(currency)?.[goal];
    const rate = rates.get(currency);
    const { worths } = placement;
    const own = rate && { cpm: times(rate, worths.cpm), cpc: times(rate, worths.cpc), cpcv: times(rate, worths.cpcv) };
    known.set(currency, own);
    return own?.[goal];
  };
}

/**
 * The revenue of a thousand impressions of an ad set, see `Candidate`; undefined for most ad sets that `fittingAds` would find an
 * obstacle for, at a fraction of what compiling them costs.
 */
export function ecpmIfFit(rows: AdSetRows, at: number, question: FitQuestion, worthOf: WorthOf): number | undefined {
  const { placement, nowMs, rules } = question;
  if (nowMs < rows.fromMsAt(at) || nowMs >= rows.untilMsAt(at)) return undefined;
  if (!mayStandAt({ namespace: rows.objectAt(at).namespace, placements: rows.placementsAt(at) }, placement))
    return undefined;
  if (!rows.hasFormat(at, placement.spec.format)) return undefined;
  const seconds = rows.secondsAt(at);
  if (seconds > question.seconds) return undefined;
  if (!rows.hasOwnFile(at) && !rules.permission.measurement) return undefined;
  if (!rows.hasNotExplicit(at) && (question.filtersExplicit || !rules.mayBeExplicit)) return undefined;
  const categories = rows.categoriesAt(at);
  const blocked = placement.spec.blockedCategories;
  if (blocked !== undefined && categories.some((name) => blocked.includes(name))) return undefined;
  if (categoryObstacle(categories, rules) !== undefined) return undefined;
  const dayParts = rows.dayPartsAt(at);
  if (dayParts !== undefined && !isInDayParts(dayParts, question)) return undefined;
  const goal = rows.goalAt(at);
  const worth = worthOf(rows.currencyAt(at), goal);
  if (worth === undefined) return undefined;
  const { flat, perSecond } = placement.floorLeast;
  const ecpm = ecpmOf({ goal, bid: rows.bidAt(at) }, worth);
  return ecpm >= Math.max(1, flat + perSecond * seconds) ? ecpm : undefined;
}

/** Whether a part of the week has this moment, by the clock of the listener or, where that is unknown, of the account. */
export function isInDayParts(
  { windows, zone }: DayParts,
  { wallMs, nowMs }: Pick<FitQuestion, 'nowMs' | 'wallMs'>,
): boolean {
  const localMs = wallMs ?? nowMs + (zoneClock(zone)?.offsetMs(nowMs) ?? 0);
  return windows.some((window) => isInWindow(window, localMs));
}
