import { fold, type Folded } from '#kernel/statistics/fold.ts';
import type { RiskRatioSpec } from '#kernel/statistics/guardrail.ts';
import type { Interval } from '#kernel/statistics/interval.ts';
import { judge } from '#kernel/statistics/judge.ts';
import { logHarm } from '#kernel/statistics/risk-ratio-evidence.ts';
import { seeded } from '#kernel/base/chance.ts';
import { minute } from '#kernel/statistics/testing/draws.ts';
import type { Verdict } from '#kernel/statistics/verdict.ts';
import { absolute, median, type Figure } from './figure.ts';

const ERRORS: RiskRatioSpec = { type: 'riskRatio', name: 'Errors', better: 'fewer', margin: 1.5 };
const ALPHA = 0.05;
const BETA = 0.05;
const BASE_RATE = 0.001;
/** 200 requests a second. */
const UNITS_A_MINUTE = 12_000;
/** Minutes at each share of the candidate. */
const PLAN: readonly (readonly [number, number])[] = [
  [0.01, 5],
  [0.05, 10],
  [0.25, 15],
  [0.5, 30],
];
const PLANNED = PLAN.flatMap(([share, minutes]) => Array.from({ length: minutes }, () => share));
/** One minute in ten has ten times the errors, on both tracks. */
const BURST = { chance: 0.1, factor: 10 };
/** The quantile of one side at α, for the test that is made for one look. */
const Z_ALPHA = 1.645;
const SEED = 20_260_501;

interface Scenario {
  readonly ratio: number;
  readonly shares: readonly number[];
  readonly hasBursts?: boolean;
}

interface Rollout {
  readonly failed: boolean;
  readonly passed: boolean;
  /** Units of the candidate up to the end, or to the failure. */
  readonly candidateUnits: number;
  /** Whether a z-test, made anew at each look, would have raised an alarm. */
  readonly zAlarm: boolean;
}

/**
 * How often the judge is wrong, and how soon it is right, while the candidate's weight grows and somebody looks each minute;
 * beside a z-test made anew at each look. Chance is seeded: the same numbers on every machine, but for the speed.
 */
export async function* run(): AsyncIterable<Figure> {
  const chance = seeded(SEED);
  const percentOf = (rollouts: readonly Rollout[], is: (rollout: Rollout) => boolean) => {
    const part = rollouts.filter(is).length / rollouts.length;
    const error = Math.sqrt((part * (1 - part)) / rollouts.length);
    return { percent: part * 100, of: `${rollouts.length} runs, ± ${(error * 100).toFixed(1)} %` };
  };
  const scenarios: readonly (readonly [string, Scenario, number, { min: number } | { max: number }])[] = [
    ['rolled back, as stable', { ratio: 1, shares: PLANNED }, 1_000, { max: ALPHA * 100 }],
    ['rolled back, as stable, bursts', { ratio: 1, shares: PLANNED, hasBursts: true }, 1_000, { max: ALPHA * 100 }],
    ['rolled back, 1.5 times the errors', { ratio: 1.5, shares: PLANNED }, 300, { min: 90 }],
    ['rolled back, 2 times the errors', { ratio: 2, shares: PLANNED }, 300, { min: 99 }],
    ['rolled back, 5 times the errors', { ratio: 5, shares: PLANNED }, 300, { min: 99 }],
  ];
  for (const [name, scenario, runs, goal] of scenarios) {
    const rollouts = Array.from({ length: runs }, () => rollOut(scenario, chance));
    const { percent, of } = percentOf(rollouts, ({ failed }) => failed);
    yield absolute(`judge/${name} (${of})`, '%', percent, goal, percentOf(rollouts, ({ zAlarm }) => zAlarm).percent);
  }

  const atMargin = Array.from({ length: 300 }, () => rollOut({ ratio: 1.5, shares: PLANNED }, chance));
  const wrong = percentOf(atMargin, ({ passed }) => passed);
  yield absolute(`judge/passed, 1.5 times the errors (${wrong.of})`, '%', wrong.percent, { max: BETA * 100 });
  const alike = Array.from({ length: 300 }, () => rollOut({ ratio: 1, shares: Array(120).fill(0.5) }, chance));
  const right = percentOf(alike, ({ passed }) => passed);
  yield absolute(`judge/passed, as stable, 2 h at 50 % (${right.of})`, '%', right.percent, { min: 90 });

  const doubled: Scenario = { ratio: 2, shares: Array(300).fill(0.05) };
  const detected = Array.from({ length: 400 }, () => rollOut(doubled, chance)).filter(({ failed }) => failed);
  const units = detected.map(({ candidateUnits }) => candidateUnits).sort((a, b) => a - b);
  yield absolute('judge/2 times the errors at 5 %, median', 'units', median(units), { max: 15_000 });
  yield absolute('judge/2 times the errors at 5 %, 9 of 10', 'units', units[Math.floor(units.length * 0.9)] ?? NaN, {
    max: 30_000,
  });

  const late = Array.from({ length: 40 }, () => minutesToFind(chance));
  yield absolute(
    'judge/2 times the errors after 12 h at 50 %, median',
    'minutes',
    median(late.map(({ judged }) => judged)),
    { max: 30 },
    median(late.map(({ whole }) => whole)),
  );

  yield absolute('judge/looks', 'looks/s', looksPerSecond(chance), { min: 5_000 });
  yield absolute('judge/judged anew', 'intervals/s', intervalsPerSecond(chance), { min: 50_000 });
}

function rollOut({ ratio, shares, hasBursts = false }: Scenario, chance: () => number): Rollout {
  let folded: Folded | undefined;
  let [passed, zAlarm] = [false, false];
  let verdict: Verdict | undefined;
  let candidateUnits = 0;
  for (const [index, share] of shares.entries()) {
    const rate = hasBursts && chance() < BURST.chance ? BASE_RATE * BURST.factor : BASE_RATE;
    const interval = minute(index, { units: UNITS_A_MINUTE, share, rate, ratio }, chance);
    folded = fold(ERRORS, folded, [interval]);
    zAlarm ||= zOf(folded) > Z_ALPHA;
    // Failure is final; after it only the z-test goes on.
    if (verdict?.outcome === 'fail') continue;
    candidateUnits += interval.candidate.units;
    verdict = look(folded, interval.toMs);
    passed ||= verdict.outcome === 'pass';
  }
  return { failed: verdict?.outcome === 'fail', passed, candidateUnits, zAlarm };
}

/** After half a day without harm: for the judge, and for the evidence of the rollout as a whole. */
function minutesToFind(chance: () => number): { readonly judged: number; readonly whole: number } {
  const traffic = { units: UNITS_A_MINUTE, share: 0.5, rate: BASE_RATE };
  const good = Array.from({ length: 720 }, (_, index) => minute(index, { ...traffic, ratio: 1 }, chance));
  let folded = fold(ERRORS, undefined, good);
  let [judged, whole] = [0, 0];
  for (let more = 1; judged === 0 || whole === 0; more += 1) {
    const interval = minute(good.length + more - 1, { ...traffic, ratio: 2 }, chance);
    folded = fold(ERRORS, folded, [interval]);
    if (judged === 0 && look(folded, interval.toMs).outcome === 'fail') judged = more;
    const { tally } = folded;
    if (whole === 0 && tally.of === 'riskRatio' && logHarm(tally.evidence, 1) >= Math.log(1 / ALPHA)) whole = more;
  }
  return { judged, whole };
}

function look(folded: Folded, nowMs: number): Verdict {
  const context = { nowMs, alpha: ALPHA, beta: BETA, metrics: 1 };
  return judge(ERRORS, { at: 'intervals', intervals: [], folded }, context);
}

/** Of two proportions, pooled: what is usually made of all counts so far. */
function zOf({ tally }: Folded): number {
  if (tally.of !== 'riskRatio') return 0;
  const { candidate, stable } = tally.evidence;
  const pooled = (candidate.bad + stable.bad) / (candidate.units + stable.units);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / candidate.units + 1 / stable.units));
  return error === 0 ? 0 : (candidate.bad / candidate.units - stable.bad / stable.units) / error;
}

/** Each minute folded and judged: what a release engine does, undecided to the end. */
function looksPerSecond(chance: () => number): number {
  const intervals = manyMinutes(2_000, chance);
  const started = performance.now();
  let folded: Folded | undefined;
  for (const interval of intervals) {
    folded = fold(ERRORS, folded, [interval]);
    look(folded, interval.toMs);
  }
  return (intervals.length * 1_000) / (performance.now() - started);
}

/** A long rollout judged once, from what was stored of it. */
function intervalsPerSecond(chance: () => number): number {
  const intervals = manyMinutes(50_000, chance);
  const started = performance.now();
  look(fold(ERRORS, undefined, intervals), intervals.at(-1)?.toMs ?? 0);
  return (intervals.length * 1_000) / (performance.now() - started);
}

function manyMinutes(count: number, chance: () => number): readonly Interval[] {
  const traffic = { units: 200, share: 0.05, rate: BASE_RATE, ratio: 1.2 };
  return Array.from({ length: count }, (_, index) => minute(index, traffic, chance));
}
