/** From the widest to the narrowest. */
export const CAP_SCOPES = ['household', 'listener', 'device', 'session'] as const;
export type CapScope = (typeof CAP_SCOPES)[number];

export const CAP_LIMITS = {
  /** Caps of one object. */
  capsMax: 6,
  /** Each exposure in a window is kept. */
  countMax: 100,
  /** Exposures are kept for as long as the longest window. */
  windowDaysMax: 30,
} as const;

const MINUTE_MS = 60_000;
const UNIT_MS = { M: MINUTE_MS, H: 60 * MINUTE_MS, D: 24 * 60 * MINUTE_MS } as const;
const PERIOD = /^P(?:([1-9]\d?)(D)|T([1-9]\d{0,4})([HM]))$/;

/** Milliseconds of a rolling window: minutes, hours or days of 24 hours. Undefined: no such text, or it is too long. */
export function windowMsOf(per: string): number | undefined {
  const [, days, day, times, time] = PERIOD.exec(per) ?? [];
  const unit = (day ?? time) as keyof typeof UNIT_MS | undefined;
  if (unit === undefined) return undefined;
  const ms = Number(days ?? times) * UNIT_MS[unit];
  return ms <= CAP_LIMITS.windowDaysMax * UNIT_MS.D ? ms : undefined;
}

/** At most `count` exposures in any window of this length. */
export interface FrequencyCap {
  readonly count: number;
  readonly windowMs: number;
  readonly scope: CapScope;
}

/** The caps of an ad set, campaign or advertiser. */
export interface OwnerCaps {
  /** Number of the owner in histories, see `ownerNumber`. */
  readonly owner: number;
  readonly caps: readonly FrequencyCap[];
}

/** An ad that played, at `ms`; or one that was served and may play until `ms`. */
export interface Exposure {
  readonly hasPlayed: boolean;
  readonly ms: number;
}

/**
 * The moment from which one more exposure keeps to all caps, if none happens before; -Infinity where it always does.
 * An ad that played counts until its window has passed, one that was only served until it can play no more. With the ends
 * of these times in descending order, a cap of n holds until the n-th of them.
 */
export function cappedUntilMs(
  caps: readonly Pick<FrequencyCap, 'count' | 'windowMs'>[],
  exposures: readonly Exposure[],
): number {
  let until = -Infinity;
  for (const { count, windowMs } of caps) {
    if (exposures.length < count) continue;
    const ends = exposures.map(({ hasPlayed, ms }) => (hasPlayed ? ms + windowMs : ms)).sort((a, b) => b - a);
    until = Math.max(until, ends[count - 1] as number);
  }
  return until;
}

/** The scope that a cap is counted in: its own, or else the next narrower one that is known. Undefined: none is known. */
export function countedScope(scope: CapScope, isKnown: (scope: CapScope) => boolean): CapScope | undefined {
  return CAP_SCOPES.slice(CAP_SCOPES.indexOf(scope)).find(isKnown);
}
