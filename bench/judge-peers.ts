import type { Counts, Interval } from '#kernel/statistics/interval.ts';

/** The quantile of one side at 5 %, for the test that is made for one look. */
const Z_ALPHA = 1.645;
const ALPHA = 0.05;
/** Kayenta's rule: 98 % confidence, and a quarter of the baseline's level is tolerated. */
const KAYENTA = { z: 2.326, tolerance: 0.25, minutes: 60 } as const;

/** Other judges over the same windows: whether each would ever have raised an alarm. */
export interface Peers {
  readonly look: (interval: Interval) => void;
  readonly alarms: () => { readonly z: boolean; readonly msprt: boolean; readonly kayenta: boolean };
}

/**
 * A z-test of two proportions, pooled, made anew at each look; the mixture sequential probability ratio test (Johari and
 * others 2022) with a prior of the size of the base rate; and Kayenta's rule, at each whole hour of the hour's windows.
 */
export function peersOf(baseRate: number): Peers {
  let [candidate, stable]: [Counts, Counts] = [
    { units: 0, bad: 0 },
    { units: 0, bad: 0 },
  ];
  let [z, msprt, kayenta] = [false, false, false];
  let hour: (readonly [number, number])[] = [];
  return {
    look: (interval) => {
      candidate = add(candidate, interval.candidate);
      stable = add(stable, interval.stable);
      const pooled = (candidate.bad + stable.bad) / (candidate.units + stable.units);
      const variance = pooled * (1 - pooled) * (1 / candidate.units + 1 / stable.units);
      const off = candidate.bad / candidate.units - stable.bad / stable.units;
      if (variance > 0) {
        z ||= off / Math.sqrt(variance) > Z_ALPHA;
        const spread = baseRate ** 2;
        const log =
          0.5 * Math.log(variance / (variance + spread)) + (spread * off ** 2) / (2 * variance * (variance + spread));
        // The test is two-sided, and only one side is harm.
        msprt ||= off > 0 && log >= Math.log(1 / (2 * ALPHA));
      }
      hour.push([interval.candidate.bad / interval.candidate.units, interval.stable.bad / interval.stable.units]);
      if (interval.toMs % (KAYENTA.minutes * 60_000) !== 0) return;
      kayenta ||= isHigh(
        hour.map(([one]) => one),
        hour.map(([, other]) => other),
      );
      hour = [];
    },
    alarms: () => ({ z, msprt, kayenta }),
  };
}

function add(a: Counts, b: Counts): Counts {
  return { units: a.units + b.units, bad: a.bad + b.bad };
}

/**
 * Whether the candidate's windows lie higher than the tolerance: the lower end of the confidence interval of the shift
 * (Hodges and Lehmann; normal approximation of Mann and Whitney) beyond a quarter of the mean of stable's.
 */
function isHigh(candidate: readonly number[], stable: readonly number[]): boolean {
  const shifts = candidate.flatMap((one) => stable.map((other) => one - other)).sort((a, b) => a - b);
  const [n, m] = [candidate.length, stable.length];
  const rank = Math.floor((n * m) / 2 - KAYENTA.z * Math.sqrt((n * m * (n + m + 1)) / 12));
  const lower = shifts[Math.max(0, rank)] ?? 0;
  const mean = stable.reduce((sum, one) => sum + one, 0) / m;
  return lower > KAYENTA.tolerance * mean;
}
