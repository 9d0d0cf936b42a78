import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from '#kernel/statistics/judge.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { judgedSpec } from './judged-spec.ts';
import { parseReading, writeReading } from './stored-answer.ts';
import type { MetricTraits } from './measure-source.ts';
import {
  addKept,
  intervalOf,
  isMeasuredIn,
  NO_TALLY,
  verdictOf,
  type StoredWindow,
  type StoredAnswer,
} from './tally.ts';

const DENIED: GuardrailSpec = { name: 'denied', decisions: 'denied', noWorse: { margin: 1.5 } };
const MEASURED: MetricTraits = { called: 'Denials', better: 'fewer', of: 'events', isSplit: true };
const context = { alpha: 0.05, beta: 0.05, metrics: 1 };

function storedAnswer(candidate: [units: number, bad: number], stable: [units: number, bad: number]): StoredAnswer {
  const [of, by] = [candidate, stable].map(([units, bad]) => ({ units, bad }));
  return { at: 'measured', measured: MEASURED, candidate: of ?? none, stable: by ?? none };
}
const none = { units: 0, bad: 0 };

function windows(...readings: readonly StoredAnswer[]): readonly StoredWindow[] {
  return readings.map((reading, index) => ({
    guardrail: 'denied',
    fromMs: index * 10_000,
    toMs: (index + 1) * 10_000,
    stage: 0,
    share: 0.5,
    reading,
    judgeVersion: 1,
    atMs: (index + 1) * 10_000,
  }));
}

function outcome(readings: readonly StoredAnswer[], lateMs = 0) {
  const tally = windows(...readings).reduce((sum, one) => addKept(DENIED, sum, one), NO_TALLY);
  return verdictOf(DENIED, tally, lateMs, context);
}

test('windows one by one are judged as all at once, and a window given twice counts once', () => {
  const readings = [storedAnswer([100, 4], [100, 2]), storedAnswer([0, 0], [90, 1]), storedAnswer([120, 9], [100, 2])];
  const kept = windows(...readings);
  const twice = kept.flatMap((one) => [one, one]);
  const tally = twice.reduce((sum, one) => addKept(DENIED, sum, one), NO_TALLY);
  const intervals = kept.flatMap((one) => (one.reading.at === 'measured' ? [intervalOf(one, one.reading)] : []));
  const spec = judgedSpec(DENIED, MEASURED);
  assert.deepEqual(
    verdictOf(DENIED, tally, 0, context),
    judge(spec, { at: 'intervals', intervals }, { ...context, nowMs: 30_000 }),
  );
});

test('no data, no traffic, a source that is down and one that is late are distinguished, and none is success', () => {
  const down: StoredAnswer = { at: 'down', because: 'it is away' };
  const good = Array.from({ length: 120 }, () => storedAnswer([1_000, 20], [1_000, 20]));
  assert.equal(outcome([]), undefined);
  assert.equal(outcome(good)?.outcome, 'pass');
  assert.equal(outcome([...good, down])?.because, 'Denials cannot be read: it is away.');
  assert.equal(outcome([...good, { at: 'empty' }])?.outcome, 'noData');
  assert.equal(outcome([{ at: 'empty', requests: 0 }])?.outcome, 'zeroTraffic');
  assert.equal(outcome([...good, storedAnswer([0, 0], [1_000, 20])])?.outcome, 'zeroTraffic');
  assert.equal(outcome([...good, storedAnswer([NaN, 1], [1_000, 20])])?.outcome, 'notANumber');
  assert.deepEqual([outcome(good, 20_000)?.outcome, outcome(good, 20_001)?.outcome], ['pass', 'stale']);
});

test('a failure by what was counted is not hidden by a source that dies, falls silent or talks nonsense', () => {
  const down: StoredAnswer = { at: 'down', because: 'it is away' };
  const bad = Array.from({ length: 10 }, () => storedAnswer([1_000, 200], [1_000, 20]));
  for (const last of [down, { at: 'empty' } as const, storedAnswer([NaN, 1], [1_000, 20])]) {
    assert.equal(outcome([...bad, last])?.outcome, 'fail', JSON.stringify(last));
    assert.equal(outcome([...bad, last, last, last], 60_000)?.outcome, 'fail', JSON.stringify(last));
  }
  assert.equal(outcome(bad, 60_000)?.outcome, 'fail');
});

test('a stage is measured by a whole window of its own in which the candidate was asked', () => {
  const isMeasured = (reading: StoredAnswer, stage: number, sinceMs: number): boolean => {
    const tally = windows(reading).reduce((sum, one) => addKept(DENIED, sum, one), NO_TALLY);
    return isMeasuredIn(tally, stage, sinceMs);
  };
  const some = storedAnswer([1, 0], [1, 0]);
  assert.equal(isMeasured(some, 0, 0), true);
  assert.equal(isMeasured(some, 1, 0), false, 'of another stage');
  assert.equal(isMeasured(some, 0, 1), false, 'of the stage before it began anew');
  assert.equal(isMeasured(storedAnswer([0, 0], [9, 0]), 0, 0), false, 'nobody asked');
  assert.equal(isMeasured(storedAnswer([NaN, 0], [9, 0]), 0, 0), false);
  assert.equal(isMeasured({ at: 'down', because: 'x' }, 0, 0), false);
});

test('a candidate without measurements fails after three minutes with answers, however short the windows are', () => {
  const empty: StoredAnswer = { at: 'empty', requests: 40 };
  const outcomes = [1, 17, 18].map((count) => outcome(Array.from({ length: count }, () => empty))?.outcome);
  assert.deepEqual(outcomes, ['noData', 'noData', 'fail']);
  const measuredOnce = [storedAnswer([100, 1], [100, 1]), ...Array.from({ length: 20 }, () => empty)];
  assert.equal(outcome(measuredOnce)?.outcome, 'noData');
});

test('an absent count of bad answers is unknown until there was one, and then it is none', () => {
  const silent = { ...storedAnswer([1_000, 0], [1_000, 0]), isBadMissing: true } as StoredAnswer;
  const good = storedAnswer([1_000, 20], [1_000, 20]);
  const unknown = Array.from({ length: 20 }, () => silent);
  const held = outcome(unknown);
  assert.deepEqual(
    [held?.outcome, held?.because],
    [
      'noData',
      "Denials: the query for bad has had no series yet: is the metric's name right? Add `or vector(0)` if none so far is right.",
    ],
  );
  // For as long as it takes: what has a total is measured, so nothing is taken back for lack of data either.
  const empty: StoredAnswer = { at: 'empty', requests: 40 };
  assert.equal(outcome([...unknown, empty])?.outcome, 'noData');
  const units = (readings: readonly StoredAnswer[]) => {
    const figures = outcome(readings.map((one) => parseReading(JSON.parse(writeReading(one)))))?.figures;
    return figures?.of === 'riskRatio' ? [figures.candidate.units, figures.candidate.bad] : undefined;
  };
  assert.deepEqual(units([...unknown, good]), [1_000, 20], 'what was unknown does not count later');
  assert.deepEqual(units([...unknown, good, silent, silent]), [3_000, 20]);
});

test('the split is checked where so many are counted that a few cannot move it', () => {
  const share = (units: number): number | undefined => {
    const [kept] = windows(storedAnswer([units / 2, 0], [units / 2, 0]));
    return kept?.reading.at === 'measured' ? intervalOf(kept, kept.reading).share : undefined;
  };
  assert.deepEqual([share(1_998), share(2_000)], [undefined, 0.5]);
});
