import { CORRELATION_MAX, lagCorrelation } from './lag-correlation.ts';

/** Alternatives: probabilities of a window beyond the limit. */
const CHANCES = [0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

export const GAUGE_POINTS = CHANCES.length;

/** ln likelihood of one window, beyond the limit or not, against a gauge that is beyond it half of the time (a sign test). */
export function gaugeTerms(isBeyond: boolean): readonly number[] {
  return CHANCES.map((chance) => Math.log(2 * (isBeyond ? chance : 1 - chance)));
}

/**
 * Windows per independent window, (1+ρ)/(1−ρ), from the correlation ρ of neighbours. A gauge that is always on the same side shows
 * no correlation.
 */
export function gaugeDispersion(signs: readonly number[]): number {
  const mean = signs.reduce((sum, sign) => sum + sign, 0) / signs.length;
  const rho = Math.min(CORRELATION_MAX, Math.max(0, lagCorrelation(signs.map((sign) => sign - mean))));
  return (1 + rho) / (1 - rho);
}
