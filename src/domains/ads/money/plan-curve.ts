import { isInWindow } from '#kernel/audiences/language/compile-time.ts';
import { zoneClock } from '#kernel/audiences/language/zone.ts';
import type { CompiledAdSet } from '../decisions/table.ts';
import { sharesOf, type TrafficCurve } from '../rules/pacing.ts';
import { marketsOf } from './markets-of.ts';
import type { Traffic } from './traffic.ts';

/** The traffic that the budget of an ad set is spread by: of its placements and markets. */
export interface PlanCurve {
  /** Within its day parts, by the clock of the account. */
  readonly planAt: (nowMs: number) => TrafficCurve;
  /** The same; at all times where this moment is in none of them: it is asked for by listeners whose clocks show another time. */
  readonly spreadAt: (nowMs: number) => TrafficCurve;
}

export function planCurve(adSet: CompiledAdSet, traffic: Traffic): PlanCurve {
  const { dayParts, money, placements, rule } = adSet;
  const markets = marketsOf(rule);
  const always = (): TrafficCurve => traffic.curveOf(placements, markets);
  if (dayParts === undefined) return { planAt: always, spreadAt: always };
  const clock = zoneClock(money.zone);
  let known: { readonly offsetMs: number; readonly shares: Float64Array } | undefined;
  const offsetAt = (nowMs: number): number => clock?.offsetMs(nowMs) ?? 0;
  const planAt = (nowMs: number): TrafficCurve => {
    const offsetMs = offsetAt(nowMs);
    if (known?.offsetMs !== offsetMs) known = { offsetMs, shares: sharesOf(dayParts, offsetMs) };
    return traffic.curveOf(placements, markets, known.shares);
  };
  const isIn = (nowMs: number): boolean => dayParts.some((part) => isInWindow(part, nowMs + offsetAt(nowMs)));
  return { planAt, spreadAt: (nowMs) => (isIn(nowMs) ? planAt(nowMs) : always()) };
}
