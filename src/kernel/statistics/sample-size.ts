import type { Counts, Pair } from './interval.ts';

/** A longer wait is reported as none. */
const UNITS_MAX = 1e12;
/** Seven halvings reach a hundredth, which is nothing beside chance. */
const HALVINGS = 7;

/**
 * Units until the evidence suffices, to a hundredth, on the expected path without chance: half of the time it takes a little
 * longer. Null when it never suffices. `logEvidenceAt` must not fall again after it has reached `logNeeded`. The search starts at
 * `guess`, roughly the units so far: twice as many usually suffice.
 */
export function unitsUntil(logEvidenceAt: (units: number) => number, logNeeded: number, guess = 1): number | null {
  if (logEvidenceAt(0) >= logNeeded) return 0;
  let enough = Math.max(1, guess);
  let few = 0;
  while (logEvidenceAt(enough) < logNeeded) {
    few = enough;
    enough *= 2;
    if (enough > UNITS_MAX) return null;
  }
  for (let step = 0; step < HALVINGS; step += 1) {
    const middle = (few + enough) / 2;
    if (logEvidenceAt(middle) >= logNeeded) enough = middle;
    else few = middle;
  }
  return Math.ceil(enough);
}

/** Counts of both tracks for this many units of the candidate, at these rates and this share of the candidate. */
export function expectedCounts(
  units: number,
  share: number,
  rates: { readonly candidate: number; readonly stable: number },
): Pair {
  const counts = (units: number, rate: number): Counts => ({ units, bad: units * rate });
  return {
    candidate: counts(units, rates.candidate),
    stable: counts((units * (1 - share)) / share, rates.stable),
  };
}
