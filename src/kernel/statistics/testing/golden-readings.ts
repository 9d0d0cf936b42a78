import { seedRandom } from '#kernel/base/chance.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { addCells, CELLS, clusteringOf, NO_CELLS, type CellCounts } from '../cells.ts';
import type { GuardrailSpec, JudgeContext } from '../guardrail.ts';
import type { Counts, Interval } from '../interval.ts';
import { judge } from '../judge.ts';
import { poisson } from './draws.ts';

/**
 * Readings that a judge of one version always judges alike: kept windows are judged again, by other processes and much
 * later. `golden-verdicts.txt` has their verdicts.
 */
interface VerdictSample {
  readonly name: string;
  readonly specs: readonly GuardrailSpec[];
  readonly intervals: readonly Interval[];
  /** How many of the intervals are judged. */
  readonly looks: readonly number[];
}

const ERRORS = { type: 'riskRatio', name: 'Errors', better: 'fewer' } as const;
const CONVERSIONS = { type: 'riskRatio', name: 'Conversions', better: 'more' } as const;
const BURN = { type: 'burnRate', name: 'Errors', objective: 0.999 } as const;
const RATE = { type: 'threshold', name: 'Errors', measure: 'rate', unitsMin: 100 } as const;
const MEAN = { type: 'threshold', name: 'Wait', measure: 'mean', unitsMin: 0 } as const;
const HEAP = { type: 'threshold', name: 'Heap', measure: 'value', unitsMin: 0 } as const;

const RATIOS: readonly GuardrailSpec[] = [
  ERRORS,
  CONVERSIONS,
  { ...ERRORS, margin: 1.2, harmlessRate: 0.004 },
  { ...CONVERSIONS, margin: 2, independentMs: 300_000 },
];
const LIMITS: readonly GuardrailSpec[] = [
  { ...BURN, objective: 0.99 },
  { ...BURN, objective: 0.9995 },
  { ...RATE, max: 0.012 },
  { ...RATE, min: 0.012, unitsMin: 5_000 },
];

/** Made-up traffic of one minute. */
interface Minute {
  readonly units: readonly [number, number];
  readonly rates: readonly [number, number];
  readonly more?: Partial<Interval>;
  /** Cells that the units of the candidate fall into; stable has all of them. None are known without it. */
  readonly cells?: number;
  /** Events of the first cell beside its part. */
  readonly loop?: number;
  /** So many events of a unit at once. */
  readonly burst?: number;
  /** The candidate's units of a cell are up to twice as many as those of another. */
  readonly isUneven?: boolean;
}

function playTraffic(seed: number, length: number, minuteAt: (index: number) => Minute): Interval[] {
  const chance = seedRandom(seed);
  let [release, scope, scopeBefore] = [NO_CELLS, NO_CELLS, 0];
  return Array.from({ length }, (_, index) => {
    const { units, rates, more, cells, loop = 0, burst = 1, isUneven = false } = minuteAt(index);
    const draw = (of: number, mean: number): number => poisson(of * mean, chance);
    const track = (side: 0 | 1, extra: number): Counts => ({
      units: units[side],
      bad: draw(units[side], rates[side]) + extra,
    });
    const tracks = { candidate: track(0, loop), stable: track(1, 0) };
    const interval: Interval = { fromMs: index * 60_000, toMs: (index + 1) * 60_000, ...tracks, ...more };
    if (cells === undefined) return interval;
    const window = {
      candidate: spread(tracks.candidate, { cells, loop, burst, isUneven }, chance),
      stable: spread(tracks.stable, { cells: CELLS, loop: 0, burst, isUneven: false }, chance),
    };
    release = addCells(release, window);
    const at = interval.scope ?? 0;
    scope = addCells(at === scopeBefore ? scope : NO_CELLS, window);
    scopeBefore = at;
    return { ...interval, clustering: { release: clusteringOf(release), scope: clusteringOf(scope) } };
  });
}

/** Puts each burst of events of a track into a cell by chance, and so many into the first. */
function spread(
  { units, bad }: Counts,
  { cells, loop, burst, isUneven }: Required<Pick<Minute, 'cells' | 'loop' | 'burst' | 'isUneven'>>,
  chance: () => number,
): CellCounts[] {
  const counts = Array.from({ length: cells }, (_, cell) => (cell === 0 ? loop : 0));
  for (let left = bad - loop; left > 0; left -= burst) {
    const cell = Math.floor(chance() * cells);
    counts[cell] = (counts[cell] ?? 0) + Math.min(left, burst);
  }
  const weightOf = (cell: number): number => (isUneven ? 1 + cell / cells : 1);
  const weights = counts.reduce((sum, _, cell) => sum + weightOf(cell), 0);
  return counts.map((bad, cell) => ({ cell, units: (units * weightOf(cell)) / weights, bad }));
}

const GROWING = [1, 2, 3, 4, 12, 20, 29, 45, 60];
const SOME = [3, 12, 31, 60];

function ratiosOver(name: string, seed: number, minuteAt: (index: number) => Minute, looks = SOME): VerdictSample {
  return { name, specs: RATIOS, intervals: playTraffic(seed, 60, minuteAt), looks };
}

function limitsOver(name: string, seed: number, minuteAt: (index: number) => Minute, looks = SOME): VerdictSample {
  return { name, specs: LIMITS, intervals: playTraffic(seed, 60, minuteAt), looks };
}

/** A rate that goes up and down by itself, for so many minutes each. */
const wave = (index: number, each: number): number => (Math.floor(index / each) % 2 === 0 ? 1.6 : 0.4);

const COUNTS: readonly VerdictSample[] = [
  ratiosOver('alike', 1, () => ({ units: [1_000, 9_000], rates: [0.01, 0.01] }), GROWING),
  ratiosOver('alike, with cells', 2, () => ({ units: [1_000, 9_000], rates: [0.01, 0.01], cells: 400 }), GROWING),
  ratiosOver('alike, by few units', 3, () => ({ units: [1_000, 9_000], rates: [0.01, 0.01], cells: 200 })),
  ratiosOver('twice as many', 4, () => ({ units: [1_000, 9_000], rates: [0.02, 0.01] }), GROWING),
  ratiosOver('twice as many, with cells', 5, () => ({ units: [1_000, 9_000], rates: [0.02, 0.01], cells: 400 })),
  ratiosOver('half as many', 6, () => ({ units: [1_000, 9_000], rates: [0.005, 0.01], cells: 500 }), GROWING),
  ratiosOver('one unit in a loop', 7, () => ({ units: [1_000, 9_000], rates: [0.01, 0.01], cells: 400, loop: 12 })),
  ratiosOver('of twenty units', 8, () => ({ units: [1_000, 9_000], rates: [0.02, 0.01], cells: 20 })),
  ratiosOver('rare', 9, () => ({ units: [200, 3_800], rates: [0.0008, 0.0004] })),
  ratiosOver('below what is harmless', 10, () => ({ units: [2_000, 8_000], rates: [0.003, 0.0005] })),
  ratiosOver('none on stable', 11, () => ({ units: [500, 9_500], rates: [0.004, 0] })),
  ratiosOver('none on the candidate', 12, () => ({ units: [500, 9_500], rates: [0, 0.004] })),
  ratiosOver('none at all', 13, () => ({ units: [500, 9_500], rates: [0, 0] })),
  ratiosOver('no stable', 14, () => ({ units: [500, 0], rates: [0.01, 0] })),
  ratiosOver('no stable, with cells', 15, () => ({ units: [500, 0], rates: [0.01, 0], cells: 400 })),
  ratiosOver('one pod', 16, () => ({
    units: [1_000, 9_000],
    rates: [0.02, 0.01],
    more: { sources: { one: { units: 250, bad: 13 }, two: { units: 750, bad: 7 } } },
  })),
  ratiosOver('late harm', 17, (index) => ({ units: [1_000, 9_000], rates: [index < 40 ? 0.01 : 0.04, 0.01] }), GROWING),
  ratiosOver('late harm, with cells', 18, (index) => ({
    units: [2_000, 8_000],
    rates: [index < 40 ? 0.008 : 0.03, 0.01],
    cells: 500,
  })),
  ratiosOver('harm that ended', 19, (index) => ({ units: [1_000, 9_000], rates: [index < 6 ? 0.1 : 0.01, 0.01] })),
  ratiosOver('a rate that waves together', 20, (index) => {
    const rate = 0.01 * wave(index, 5);
    return { units: [1_000, 9_000], rates: [rate, rate], cells: 400 };
  }),
  ratiosOver('a candidate that waves alone', 21, (index) => ({
    units: [1_000, 9_000],
    rates: [0.015 * wave(index, 3), 0.01],
  })),
  ratiosOver('a known history', 22, () => ({
    units: [1_000, 9_000],
    rates: [0.018, 0.01],
    more: { history: { psi: 1.5, rho: 0.4, windows: 600 } },
  })),
  ratiosOver('a split that is off', 23, () => ({ units: [1_000, 9_000], rates: [0.01, 0.01], more: { share: 0.115 } })),
  ratiosOver('a split that is off, with cells', 24, () => ({
    units: [1_000, 9_000],
    rates: [0.01, 0.01],
    cells: 300,
    more: { share: 0.12 },
  })),
  ratiosOver('another audience', 25, (index) => ({
    units: [1_000, 9_000],
    rates: [0.01, 0.01],
    cells: 450,
    more: { scope: index < 25 ? 0 : 1 },
  })),
  ratiosOver('a share that grows', 26, (index) => ({
    units: [100 + 40 * index, 9_000 - 40 * index],
    rates: [0.013, 0.01],
    cells: 400,
  })),
  ratiosOver('traffic that stops', 27, (index) => ({ units: [index < 30 ? 1_000 : 0, 9_000], rates: [0.01, 0.01] })),
  ratiosOver('a load test', 28, (index) => ({
    units: [index === 11 ? 90_000 : 1_000, 9_000],
    rates: [0.01, 0.01],
    cells: 400,
  })),
  ratiosOver('bursts', 29, () => ({ units: [1_000, 9_000], rates: [0.02, 0.01], cells: 400, burst: 5 })),
  ratiosOver('uneven cells and a split that is off', 30, () => ({
    units: [1_000, 9_000],
    rates: [0.01, 0.01],
    cells: 400,
    isUneven: true,
    more: { share: 0.13 },
  })),
  limitsOver('well within', 31, () => ({ units: [1_000, 9_000], rates: [0.004, 0.004] }), GROWING),
  limitsOver('well within, with cells', 32, () => ({ units: [1_000, 9_000], rates: [0.004, 0.004], cells: 400 })),
  limitsOver('beyond', 33, () => ({ units: [1_000, 9_000], rates: [0.03, 0.004] }), GROWING),
  limitsOver('beyond, with cells', 34, () => ({ units: [1_000, 9_000], rates: [0.03, 0.004], cells: 400 }), GROWING),
  limitsOver('beyond by a unit', 35, () => ({ units: [1_000, 9_000], rates: [0.004, 0.004], cells: 400, loop: 20 })),
  limitsOver('of forty units', 36, () => ({ units: [1_000, 9_000], rates: [0.005, 0.004], cells: 40 })),
  limitsOver('all burn', 37, () => ({ units: [1_000, 9_000], rates: [0.03, 0.03], cells: 400 })),
  limitsOver('little traffic', 38, () => ({ units: [15, 100], rates: [0.004, 0.004] })),
  limitsOver('waves', 39, (index) => ({ units: [1_000, 9_000], rates: [0.012 * wave(index, 4), 0.004], cells: 400 })),
  limitsOver('late', 40, (index) => ({ units: [1_000, 9_000], rates: [index < 40 ? 0.002 : 0.05, 0.002], cells: 400 })),
  limitsOver('short', 41, (index) => ({ units: [1_000, 9_000], rates: [index < 45 ? 0.05 : 0.002, 0.002] })),
  limitsOver('another audience', 42, (index) => ({
    units: [1_000, 9_000],
    rates: [0.006, 0.004],
    cells: 400,
    more: { scope: index < 30 ? 0 : 1 },
  })),
  limitsOver('a known history', 43, () => ({
    units: [1_000, 9_000],
    rates: [0.018, 0.004],
    more: { history: { psi: 2, rho: 0.5, windows: 600 } },
  })),
  limitsOver('beyond in bursts', 45, () => ({ units: [1_000, 9_000], rates: [0.03, 0.004], cells: 400, burst: 15 })),
  {
    name: 'little traffic for long',
    specs: LIMITS.slice(0, 2),
    intervals: playTraffic(46, 400, () => ({ units: [9, 100], rates: [0.0004, 0.0004] })),
    looks: [60, 100, 361, 400],
  },
  limitsOver('nothing', 44, () => ({ units: [0, 9_000], rates: [0, 0.004] })),
];

/** Measurements on units: the mean, and the deviation of a unit. */
function means(seed: number, mean: number, off: number, cells: number | undefined): Interval[] {
  const chance = seedRandom(seed);
  let [release, scope] = [NO_CELLS, NO_CELLS];
  return Array.from({ length: 40 }, (_, index) => {
    const interval = {
      fromMs: index * 60_000,
      toMs: (index + 1) * 60_000,
      candidate: { units: 4_000, bad: 0, total: 4_000 * mean },
      stable: { units: 0, bad: 0 },
      scope: index < 24 ? 0 : 1,
    };
    if (cells === undefined) return interval;
    const candidate = Array.from({ length: cells }, (_, cell) => {
      const units = 4_000 / cells;
      return { cell, units, bad: units * (mean + off * (chance() - 0.5)) };
    });
    release = addCells(release, { candidate, stable: [] });
    scope = addCells(index === 24 ? NO_CELLS : scope, { candidate, stable: [] });
    return { ...interval, clustering: { release: clusteringOf(release), scope: clusteringOf(scope) } };
  });
}

/** A gauge that is beyond its limit in a part of its windows. */
function gauges(seed: number, partAt: (index: number) => number): Interval[] {
  const chance = seedRandom(seed);
  return Array.from({ length: 120 }, (_, index) => ({
    fromMs: index * 60_000,
    toMs: (index + 1) * 60_000,
    candidate: { units: 0, bad: 0, value: chance() < partAt(index) ? 0.95 : 0.5 },
    stable: { units: 0, bad: 0 },
    scope: index < 60 ? 0 : 1,
  }));
}

const MEASURES: readonly VerdictSample[] = [
  ...([200, 290, 310, 400] as const).flatMap((mean, index) =>
    ([40, 200, 450, undefined] as const).map((cells): VerdictSample => ({
      name: `a mean of ${mean} over ${cells ?? 'unknown'} cells`,
      specs: [
        { ...MEAN, max: 300 },
        { ...MEAN, min: 300, unitsMin: 9_000 },
      ],
      intervals: means(60 + index, mean, 900, cells),
      looks: [1, 2, 3, 10, 24, 26, 40],
    })),
  ),
  {
    name: 'a mean of nothing',
    specs: [{ ...MEAN, max: 300 }],
    intervals: playTraffic(50, 5, () => ({ units: [0, 0], rates: [0, 0] })),
    looks: [1, 5],
  },
  ...([0, 0.1, 0.5, 0.9, 1] as const).map((part): VerdictSample => ({
    name: `a gauge beyond its limit in ${part * 100} % of the windows`,
    specs: [
      { ...HEAP, max: 0.9 },
      { ...HEAP, min: 0.9 },
    ],
    intervals: gauges(70 + part * 10, () => part),
    looks: [1, 5, 12, 60, 64, 120],
  })),
  {
    name: 'a gauge that is beyond its limit of late',
    specs: [{ ...HEAP, max: 0.9 }],
    intervals: gauges(90, (index) => (index < 70 ? 0.1 : 0.95)),
    looks: [60, 80, 100, 120],
  },
];

const CONTEXT: Omit<JudgeContext, 'nowMs'> = { alpha: 0.05, beta: 0.1, metrics: 2 };

/** The verdicts of all kept readings, a line each: the sentence and a digest of the figures. */
export function goldenVerdicts(): readonly string[] {
  return [...COUNTS, ...MEASURES].flatMap(({ name, specs, intervals, looks }) =>
    specs.flatMap((spec, index) =>
      looks.map((look) => {
        const shown = intervals.slice(0, look);
        const context = { ...CONTEXT, nowMs: look * 60_000 };
        const { outcome, because, ...rest } = judge(spec, { at: 'intervals', intervals: shown }, context);
        const figures = contentHash(roundFigures(rest)).slice(0, 10);
        return `${name} (${index + 1}, ${look}): ${outcome}, ${figures}: ${because}`;
      }),
    ),
  );
}

/** Numbers to so many digits as any machine has them alike. */
function roundFigures(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? Number(value.toPrecision(8)) : String(value);
  if (Array.isArray(value)) return value.map(roundFigures);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, roundFigures(inner)]));
}
