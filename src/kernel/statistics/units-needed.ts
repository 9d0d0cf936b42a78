import type { Counts, Pair } from './interval.ts';

/** Beyond this many units nobody waits. */
const UNITS_MAX = 1e12;
/** A hundredth of it is nothing beside chance. */
const HALVINGS = 7;

/**
 * How many units it takes, to a hundredth, until the evidence is as asked, on the way that is expected, chance left out: half
 * of the time it takes a little longer. Null when it never comes. `logEvidenceAt` must not fall again once it has risen that
 * far. It is looked for from `guess` on, which is about how many there are already: as many again are seldom enough.
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

/** What so many units of the candidate bring on both tracks, at these rates and this share of the candidate. */
export function expected(
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
