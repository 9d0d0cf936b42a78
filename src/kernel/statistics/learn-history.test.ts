import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedRandom } from '#kernel/base/chance.ts';
import { fold, type GuardrailState } from './fold.ts';
import type { RiskRatioSpec } from './guardrail.ts';
import type { Counts, Interval } from './interval.ts';
import { judge } from './judge.ts';
import { likeliestStartMs, logLateEvidence } from './late-evidence.ts';
import { learnHistory } from './learn-history.ts';
import { normal, poisson } from './testing/draws.ts';
import { longRunDispersion, shareInTime, timeDispersion } from './time-blocks.ts';
import type { TimeHistory } from './time-history.ts';

const ERRORS: RiskRatioSpec = { type: 'riskRatio', name: 'Errors', better: 'fewer', splitTolerance: 1 };
const context = { alpha: 0.05, beta: 0.05, metrics: 1 };
const DAY = 1_440;

interface World {
  readonly share: number;
  readonly ratio?: number;
  /** Of the logarithm of each track's own rate, minute by minute. */
  readonly sd: number;
  readonly rho: number;
}

/** Minutes of 12,000 units of which 1 % are bad, and of which each track has a noise of its own. */
function* minutes(count: number, { share, ratio = 1, sd, rho }: World, chance: () => number): Generator<Interval> {
  const noises = [sd * normal(chance), sd * normal(chance)];
  for (let index = 0; index < count; index += 1) {
    const [candidate, stable] = [share * ratio, 1 - share].map((part, track): Counts => {
      noises[track] = rho * (noises[track] ?? 0) + sd * Math.sqrt(1 - rho ** 2) * normal(chance);
      const rate = 0.01 * Math.exp((noises[track] ?? 0) - sd ** 2 / 2);
      return { units: Math.round(12_000 * (track === 0 ? share : part)), bad: poisson(12_000 * part * rate, chance) };
    });
    assert.ok(candidate !== undefined && stable !== undefined);
    yield { fromMs: index * 60_000, toMs: (index + 1) * 60_000, candidate, stable };
  }
}

function learn(world: World, seed: number, count = DAY): TimeHistory {
  return learnHistory([...minutes(count, world, seedRandom(seed))]) ?? assert.fail();
}

const HALVES = { share: 0.5 } as const;

test('independent events teach that they are, and what moves by itself how much and how long it does', () => {
  const independent = Array.from({ length: 20 }, (_, seed) => learn({ ...HALVES, sd: 0, rho: 0 }, seed));
  const long = independent.map(longRunDispersion).toSorted((a, b) => a - b);
  assert.ok((long[10] ?? NaN) < 1.1 && (long[19] ?? NaN) < 2.5, long.join(', '));
  assert.equal(independent[0]?.windows, DAY);
  // 120 events a minute, m/4·2·sd²: about 16 times their variance, for about five minutes.
  for (const rho of [0, 0.8]) {
    const moving = learn({ ...HALVES, sd: 0.5, rho }, 2);
    assert.ok(moving.psi > 10 && moving.psi < 25, JSON.stringify(moving));
    assert.ok(Math.abs(moving.rho - rho) < 0.07, JSON.stringify(moving));
  }
});

test('the long-run dispersion is the same in windows of another length', () => {
  const windows = [...minutes(4 * DAY, { ...HALVES, sd: 0.5, rho: 0.8 }, seedRandom(3))];
  const long = [1, 2, 5, 10].map((length) => {
    const joined = windows.flatMap((one, index) =>
      index % length === 0 ? [windows.slice(index, index + length).reduce(sumPairs, { ...one, ...NONE })] : [],
    );
    return longRunDispersion(learnHistory(joined) ?? assert.fail());
  });
  const [first = NaN, ...others] = long;
  for (const one of others) assert.ok(one > first * 0.8 && one < first * 1.4, long.join(', '));
});

const NONE = { candidate: { units: 0, bad: 0 }, stable: { units: 0, bad: 0 } };

function sumPairs(a: Interval, b: Interval): Interval {
  const sum = (x: Counts, y: Counts) => ({ units: x.units + y.units, bad: x.bad + y.bad });
  return { ...a, toMs: b.toMs, candidate: sum(a.candidate, b.candidate), stable: sum(a.stable, b.stable) };
}

test('fewer than an hour of minutes with events, or what is no number, teaches nothing', () => {
  const day = [...minutes(DAY, { ...HALVES, sd: 0.5, rho: 0.8 }, seedRandom(4))];
  const silent = (one: Interval): Interval => ({ ...one, ...NONE });
  assert.equal(learnHistory(day.map((one, index) => (index < 59 ? one : silent(one)))), undefined);
  assert.equal(learnHistory(day.map((one, index) => (index < 60 ? one : silent(one))))?.windows, 60);
  const breakInterval = (one: Interval): Interval => ({ ...one, candidate: { units: NaN, bad: 1 } });
  assert.equal(learnHistory(day.map((one, index) => (index < 60 ? one : breakInterval(one))))?.windows, 60);
});

/** After how many minutes a release of eight hours is taken back, looked at each minute; Infinity if it is not. */
function minutesToRollBack(world: World, seed: number, history: TimeHistory): number {
  let folded: GuardrailState | undefined;
  for (const one of minutes(480, world, seedRandom(seed))) {
    folded = fold(ERRORS, folded, [{ ...one, history }]);
    // The whole judge takes long, and cannot fail what is no harm by the dispersion in time alone.
    if (folded.tally.of !== 'riskRatio') assert.fail();
    const { late } = folded.tally;
    const { deviations } = shareInTime(folded.blocks, likeliestStartMs(late));
    const dispersion = timeDispersion(deviations, { isBlocked: false, history: folded.history ?? undefined });
    if (logLateEvidence(late, dispersion) < Math.log(20)) continue;
    const at = { ...context, nowMs: one.toMs };
    if (judge(ERRORS, { at: 'intervals', intervals: [], folded }, at).outcome === 'fail') return one.toMs / 60_000;
  }
  return Infinity;
}

test('minutes that hang sumPairs by themselves take nothing back after a day of halves, and much harm is found', () => {
  const runs = 24;
  const noise = { share: 0.05, sd: 0.5, rho: 0.8 } as const;
  const histories = Array.from({ length: runs }, (_, run) => learn({ ...noise, ...HALVES }, 5_000 + run));
  const take = (ratio: number) =>
    histories.map((history, run) => minutesToRollBack({ ...noise, ratio }, 1_000 + run, history));
  const wrongly = take(1).filter(Number.isFinite).length;
  assert.ok(wrongly / runs <= 0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs), `${wrongly} of ${runs}`);
  const harmful = take(5).toSorted((a, b) => a - b);
  assert.ok((harmful[runs / 2] ?? NaN) <= 60 && harmful.every(Number.isFinite), harmful.join(', '));
});
