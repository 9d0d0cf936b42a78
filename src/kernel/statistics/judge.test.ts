import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fold } from './fold.ts';
import type { BurnRateSpec, GuardrailSpec, JudgeContext, RiskRatioSpec, ThresholdSpec } from './guardrail.ts';
import type { Counts, Interval } from './interval.ts';
import { judge } from './judge.ts';
import type { Reading } from './reading.ts';
import { seeded } from '#kernel/base/chance.ts';
import { minute } from './testing/draws.ts';
import type { RiskRatioFigures, Verdict } from './verdict.ts';

const ERRORS: RiskRatioSpec = { type: 'riskRatio', name: 'Errors', better: 'fewer' };
const CONVERSIONS: RiskRatioSpec = { type: 'riskRatio', name: 'Conversions', better: 'more' };
const BURN: BurnRateSpec = { type: 'burnRate', name: 'Errors', objective: 0.999 };
const LATENCY: ThresholdSpec = { type: 'threshold', name: 'Latency', measure: 'mean', max: 300, unitsMin: 100 };
const CONTEXT: Omit<JudgeContext, 'nowMs'> = { alpha: 0.05, beta: 0.1, metrics: 2 };

/** So many minutes alike: units and events of the candidate and of stable. */
function minutes(
  count: number,
  candidate: readonly [number, number],
  stable: readonly [number, number],
  from = 0,
): Interval[] {
  const counts = ([units, bad]: readonly [number, number]): Counts => ({ units, bad });
  return Array.from({ length: count }, (_, index) => ({
    fromMs: (from + index) * 60_000,
    toMs: (from + index + 1) * 60_000,
    candidate: { ...counts(candidate), total: candidate[0] * 200 },
    stable: counts(stable),
    share: candidate[0] + stable[0] === 0 ? 0 : candidate[0] / (candidate[0] + stable[0]),
  }));
}

/** Judged as soon as the last interval is over. */
function judged(spec: GuardrailSpec, intervals: readonly Interval[], more: Partial<JudgeContext> = {}): Verdict {
  return judge(spec, { at: 'intervals', intervals }, { ...CONTEXT, nowMs: intervals.at(-1)?.toMs ?? 0, ...more });
}

function riskRatio({ figures }: Verdict): RiskRatioFigures {
  assert.ok(figures.of === 'riskRatio');
  return figures;
}

const good = minutes(60, [5_000, 5], [5_000, 5]);
const harmful = minutes(20, [5_000, 25], [5_000, 5]);

test('without data every guardrail says what is missing, and none of it is success', () => {
  const at = (intervals: readonly Interval[]): Reading => ({ at: 'intervals', intervals });
  const notNumber = { units: 10, bad: Number.NaN };
  const last = good.at(-1);
  assert.ok(last !== undefined);
  const next = { ...last, fromMs: last.toMs, toMs: last.toMs + 60_000 };
  const ended = last.toMs;
  const cases: readonly (readonly [string, Reading, Verdict['outcome'], number?])[] = [
    ['the provider is unreachable', { at: 'down', because: 'connection refused' }, 'providerDown'],
    ['an empty answer', { at: 'empty' }, 'noData'],
    ['an empty answer, though the router counted requests', { at: 'empty', requests: 5_000 }, 'fail'],
    ['an empty answer, and the router counted none', { at: 'empty', requests: 0 }, 'zeroTraffic'],
    ['an empty answer, and the router’s count is not a number', { at: 'empty', requests: Number.NaN }, 'notANumber'],
    ['no interval', at([]), 'noData'],
    ['0/0', at([...good, { ...next, candidate: { units: 0, bad: Number.NaN } }]), 'zeroTraffic'],
    ['zero traffic all the way', at(minutes(60, [0, 0], [5_000, 5])), 'zeroTraffic'],
    ['zero traffic on both tracks', at(minutes(60, [0, 0], [0, 0])), 'zeroTraffic'],
    ['traffic that stopped', at([...good, ...minutes(1, [0, 0], [5_000, 5], 60)]), 'zeroTraffic'],
    ['events that are not a number', at([...good, { ...next, candidate: notNumber }]), 'notANumber'],
    ['stable’s events are not a number', at([...good, { ...next, stable: notNumber }]), 'notANumber'],
    ['units that are infinite', at([...good, { ...next, stable: { units: Infinity, bad: 1 } }]), 'notANumber'],
    ['fewer than no events', at([...good, { ...next, candidate: { units: 10, bad: -1 } }]), 'notANumber'],
    ['events of no units', at([...good, { ...next, candidate: { units: 0, bad: 3 } }]), 'notANumber'],
    ['a share that is none', at([...good, { ...next, share: 1.5 }]), 'notANumber'],
    ['time that runs backwards', at([...good, { ...next, fromMs: next.toMs + 1 }]), 'notANumber'],
    ['intervals that overlap', at([...good, { ...next, fromMs: ended - 1 }]), 'notANumber'],
    ['two intervals old', at(good), 'pass', ended + 120_000],
    ['older than two intervals', at(good), 'stale', ended + 120_001],
    ['harm, long ago', at(harmful), 'stale', ended + 10 * 3_600_000],
  ];
  for (const [name, reading, wanted, nowMs = ended] of cases) {
    for (const spec of [ERRORS, CONVERSIONS, BURN, LATENCY]) {
      const { outcome, because } = judge(spec, reading, { ...CONTEXT, nowMs });
      assert.equal(outcome, wanted, `${spec.type}, ${name}: ${because}`);
      assert.ok(because.startsWith(spec.name) && because.endsWith('.'), because);
    }
  }
});

test('an interval that could not be counted is left out and told, and does not hold for ever', () => {
  const [first, second, ...rest] = good;
  assert.ok(first !== undefined && second !== undefined);
  const verdict = judged(ERRORS, [first, { ...second, candidate: { units: 5_000, bad: Number.NaN } }, ...rest]);
  assert.equal(verdict.outcome, 'pass');
  assert.equal(riskRatio(verdict).leftOut, 1);
  assert.equal(riskRatio(verdict).candidate.units, 59 * 5_000);
});

test('0/0 between counts is nothing, and spoils nothing', () => {
  const idle = minutes(1, [0, Number.NaN], [5_000, 5], 60);
  const later = minutes(1, [5_000, 5], [5_000, 5], 61);
  for (const spec of [ERRORS, CONVERSIONS, BURN, LATENCY]) {
    assert.equal(judged(spec, [...good, ...idle, ...later]).outcome, 'pass', spec.type);
  }
  assert.equal(riskRatio(judged(ERRORS, [...good, ...idle, ...later])).candidate.bad, 61 * 5);
  const burns = minutes(10, [1_000, 30], [19_000, 20], 61);
  assert.equal(judged(BURN, [...idle, ...burns]).outcome, 'fail');
});

test('a ratio that the rates beside it do not have is said to be of each window', () => {
  // Twice as many in every window; the share of the candidate moves while the rate falls.
  const moved = [...minutes(5, [100, 20], [1_000, 100]), ...minutes(5, [1_000, 20], [1_000, 10], 5)];
  assert.match(
    judged(ERRORS, moved).because,
    /^Errors 2× those of stable window by window \(in all 3\.6 % of 5,500 against 5\.5 % of 10,000\)/,
  );
});

test('a person reads what happened, in one sentence', () => {
  const cases: readonly (readonly [GuardrailSpec, readonly Interval[], string])[] = [
    [
      ERRORS,
      minutes(4, [1_000, 2], [19_000, 20]),
      'Errors 1.9× those of stable (0.2 % of 4,000 against 0.11 % of 76,000): cannot tell yet; evidence of harm 1 of 40, of safety 0.4 of 20; about 53,000 more units pass it if it is as stable, 13,000 find twofold harm.',
    ],
    [
      ERRORS,
      minutes(5, [1_000, 3], [19_000, 19]),
      'Errors 3× those of stable (0.3 % of 5,000 against 0.1 % of 95,000): rolls back; evidence 46 : 1, needed 40 : 1.',
    ],
    [
      ERRORS,
      [...minutes(600, [5_000, 5], [5_000, 5]), ...minutes(30, [5_000, 10], [5_000, 5], 600)],
      'Errors 1× those of stable (0.1 % of 3,150,000 against 0.1 % of 3,150,000), lately more: rolls back; evidence 709,592 : 1, needed 40 : 1.',
    ],
    [
      ERRORS,
      minutes(36, [5_000, 5], [5_000, 5]),
      'Errors 1× those of stable (0.1 % of 180,000 against 0.1 % of 180,000): below 1.5×; evidence 469 : 1, needed 20 : 1.',
    ],
    [
      CONVERSIONS,
      minutes(5, [1_000, 30], [19_000, 900]),
      'Conversions 0.63× those of stable (3 % of 5,000 against 4.7 % of 95,000): rolls back; evidence over 1,000,000 : 1, needed 40 : 1.',
    ],
    [ERRORS, minutes(3, [1_000, 0], [0, 0]), 'Errors cannot be compared: stable has no traffic.'],
    [
      BURN,
      minutes(10, [1_000, 30], [19_000, 20]),
      'Errors burn the budget of 99.9 % 30× as fast as planned over 1 h (stable 1.1×; limit 14.4×): rolls back; evidence over 1,000,000 : 1, needed 40 : 1.',
    ],
    [
      BURN,
      minutes(10, [1_000, 30], [19_000, 600]),
      'Errors burn the budget of 99.9 % 30× as fast as planned over 1 h (stable 32×; limit 14.4×): the candidate is not to blame, but nothing is promoted meanwhile.',
    ],
    [LATENCY, minutes(2, [500, 0], [0, 0]), 'Latency 200 (limit 300): within it in 2 windows in a row.'],
  ];
  for (const [spec, intervals, wanted] of cases) assert.equal(judged(spec, intervals).because, wanted);
});

test('harm fails and likeness passes, each on its own evidence; more guardrails ask for more of both', () => {
  const harm = judged(ERRORS, harmful);
  assert.equal(harm.outcome, 'fail');
  assert.equal(riskRatio(harm).harm.needed, 40);
  assert.ok(riskRatio(harm).bounds.from > 1);
  const like = judged(ERRORS, good);
  assert.equal(like.outcome, 'pass');
  assert.equal(riskRatio(like).safety.needed, 20);
  assert.ok((riskRatio(like).bounds.to ?? Infinity) < 1.5);
  const few = minutes(5, [1_000, 3], [19_000, 19]);
  assert.equal(judged(ERRORS, few, { metrics: 2 }).outcome, 'fail');
  assert.equal(judged(ERRORS, few, { metrics: 20 }).outcome, 'undecided');
});

test('little traffic is undecided, not success, and says how many units it takes', () => {
  const { outcome, unitsNeeded } = judged(ERRORS, minutes(10, [100, 0], [1_900, 2]));
  assert.equal(outcome, 'undecided');
  assert.ok((unitsNeeded?.toPass ?? 0) > 1_000 && (unitsNeeded?.toFail ?? 0) > 1_000);
  assert.deepEqual(judged(ERRORS, minutes(10, [100, 0], [1_900, 0])).unitsNeeded, { toPass: null, toFail: null });
});

test('a metric of which more is better is judged as the inverse of its lack: fewer conversions are harm, more are not', () => {
  const drop = judged(CONVERSIONS, minutes(10, [1_000, 20], [9_000, 300]));
  assert.equal(drop.outcome, 'fail');
  const { ratio, bounds, candidate } = riskRatio(drop);
  assert.ok(ratio !== null && Math.abs(ratio - 0.6) < 1e-9 && (bounds.to ?? 2) < 1 && bounds.from < 0.6);
  assert.deepEqual(candidate, { units: 10_000, bad: 200 });
  const more = judged(CONVERSIONS, minutes(10, [1_000, 60], [9_000, 300]));
  assert.equal(more.outcome, 'pass');
  assert.ok((riskRatio(more).ratio ?? 0) > 1.5);
  // With the tracks exchanged, the same counts are the same harm of errors.
  const errors = judged(ERRORS, minutes(10, [9_000, 300], [1_000, 20]));
  assert.ok(Math.abs(riskRatio(errors).harm.value / riskRatio(drop).harm.value - 1) < 1e-9);
});

test('one broken pod, or one moment, does not roll back; the pod is named', () => {
  const byPod = (intervals: readonly Interval[], ...bad: readonly number[]): readonly Interval[] => {
    const sources = Object.fromEntries(bad.map((bad, index) => [`pod-${index}`, { units: 250, bad }]));
    return intervals.map((interval) => ({ ...interval, sources }));
  };
  const once = minutes(1, [1_000, 40], [19_000, 20]);
  const one = judged(ERRORS, byPod(once, 40, 0, 0, 0));
  assert.equal(one.outcome, 'undecided');
  assert.equal(one.blocked, 'oneSource');
  assert.ok(one.because.endsWith('100 % of them come from pod-0.'), one.because);
  assert.equal(judged(ERRORS, once).outcome, 'undecided');
  const many = judged(ERRORS, byPod(once, 10, 10, 10, 10));
  assert.equal(many.outcome, 'fail');
  const lasting = minutes(3, [1_000, 40], [19_000, 20]);
  const named = judged(ERRORS, byPod(lasting, 38, 1, 1, 0));
  assert.equal(named.outcome, 'fail');
  assert.equal(riskRatio(named).dominant?.source, 'pod-0');
});

test('clumped events ask for as much more', () => {
  const few = minutes(5, [1_000, 3], [19_000, 19]);
  assert.equal(judged(ERRORS, few).outcome, 'fail');
  assert.equal(judged({ ...ERRORS, dispersion: 2 }, few).outcome, 'undecided');
});

test('a rate that nobody minds passes without any event, and never rolls back', () => {
  const none = minutes(10, [1_000, 0], [19_000, 0]);
  assert.equal(judged(ERRORS, none).outcome, 'undecided');
  assert.equal(judged({ ...ERRORS, harmlessRate: 0.001 }, none).outcome, 'pass');
  const rare = minutes(10, [10_000, 4], [190_000, 1]);
  assert.equal(judged(ERRORS, rare).outcome, 'fail');
  assert.equal(judged({ ...ERRORS, harmlessRate: 0.001 }, rare).outcome, 'pass');
  const frequent = minutes(10, [10_000, 40], [190_000, 10]);
  assert.equal(judged({ ...ERRORS, harmlessRate: 0.001 }, frequent).outcome, 'fail');
});

test('a split that is not as meant is invalid, whatever the counts say', () => {
  for (const intervals of [good, harmful]) {
    const verdict = judged(
      ERRORS,
      intervals.map((interval) => ({ ...interval, share: 0.3 })),
    );
    assert.equal(verdict.outcome, 'invalid');
    const { split } = riskRatio(verdict);
    assert.ok(split !== null && split.p !== null && split.p < 1e-9 && split.evidence.value > 1_000);
  }
});

test('harm that was proven once stays proven, however often and whenever one looks', () => {
  const recovered = [...harmful, ...minutes(300, [5_000, 3], [5_000, 6], 20)];
  assert.equal(judged(ERRORS, recovered).outcome, 'fail');
  const silent = [...harmful, ...minutes(1, [0, 0], [5_000, 5], 20)];
  assert.equal(judged(ERRORS, silent).outcome, 'fail', 'traffic that stops is no excuse');
  const passed = [...good, ...minutes(20, [5_000, 25], [5_000, 5], 60)];
  assert.equal(judged(ERRORS, good).outcome, 'pass');
  assert.equal(judged(ERRORS, passed).outcome, 'fail', 'while a success does not');
});

test('a burn is blamed on a candidate that is worse than stable, and else only holds', () => {
  assert.equal(judged(BURN, minutes(60, [1_000, 0.5], [19_000, 9.5])).outcome, 'pass');
  assert.equal(judged(BURN, minutes(10, [1_000, 30], [19_000, 20])).outcome, 'fail');
  const both = judged(BURN, minutes(10, [1_000, 30], [19_000, 570]));
  assert.equal(both.outcome, 'undecided');
  assert.equal(both.blocked, 'serviceBurns');
  const stableAlone = judged(BURN, minutes(10, [1_000, 1], [19_000, 570]));
  assert.equal(stableAlone.blocked, 'serviceBurns');
  const few = judged(BURN, minutes(10, [10, 0], [190, 0]));
  assert.deepEqual(few.unitsNeeded, { toPass: 248, toFail: null });
});

test('a threshold fails after so many windows in a row, and says how many units are missing', () => {
  const spec = { ...LATENCY, max: 150, consecutive: 2 };
  assert.equal(judged(spec, minutes(1, [500, 0], [0, 0])).outcome, 'undecided');
  assert.deepEqual(judged(spec, minutes(1, [500, 0], [0, 0])).unitsNeeded, { toPass: 200, toFail: 100 });
  assert.equal(judged(spec, minutes(2, [500, 0], [0, 0])).outcome, 'fail');
  const slowThenFast = [...minutes(2, [500, 0], [0, 0]), ...minutes(1, [0, 0], [0, 0], 2)];
  const fast = minutes(3, [500, 0], [0, 0], 3).map((one) => ({ ...one, candidate: { ...one.candidate, total: 1 } }));
  assert.equal(judged(spec, [...slowThenFast, ...fast]).outcome, 'fail', 'for good');
  assert.equal(judged({ ...spec, max: 250 }, minutes(2, [500, 0], [0, 0])).outcome, 'pass');
});

test('a gauge is judged while nobody asks', () => {
  const spec: ThresholdSpec = { type: 'threshold', name: 'Heap', measure: 'value', max: 0.9, unitsMin: 0 };
  const idle = minutes(1, [0, 0], [0, 0]).map((one) => ({ ...one, candidate: { units: 0, bad: 0, value: 0.95 } }));
  assert.equal(judged(spec, idle).outcome, 'fail');
  assert.equal(judged({ ...spec, max: 0.99 }, idle).outcome, 'pass');
});

const anyRollout = fc.record({
  seed: fc.integer(),
  length: fc.integer({ min: 1, max: 40 }),
  ratio: fc.constantFrom(0.5, 1, 2, 5),
  faultAt: fc.integer({ min: 0, max: 60 }),
});

function rollout({
  seed,
  length,
  ratio,
  faultAt,
}: {
  seed: number;
  length: number;
  ratio: number;
  faultAt: number;
}): Interval[] {
  const chance = seeded(seed);
  return Array.from({ length }, (_, index) => {
    const interval = minute(index, { units: 10_000, share: index < 10 ? 0.05 : 0.3, rate: 0.002, ratio }, chance);
    const sources = { [`pod-${index % 3}`]: interval.candidate };
    return index === faultAt ? { ...interval, stable: { units: Number.NaN, bad: 0 } } : { ...interval, sources };
  });
}

test('folding a part first, storing it as JSON, and judging the rest is judging all at once', () => {
  fc.assert(
    fc.property(
      anyRollout,
      fc.nat({ max: 40 }),
      fc.constantFrom(ERRORS, CONVERSIONS, BURN, LATENCY),
      (given, cut, spec) => {
        const intervals = rollout(given);
        const context = { ...CONTEXT, nowMs: given.length * 60_000 };
        const folded = fold(spec, undefined, intervals.slice(0, cut));
        assert.deepEqual(JSON.parse(JSON.stringify(folded)), folded);
        const rest = judge(spec, { at: 'intervals', intervals: intervals.slice(cut), folded }, context);
        assert.deepEqual(rest, judge(spec, { at: 'intervals', intervals }, context));
        // Given again, with some that were seen before.
        const again = judge(
          spec,
          { at: 'intervals', intervals: intervals.slice(Math.max(0, cut - 3)), folded },
          context,
        );
        assert.deepEqual(again, rest);
      },
    ),
  );
});

test('the same intervals get the same verdict, as plain data, signed with the version of the judge', () => {
  fc.assert(
    fc.property(anyRollout, (given) => {
      const [first, second] = [rollout(given), rollout(given)].map((intervals) => judged(ERRORS, intervals));
      assert.deepEqual(first, second);
      assert.deepEqual(JSON.parse(JSON.stringify(first)), first);
      assert.equal(first?.judgeVersion, 1);
    }),
  );
});

test('what is kept of a burn rate are three days', () => {
  const days = minutes(5 * 24, [100, 0], [100, 0]).map((one) => ({
    ...one,
    fromMs: one.fromMs * 60,
    toMs: one.toMs * 60,
  }));
  const { tally } = fold(BURN, undefined, days);
  assert.ok(tally.of === 'burnRate' && tally.observed.length === 3 * 24);
});

test('the bounds of the ratio never leave 1 without failure, nor the margin without success', () => {
  fc.assert(
    fc.property(anyRollout, (given) => {
      const { outcome, figures } = judged(ERRORS, rollout({ ...given, faultAt: 60 }));
      if (figures.of !== 'riskRatio' || given.length < 3) return;
      if (figures.bounds.from > 1) assert.equal(outcome, 'fail');
      if (outcome === 'pass') assert.ok((figures.bounds.to ?? Infinity) <= 1.5 + 1e-9);
    }),
    { numRuns: 300 },
  );
});

test('what was folded for one kind of guardrail is not judged by another', () => {
  const folded = fold(ERRORS, undefined, good);
  assert.throws(() => judge(BURN, { at: 'intervals', intervals: [], folded }, { ...CONTEXT, nowMs: 0 }));
});
