import type { RiskRatioSpec, ThresholdSpec } from '#kernel/statistics/guardrail.ts';
import type { World } from './judge-world.ts';

/** A promise, and the world in which it is tried. */
export interface Row {
  readonly group: string;
  readonly name: string;
  readonly spec: RiskRatioSpec | ThresholdSpec;
  readonly world: World;
  /** The figure of the row: the share of runs that failed or were called safe, or the units or looks until a failure. */
  readonly counts: 'failed' | 'passed' | 'units' | 'looks';
  /** In per cent, units, or looks. A promise of at most α is measured with two standard errors. */
  readonly goal: { readonly max: number } | { readonly min: number };
  /** How many of the runs must be called safe, too, in per cent. */
  readonly safe?: number;
  /** A part of the runs, where one takes long and nothing is decided by chance. */
  readonly part?: number;
}

const MARGIN = 1.5;
const ERRORS: RiskRatioSpec = { type: 'riskRatio', name: 'Errors', better: 'fewer', margin: MARGIN };
const BLOCKED: RiskRatioSpec = { ...ERRORS, independentMs: 30 * 60_000 };
const LIMIT: ThresholdSpec = { type: 'threshold', name: 'Errors', measure: 'rate', max: 0.02, unitsMin: 100 };
/** 200 requests a second. */
const UNITS_A_MINUTE = 12_000;
/** So many households that their differences average out. */
const MANY = { count: 1_000_000, variation: 0 } as const;
const ALPHA_PERCENT = 5;

const always = (value: number) => () => value;
const base = { minutes: 1, unitsAMinute: UNITS_A_MINUTE, ratio: always(1) } as const;
/** A source that knows units, and one that does not. */
const SOURCES = [
  ['units', { households: MANY }],
  ['windows', {}],
] as const;

/** A source of units needs few rows: with households of one kind only the source differs from the other rows. */
const alike: readonly Row[] = SOURCES.flatMap(([source, more]) =>
  (source === 'units' ? [0.001, 0.3] : [0.0001, 0.001, 0.01, 0.3]).flatMap((rate) =>
    (source === 'units' ? [0.05, 0.5] : [0.01, 0.05, 0.5]).map((share): Row => ({
      group: 'rolled back, as stable',
      name: `${source}, ${rate * 100} % bad, ${share * 100} % share, 720 looks`,
      spec: ERRORS,
      world: { ...base, ...more, looks: 720, share: always(share), rate: always(rate) },
      counts: 'failed',
      goal: { max: ALPHA_PERCENT },
    })),
  ),
);

/** Households, the candidate's of them, and how many answers each has in a minute. */
const HOUSEHOLDS = [
  [900, 0.1, 1],
  [10_000, 0.01, 0.1],
  [10_000, 0.1, 0.1],
  [100_000, 0.01, 0.02],
  [1_000_000, 0.01, 0.005],
] as const;

const ofHouseholds = (ratio: number, counts: Row['counts'], group: string): readonly Row[] =>
  HOUSEHOLDS.flatMap(([count, share, each]) =>
    [1, 3, 5].map((variation): Row => ({
      group,
      name: `${count * share} of ${count} households, rates vary by ${variation}, 24 h`,
      spec: ERRORS,
      world: {
        looks: 288,
        minutes: 5,
        unitsAMinute: count * each,
        share: always(share),
        rate: always(0.1),
        ratio: always(ratio),
        households: { count, variation },
      },
      counts,
      goal: { max: ALPHA_PERCENT },
      ...(ratio === 1 && count * share >= 1_000 && variation === 1 ? { safe: 90 } : {}),
    })),
  );

const noisy: readonly Row[] = SOURCES.flatMap(([source, more]): Row[] => {
  // Cells take long to simulate.
  const looks = source === 'units' ? 240 : 480;
  const world = { ...base, ...more, looks, share: always(0.05), rate: always(0.01) };
  const row = (name: string, changes: Partial<World>): Row => ({
    group: 'rolled back, as stable, clumped',
    name: `${source}, ${name}`,
    spec: ERRORS,
    world: { ...world, ...changes },
    counts: 'failed',
    goal: { max: ALPHA_PERCENT },
  });
  return [
    ...[2, 4, 10].map((burst) => row(`bursts of its own, var/mean ${burst}`, { burst })),
    ...[1, 2, 4, 7].map((retries) => row(`${retries} retries`, { retries })),
    row('split from 1 to 50 % while the rate swings 0.2 to 1 %', {
      share: (look) => 0.01 + (0.49 * look) / looks,
      rate: (look) => 0.006 + 0.004 * Math.sin(look / 20),
      ...(source === 'units' ? { households: undefined } : {}),
    }),
  ];
});

const AR = { correlation: 0.8, deviation: 0.5 } as const;

const restless: readonly Row[] = [
  ...SOURCES.map(([source, more]): Row => ({
    group: 'rolled back, as stable, minutes that hang together',
    name: `${source}, AR(0.8), nothing known`,
    spec: ERRORS,
    world: { ...base, ...more, looks: 480, share: always(0.05), rate: always(0.01), noise: AR },
    counts: 'failed',
    goal: { max: 15 },
  })),
  {
    group: 'rolled back, as stable, minutes that hang together',
    name: 'windows, AR(0.8), independentEvery 30 min',
    spec: BLOCKED,
    world: { ...base, looks: 480, share: always(0.05), rate: always(0.01), noise: AR },
    counts: 'failed',
    goal: { max: ALPHA_PERCENT },
  },
  {
    group: 'rolled back, as stable, minutes that hang together',
    name: 'windows, AR(0.8), learned the day before',
    spec: ERRORS,
    world: { ...base, looks: 480, share: always(0.05), rate: always(0.01), noise: AR, hasHistory: true },
    counts: 'failed',
    goal: { max: ALPHA_PERCENT },
  },
];

const limited: readonly Row[] = [120, 1_000].map((units): Row => ({
  group: 'rolled back by a limit',
  name: `1 % where 2 % is the limit, ${units} units a window, 120 looks`,
  spec: LIMIT,
  world: { ...base, unitsAMinute: units / 0.5, looks: 120, share: always(0.5), rate: always(0.01) },
  counts: 'failed',
  goal: { max: ALPHA_PERCENT },
}));

/** Minutes at each share of the candidate: the plan of an hour. */
const PLAN = [
  [0.01, 5],
  [0.05, 10],
  [0.25, 15],
  [0.5, 30],
].flatMap(([share = 0, minutes = 0]) => Array.from({ length: minutes }, () => share));

const found: readonly Row[] = [
  ...SOURCES.map(([source, more]): Row => ({
    group: 'found',
    name: `${source}, 2 × 0.1 % at 5 %, looks each 30 s: median units`,
    spec: ERRORS,
    world: { ...base, ...more, minutes: 0.5, looks: 400, share: always(0.05), rate: always(0.001), ratio: always(2) },
    counts: 'units',
    goal: { max: source === 'units' ? 15_000 : 20_000 },
  })),
  {
    group: 'found',
    name: '1.5 × 0.1 % within the plan of an hour',
    spec: ERRORS,
    world: { ...base, looks: 60, share: (look) => PLAN[look] ?? 0.5, rate: always(0.001), ratio: always(1.5) },
    counts: 'failed',
    goal: { min: 90 },
  },
  ...[0.5, 1].flatMap((rate) =>
    SOURCES.map(([source, more]): Row => ({
      group: 'found',
      name: `${source}, ${rate * 100} % bad from the first request, 5 % share: looks of 30 s`,
      spec: ERRORS,
      world: {
        ...base,
        ...more,
        minutes: 0.5,
        unitsAMinute: 1_200,
        looks: 40,
        share: always(0.05),
        rate: always(0.001),
        ratio: always(rate / 0.001),
      },
      counts: 'looks',
      goal: { max: 3 },
    })),
  ),
  ...SOURCES.map(([source, more]): Row => ({
    group: 'found',
    name: `${source}, 2 × 0.1 % after 12 h at 50 %: minutes`,
    spec: ERRORS,
    world: {
      ...base,
      ...more,
      looks: 900,
      share: always(0.5),
      rate: always(0.001),
      ratio: (look) => (look < 720 ? 1 : 2),
    },
    counts: 'looks',
    goal: { max: 720 + 30 },
    part: 0.1,
  })),
];

export const ROWS: readonly Row[] = [
  ...alike,
  ...ofHouseholds(1, 'failed', 'rolled back, as stable, households'),
  ...noisy,
  ...restless,
  ...limited,
  ...found,
  // A release with fewer than 300 units is never called safe.
  ...ofHouseholds(MARGIN, 'passed', 'called safe, 1.5 times as bad').filter(({ name }) => !/^(90|100) of/.test(name)),
];
