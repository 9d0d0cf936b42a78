import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Pair } from './interval.ts';
import { addLate, logLateHarm, logLateHarmAfter, NO_LATE_HARM, type LateHarm } from './late-harm.ts';
import { addInterval, logHarm, noEvidence, type RiskRatioEvidence } from './risk-ratio-evidence.ts';
import { seeded } from '#kernel/base/chance.ts';
import { minute } from './testing/draws.ts';

function partOf(pair: Pair): RiskRatioEvidence {
  return addInterval(noEvidence(1.5), pair);
}

function late(pairs: readonly Pair[], dispersion = 1): LateHarm {
  return pairs.reduce((state, pair) => addLate(state, partOf(pair), dispersion), NO_LATE_HARM);
}

function pair(candidateBad: number, stableBad: number): Pair {
  return { candidate: { units: 300, bad: candidateBad }, stable: { units: 700, bad: stableBad } };
}

const anyPairs = fc.array(
  fc.tuple(fc.nat({ max: 30 }), fc.nat({ max: 60 })).map(([candidateBad, stableBad]) => pair(candidateBad, stableBad)),
  { maxLength: 12 },
);

test('it is the weighted sum of the evidence from each start on, and of what is still to start', () => {
  fc.assert(
    fc.property(anyPairs, fc.constantFrom(1, 2), (pairs, dispersion) => {
      let [sum, start, since] = [0, 1, 0];
      const fromOn = (index: number): number =>
        Math.exp(logHarm(pairs.slice(index).reduce(addInterval, noEvidence(1.5)), dispersion));
      sum += fromOn(0) / 2;
      for (const [index, { candidate, stable }] of pairs.entries()) {
        since += candidate.bad + stable.bad;
        if (since < 50) continue;
        [start, since] = [start + 1, 0];
        sum += fromOn(index + 1) / (start * (start + 1));
      }
      const wanted = Math.log(sum + 1 / (start + 1));
      assert.ok(Math.abs(logLateHarm(late(pairs, dispersion)) - wanted) < 1e-9);
    }),
  );
});

test('without any event it is 1, and it is never less than half of the evidence without late starts', () => {
  assert.ok(Math.abs(logLateHarm(NO_LATE_HARM)) < 1e-12);
  fc.assert(
    fc.property(anyPairs, (pairs) => {
      const plain = logHarm(pairs.reduce(addInterval, noEvidence(1.5)), 1);
      assert.ok(logLateHarm(late(pairs)) >= plain - Math.log(2) - 1e-9);
    }),
  );
});

test('evidence far beyond what a number holds stays a number', () => {
  const sure = late(Array.from({ length: 40 }, () => pair(300, 1)));
  assert.ok(Number.isFinite(logLateHarm(sure)) && logLateHarm(sure) > 1_000);
});

test('what is foreseen for more of the same is what comes, when nothing starts between', () => {
  const state = late([pair(3, 4)]);
  const once = pair(2, 1);
  const twice = [once, once].reduce((state, pair) => addLate(state, partOf(pair), 1), state);
  assert.ok(Math.abs(logLateHarmAfter(state, partOf(once), 2, 1) - logLateHarm(twice)) < 1e-12);
});

test('a regression after a good day is found in less than a quarter of the time', () => {
  const chance = seeded(9);
  const traffic = { units: 12_000, share: 0.5, rate: 0.001 };
  let [whole, state, index] = [noEvidence(1.5), NO_LATE_HARM, 0];
  const took: { whole?: number; late?: number } = {};
  for (; index < 1_440; index += 1) {
    const next = minute(index, { ...traffic, ratio: 1 }, chance);
    [whole, state] = [addInterval(whole, next), addLate(state, partOf(next), 1)];
  }
  for (let more = 1; more < 1_000 && (took.whole === undefined || took.late === undefined); more += 1) {
    const next = minute(index + more, { ...traffic, ratio: 2 }, chance);
    [whole, state] = [addInterval(whole, next), addLate(state, partOf(next), 1)];
    if (logHarm(whole, 1) >= Math.log(20)) took.whole ??= more;
    if (logLateHarm(state) >= Math.log(20)) took.late ??= more;
  }
  assert.ok(took.late !== undefined && took.whole !== undefined && took.late * 4 < took.whole, JSON.stringify(took));
});

test('without harm it ever reaches 1/α in at most α of all rollouts, looked at every minute', () => {
  const chance = seeded(13);
  const [runs, alpha] = [800, 0.05];
  let alarms = 0;
  for (let run = 0; run < runs; run += 1) {
    let state = NO_LATE_HARM;
    let isAlarm = false;
    for (let index = 0; index < 40 && !isAlarm; index += 1) {
      const rate = chance() < 0.1 ? 0.01 : 0.001;
      const share = index < 20 ? 0.05 : 0.5;
      state = addLate(state, partOf(minute(index, { units: 6_000, share, rate, ratio: 1 }, chance)), 1);
      isAlarm = logLateHarm(state) >= Math.log(1 / alpha);
    }
    if (isAlarm) alarms += 1;
  }
  assert.ok(alarms > 0 && alarms <= runs * alpha + 2 * Math.sqrt(runs * alpha * (1 - alpha)), `${alarms} of ${runs}`);
});
