import type { AdSetSpec } from '../kinds/ad-set.ts';

/** The time in which an ad set may be served; infinite where it has no beginning or no end. */
export function flightOf({ from, until }: Pick<AdSetSpec, 'from' | 'until'>): {
  readonly fromMs: number;
  readonly untilMs: number;
} {
  return {
    fromMs: from === undefined ? -Infinity : Temporal.Instant.from(from).epochMilliseconds,
    untilMs: until === undefined ? Infinity : Temporal.Instant.from(until).epochMilliseconds,
  };
}
