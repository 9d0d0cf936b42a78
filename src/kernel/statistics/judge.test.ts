import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addCells, clusteringOf, NO_CELLS, type CellCounts } from './cells.ts';
import { fold } from './fold.ts';
import type { BurnRateSpec, GuardrailSpec, JudgeContext, RiskRatioSpec, ThresholdSpec } from './guardrail.ts';
import type { Counts, Interval } from './interval.ts';
import { judge } from './judge.ts';
import type { SourceAnswer } from './source-answer.ts';
import { seedRandom } from '#kernel/base/chance.ts';
import { minute } from './testing/draws.ts';
import type { RiskRatioFigures, Verdict } from './verdict.ts';

const ERRORS: RiskRatioSpec = { type: 'riskRatio', name: 'Errors', better: 'fewer' };
const CONVERSIONS: RiskRatioSpec = { type: 'riskRatio', name: 'Conversions', better: 'more' };
const BURN: BurnRateSpec = { type: 'burnRate', name: 'Errors', objective: 0.999 };
const LIMIT: ThresholdSpec = { type: 'threshold', name: 'Errors', measure: 'rate', max: 0.02, unitsMin: 100 };
const HEAP: ThresholdSpec = { type: 'threshold', name: 'Heap', measure: 'value', max: 0.9, unitsMin: 0 };
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
    candidate: counts(candidate),
    stable: counts(stable),
    share: candidate[0] + stable[0] === 0 ? 0 : candidate[0] / (candidate[0] + stable[0]),
  }));
}

/** Judged as soon as the last interval is over. */
function judgeIntervals(
  spec: GuardrailSpec,
  intervals: readonly Interval[],
  more: Partial<JudgeContext> = {},
): Verdict {
  return judge(spec, { at: 'intervals', intervals }, { ...CONTEXT, nowMs: intervals.at(-1)?.toMs ?? 0, ...more });
}

function riskRatio({ figures }: Verdict): RiskRatioFigures {
  assert.ok(figures.of === 'riskRatio');
  return figures;
}

const good = minutes(60, [5_000, 5], [5_000, 5]);
const harmful = minutes(21, [5_000, 25], [5_000, 5]);

test('without data every guardrail says what is missing, and none of it is success', () => {
  const at = (intervals: readonly Interval[]): SourceAnswer => ({ at: 'intervals', intervals });
  const notNumber = { units: 10, bad: Number.NaN };
  const last = good.at(-1);
  assert.ok(last !== undefined);
  const next = { ...last, fromMs: last.toMs, toMs: last.toMs + 60_000 };
  const ended = last.toMs;
  const cases: readonly (readonly [string, SourceAnswer, Verdict['outcome'], number?])[] = [
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
    ['more units than there can be', at([...good, { ...next, stable: { units: 1e200, bad: 1 } }]), 'notANumber'],
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
    for (const spec of [ERRORS, CONVERSIONS, BURN, LIMIT]) {
      const { outcome, because } = judge(spec, reading, { ...CONTEXT, nowMs });
      assert.equal(outcome, wanted, `${spec.type}, ${name}: ${because}`);
      assert.ok(because.startsWith(spec.name) && because.endsWith('.'), because);
    }
  }
});

test('an interval that could not be counted is left out and reported, and does not block for ever', () => {
  const [first, second, ...rest] = good;
  assert.ok(first !== undefined && second !== undefined);
  const verdict = judgeIntervals(ERRORS, [first, { ...second, candidate: { units: 5_000, bad: Number.NaN } }, ...rest]);
  assert.equal(verdict.outcome, 'pass');
  assert.equal(riskRatio(verdict).leftOut, 1);
  assert.equal(riskRatio(verdict).candidate.units, 59 * 5_000);
});

test('0/0 between counts is nothing, and spoils nothing', () => {
  const idle = minutes(1, [0, Number.NaN], [5_000, 5], 60);
  const later = minutes(1, [5_000, 5], [5_000, 5], 61);
  for (const spec of [ERRORS, CONVERSIONS, BURN, LIMIT]) {
    assert.equal(judgeIntervals(spec, [...good, ...idle, ...later]).outcome, 'pass', spec.type);
  }
  assert.equal(riskRatio(judgeIntervals(ERRORS, [...good, ...idle, ...later])).candidate.bad, 61 * 5);
  const burns = minutes(10, [1_000, 30], [19_000, 20], 61);
  assert.equal(judgeIntervals(BURN, [...idle, ...burns]).outcome, 'fail');
});

test('a ratio that differs from that of the totals is labelled as window by window', () => {
  // Twice as many in every window; the share of the candidate moves while the rate falls.
  const moved = [...minutes(12, [100, 20], [1_000, 100]), ...minutes(12, [300, 6], [1_000, 10], 12)];
  assert.match(
    judgeIntervals(ERRORS, moved).because,
    /^Errors 2× those of stable window by window \(in all 6\.5 % of 4,800 against 5\.5 % of 24,000\)/,
  );
});

test('a person reads what happened, in one sentence', () => {
  const cases: readonly (readonly [GuardrailSpec, readonly Interval[], string])[] = [
    [
      ERRORS,
      minutes(30, [200, 0.4], [3_800, 4]),
      'Errors 1.9× those of stable (0.2 % of 6,000 against 0.11 % of 114,000): cannot tell yet; evidence of harm 1.4 of 40, of safety 0.3 of 20; about 59,000 more units pass it if it is as stable, 10,000 find twofold harm.',
    ],
    [
      ERRORS,
      minutes(30, [200, 0.7], [3_800, 4]),
      'Errors 3.3× those of stable (0.35 % of 6,000 against 0.11 % of 114,000): rolls back; evidence 2,563 : 1, needed 40 : 1.',
    ],
    [
      ERRORS,
      minutes(3, [1_000, 3], [19_000, 19]),
      'Errors 3× those of stable (0.3 % of 3,000 against 0.1 % of 57,000): cannot tell yet; evidence of harm 1 of 40, of safety 0.8 of 20; about 450,000 more units pass it if it is as stable, 150,000 find twofold harm; after so few windows 9.9× as much is asked.',
    ],
    [
      ERRORS,
      minutes(36, [5_000, 5], [5_000, 5]),
      'Errors 1× those of stable (0.1 % of 180,000 against 0.1 % of 180,000): below 1.5×; evidence 469 : 1, needed 20 : 1.',
    ],
    [
      CONVERSIONS,
      minutes(30, [1_000, 30], [19_000, 900]),
      'Conversions 0.63× those of stable (3 % of 30,000 against 4.7 % of 570,000): rolls back; evidence over 1,000,000 : 1, needed 40 : 1.',
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
    [LIMIT, minutes(24, [500, 5], [0, 0]), 'Errors 1 % (limit 2 %): within it; evidence 5,015 : 1, needed 20 : 1.'],
    [LIMIT, minutes(2, [40, 5], [0, 0]), 'Errors 13 % (limit 2 %): 80 of 100 units so far.'],
    [
      LIMIT,
      minutes(24, [20, 0.38], [0, 0]),
      'Errors 1.9 % (limit 2 %): cannot tell yet; evidence that it is beyond 0.3 of 40, within 0.3 of 20.',
    ],
  ];
  for (const [spec, intervals, wanted] of cases) assert.equal(judgeIntervals(spec, intervals).because, wanted);
});

test('harm that begins after a good day is found, and labelled as recent', () => {
  const late = [...minutes(600, [5_000, 5], [5_000, 5]), ...minutes(30, [5_000, 10], [5_000, 5], 600)];
  const { outcome, because } = judgeIntervals(ERRORS, late);
  assert.equal(outcome, 'fail', because);
  assert.match(because, /, lately more: rolls back;/);
});

test('after a change for the worse nothing passes in between: it waits for the harm to be known', () => {
  for (const before of [30, 120]) {
    const start = minutes(before, [1_000, 5], [9_000, 180]);
    const outcomes = Array.from({ length: 20 }, (_, index) => {
      const since = minutes(index + 1, [1_000, 60], [9_000, 180], before);
      return judgeIntervals(ERRORS, [...start, ...since]).outcome;
    });
    assert.ok(!outcomes.includes('pass'), outcomes.join(' '));
    assert.equal(outcomes.at(-1), 'fail');
    assert.ok(outcomes.lastIndexOf('undecided') < 8, outcomes.join(' '));
  }
});

test('harm fails and likeness passes, each on its own evidence; more guardrails ask for more of both', () => {
  const harm = judgeIntervals(ERRORS, harmful);
  assert.equal(harm.outcome, 'fail');
  assert.equal(riskRatio(harm).harm.needed, 40);
  assert.ok(riskRatio(harm).bounds.from > 1);
  const like = judgeIntervals(ERRORS, good);
  assert.equal(like.outcome, 'pass');
  assert.equal(riskRatio(like).safety.needed, 20);
  assert.ok((riskRatio(like).bounds.to ?? Infinity) < 1.5);
  const few = minutes(30, [200, 0.7], [3_800, 4]);
  assert.equal(judgeIntervals(ERRORS, few, { metrics: 2 }).outcome, 'fail');
  assert.equal(judgeIntervals(ERRORS, few, { metrics: 200 }).outcome, 'undecided');
});

test('little traffic is undecided, not success, and says how many units it takes', () => {
  const { outcome, unitsNeeded } = judgeIntervals(ERRORS, minutes(10, [100, 0], [1_900, 2]));
  assert.equal(outcome, 'undecided');
  assert.ok((unitsNeeded?.toPass ?? 0) > 1_000 && (unitsNeeded?.toFail ?? 0) > 1_000);
  assert.deepEqual(judgeIntervals(ERRORS, minutes(10, [100, 0], [1_900, 0])).unitsNeeded, {
    toPass: null,
    toFail: null,
  });
});

test('a metric of which more is better is judged as the inverse of its lack: fewer conversions are harm, more are not', () => {
  const drop = judgeIntervals(CONVERSIONS, minutes(24, [1_000, 20], [9_000, 300]));
  assert.equal(drop.outcome, 'fail');
  const { ratio, bounds, candidate } = riskRatio(drop);
  assert.ok(ratio !== null && Math.abs(ratio - 0.6) < 1e-9 && (bounds.to ?? 2) < 1 && bounds.from < 0.6);
  assert.deepEqual(candidate, { units: 24_000, bad: 480 });
  const more = judgeIntervals(CONVERSIONS, minutes(24, [1_000, 60], [9_000, 300]));
  assert.equal(more.outcome, 'pass');
  assert.ok((riskRatio(more).ratio ?? 0) > 1.5);
  // With the tracks exchanged, the same counts are the same harm of errors.
  const errors = judgeIntervals(ERRORS, minutes(24, [9_000, 300], [1_000, 20]));
  assert.ok(Math.abs(riskRatio(errors).harm.value / riskRatio(drop).harm.value - 1) < 1e-9);
});

test('one broken pod, or one moment, does not roll back; the pod is named', () => {
  const byPod = (intervals: readonly Interval[], ...bad: readonly number[]): readonly Interval[] => {
    const sources = Object.fromEntries(bad.map((bad, index) => [`pod-${index}`, { units: 250, bad }]));
    return intervals.map((interval) => ({ ...interval, sources }));
  };
  const moment = judgeIntervals(ERRORS, byPod(minutes(2, [1_000, 400], [19_000, 20]), 100, 100, 100, 100));
  assert.deepEqual([moment.outcome, moment.blocked], ['undecided', 'oneSource']);
  assert.match(moment.because, /, but only in 2 windows: waits for more\.$/);
  const longRunDispersion = minutes(24, [1_000, 40], [19_000, 20]);
  const one = judgeIntervals(ERRORS, byPod(longRunDispersion, 38, 1, 1, 0));
  assert.deepEqual([one.outcome, one.blocked], ['undecided', 'oneSource']);
  assert.match(one.because, /, but 97 % of what is more comes from pod-0, which has 25 % of the units: one source/);
  assert.equal(riskRatio(one).dominant?.source, 'pod-0');
  assert.equal(judgeIntervals(ERRORS, byPod(longRunDispersion, 10, 10, 10, 10)).outcome, 'fail');
  assert.equal(judgeIntervals(ERRORS, byPod(longRunDispersion, 40)).outcome, 'fail', 'the only pod is the candidate');
  assert.equal(judgeIntervals(ERRORS, longRunDispersion).outcome, 'fail');
});

test('a hiccup of one window takes nothing back when it is over; what lasts does', () => {
  for (const spec of [ERRORS, LIMIT, BURN]) {
    const [hiccup, well] = [minutes(1, [1_000, 900], [9_000, 4]), minutes(59, [1_000, 1], [9_000, 4], 1)];
    for (const end of [3, 6, 30, 60]) {
      const { outcome, because } = judgeIntervals(spec, [...hiccup, ...well].slice(0, end));
      assert.notEqual(outcome, 'fail', because);
    }
    assert.equal(judgeIntervals(spec, minutes(5, [1_000, 900], [9_000, 4])).outcome, 'fail', spec.type);
  }
  const first = [...minutes(1, [1_000, 900], [9_000, 4]), ...minutes(6, [1_000, 1], [9_000, 4], 1)];
  const verdict = judgeIntervals(ERRORS, first);
  assert.deepEqual([verdict.outcome, verdict.blocked], ['undecided', 'oneSource']);
  assert.match(
    verdict.because,
    /, but half of what is more, or all, comes from one window that is over: waits for more\.$/,
  );
});

test('one pod, or one unit in a loop, decides nothing beside a limit or a budget either', () => {
  const harm = minutes(60, [1_000, 200], [9_000, 4]);
  const sources = { 'pod-0': { units: 100, bad: 100 }, 'pod-1': { units: 900, bad: 100 } };
  const loop = ({ candidate, stable }: Interval) => ({
    candidate: cellsOf(400, candidate.units, candidate.bad, [190]),
    stable: cellsOf(500, stable.units, stable.bad),
  });
  const podAlone = harm.map((one) => ({ ...one, sources: { ...sources, 'pod-1': { units: 900, bad: 1 } } }));
  for (const spec of [LIMIT, BURN]) {
    const pod = judgeIntervals(spec, podAlone);
    assert.deepEqual([pod.outcome, pod.blocked], ['undecided', 'oneSource'], pod.because);
    assert.match(pod.because, /comes from pod-0, which has 10 % of the units: one source dominates/);
    const unit = judgeIntervals(spec, withCells(harm, loop));
    assert.equal(unit.outcome, 'undecided', unit.because);
    assert.equal(judgeIntervals(spec, withCells(harm, alike)).outcome, 'fail', spec.type);
  }
});

test('total failure is found in three windows; half as much again waits until more is known', () => {
  assert.equal(judgeIntervals(ERRORS, minutes(3, [100, 50], [1_900, 2])).outcome, 'fail');
  assert.equal(judgeIntervals(ERRORS, minutes(2, [100, 50], [1_900, 2])).outcome, 'undecided');
  const some = [3_000, 42] as const;
  assert.equal(judgeIntervals(ERRORS, minutes(5, some, [57_000, 570])).outcome, 'undecided');
  assert.equal(judgeIntervals(ERRORS, minutes(20, some, [57_000, 570])).outcome, 'fail');
  // Twenty windows of ten seconds are not long enough to know.
  const short = minutes(20, some, [57_000, 570]).map((one, index) => ({
    ...one,
    fromMs: index * 10_000,
    toMs: (index + 1) * 10_000,
  }));
  assert.equal(judgeIntervals(ERRORS, short).outcome, 'undecided');
});

test('where one track has none at all, the other is judged by how its own events come', () => {
  const failing = judgeIntervals(ERRORS, minutes(30, [1_000, 5], [9_000, 0]));
  assert.equal(failing.outcome, 'fail', failing.because);
  const mended = judgeIntervals(ERRORS, minutes(60, [5_000, 0], [5_000, 50]));
  assert.equal(mended.outcome, 'pass', mended.because);
  const once = [...minutes(20, [1_000, 0], [9_000, 0]), ...minutes(1, [1_000, 10], [9_000, 0], 20)];
  const burst = judgeIntervals(ERRORS, [...once, ...minutes(39, [1_000, 0], [9_000, 0], 21)]);
  assert.equal(burst.outcome, 'undecided', burst.because);
});

test('declared stretches are the observations, and six of them are known', () => {
  const spec: RiskRatioSpec = { ...ERRORS, independentMs: 30 * 60_000 };
  const [half, all] = [minutes(170, [500, 15], [9_500, 190]), minutes(180, [500, 15], [9_500, 190])];
  assert.equal(judgeIntervals(ERRORS, minutes(30, [500, 15], [9_500, 190])).outcome, 'fail');
  assert.equal(judgeIntervals(spec, minutes(60, [500, 15], [9_500, 190])).outcome, 'undecided');
  assert.ok(
    riskRatio(judgeIntervals(spec, half)).dispersion.harm <=
      riskRatio(judgeIntervals(spec, minutes(60, [500, 15], [9_500, 190]))).dispersion.harm,
  );
  assert.equal(judgeIntervals(spec, all).outcome, 'fail');
});

/** As if each of so many cells had its part of units and bad events; some cells have more. */
function cellsOf(count: number, units: number, bad: number, worst: readonly number[] = []): CellCounts[] {
  const rest = bad - worst.reduce((sum, one) => sum + one, 0);
  return Array.from({ length: count }, (_, cell) => ({
    cell,
    units: units / count,
    bad: worst[cell] ?? rest / (count - worst.length),
  }));
}

/** Minutes of which the cells are known. */
function withCells(
  intervals: readonly Interval[],
  cells: (interval: Interval) => { candidate: CellCounts[]; stable: CellCounts[] },
  scopes: readonly number[] = [0],
): Interval[] {
  let [release, ofScope, before] = [NO_CELLS, NO_CELLS, -1];
  return intervals.map((interval, index) => {
    const scope = scopes[Math.floor((index * scopes.length) / intervals.length)] ?? 0;
    const counts = cells(interval);
    release = addCells(release, counts);
    ofScope = addCells(scope === before ? ofScope : NO_CELLS, counts);
    before = scope;
    const clustering = { release: clusteringOf(release), scope: clusteringOf(ofScope) };
    return { ...interval, stage: scope, scope, clustering };
  });
}

const alike = ({ candidate, stable }: Interval) => ({
  candidate: cellsOf(400, candidate.units, candidate.bad),
  stable: cellsOf(500, stable.units, stable.bad),
});

test('one unit in a retry loop takes back nothing; the same of many does', () => {
  const looping = minutes(24, [1_000, 240], [9_000, 90]);
  const one = judgeIntervals(
    ERRORS,
    withCells(looping, ({ candidate, stable }) => ({
      candidate: cellsOf(400, candidate.units, candidate.bad, [230]),
      stable: cellsOf(500, stable.units, stable.bad),
    })),
  );
  assert.equal(one.outcome, 'undecided', one.because);
  assert.ok((riskRatio(one).dispersion.units ?? 0) > 100, 'and its evidence is worth nothing');
  const few = judgeIntervals(
    ERRORS,
    withCells(looping, ({ candidate, stable }) => ({
      candidate: cellsOf(20, candidate.units, candidate.bad),
      stable: cellsOf(500, stable.units, stable.bad),
    })),
  );
  assert.deepEqual([few.outcome, few.blocked], ['undecided', 'oneSource']);
  assert.match(few.because, /it is that of some 20 units alone/);
  assert.equal(judgeIntervals(ERRORS, withCells(looping, alike)).outcome, 'fail');
});

test('one cell with a tenth of the excess may be one unit; two events in one cell may be chance', () => {
  const twice = minutes(24, [1_000, 40], [9_000, 90]);
  const heavy = (bad: number) =>
    judgeIntervals(
      ERRORS,
      withCells(twice, ({ candidate, stable }) => ({
        candidate: cellsOf(400, candidate.units, candidate.bad, [bad]),
        stable: cellsOf(500, stable.units, stable.bad),
      })),
    );
  const alone = heavy(4);
  assert.equal(alone.blocked, 'oneSource', alone.because);
  assert.match(alone.because, /13 % of what is more comes from one unit, or a few: one unit dominates/);
  assert.equal(heavy(2).outcome, 'fail');
});

test('harm after a good day is that of all who have it, not of the day before', () => {
  const better = minutes(120, [1_000, 20], [9_000, 720]);
  const worse = minutes(24, [1_000, 240], [9_000, 720], 120);
  const everywhere = ({ candidate, stable }: Interval) => ({
    candidate: cellsOf(512, candidate.units, candidate.bad),
    stable: cellsOf(512, stable.units, stable.bad),
  });
  const broken = judgeIntervals(ERRORS, withCells([...better, ...worse], everywhere));
  assert.equal(broken.outcome, 'fail', broken.because);
  const byOne = ({ candidate, stable }: Interval) => ({
    candidate: cellsOf(512, candidate.units, candidate.bad, candidate.bad > 100 ? [200] : []),
    stable: cellsOf(512, stable.units, stable.bad),
  });
  assert.notEqual(judgeIntervals(ERRORS, withCells([...better, ...worse], byOne)).outcome, 'fail');
});

test('safe are 300 units at least, and what happened is that of more than a few', () => {
  const like = minutes(24, [3_000, 60], [27_000, 540]);
  const of = (cells: number, worst: readonly number[] = []) =>
    judgeIntervals(
      ERRORS,
      withCells(like, ({ candidate, stable }) => ({
        candidate: cellsOf(cells, candidate.units, candidate.bad, worst),
        stable: cellsOf(500, stable.units, stable.bad),
      })),
    );
  assert.equal(of(400).outcome, 'pass');
  const few = of(180);
  assert.equal(few.outcome, 'undecided');
  assert.match(few.because, /below 1\.5×, but of about 222 units of 300 that it takes\.$/);
});

test('safety is of the stages with the same audience alone, harm of the whole release', () => {
  const counts = [
    [3_000, 60],
    [27_000, 540],
  ] as const;
  const intervals = minutes(40, ...counts);
  assert.equal(judgeIntervals(ERRORS, withCells(intervals, alike, [0])).outcome, 'pass');
  const fresh = judgeIntervals(ERRORS, withCells(minutes(40, [300, 6], [2_700, 54]), alike, [0, 0, 0, 1]).slice(0, 32));
  assert.equal(fresh.outcome, 'undecided', fresh.because);
  assert.equal(riskRatio(fresh).candidate.units, 32 * 300, 'what is compared is all');
  const harm = [...minutes(30, [3_000, 120], [27_000, 540]), ...minutes(10, [3_000, 60], [27_000, 540], 30)];
  const harmedBefore = withCells(harm, alike, [0, 0, 0, 1]).slice(0, 32);
  assert.equal(judgeIntervals(ERRORS, harmedBefore).outcome, 'fail');
});

test('a load test against one track is left out, by whatever source, and is no safety', () => {
  for (const spec of [ERRORS, LIMIT, BURN]) {
    const harm = minutes(24, [1_000, 40], [9_000, 90]);
    const loaded = harm.map((one, index) => (index === 5 ? { ...one, candidate: { units: 1e9, bad: 0 } } : one));
    assert.equal(judgeIntervals(spec, loaded).outcome, 'fail', spec.type);
    const now = judgeIntervals(spec, [...minutes(5, [1_000, 5], [9_000, 45]), ...minutes(1, [1e9, 0], [9_000, 45], 5)]);
    assert.equal(now.outcome, 'invalid', spec.type);
    assert.match(now.because, /the candidate got 100 % of 1,000,009,000 units where 10 % are usual: a load test/);
  }
  // A longRunDispersion change becomes the usual share after a while.
  const moved = [...minutes(5, [1_000, 5], [9_000, 45]), ...minutes(30, [9_000, 45], [9_000, 45], 5)];
  assert.equal(judgeIntervals(ERRORS, moved).outcome, 'pass');
});

test('a rate that nobody minds passes without any event, and never rolls back', () => {
  const none = minutes(24, [1_000, 0], [19_000, 0]);
  assert.equal(judgeIntervals(ERRORS, none).outcome, 'undecided');
  assert.equal(judgeIntervals({ ...ERRORS, harmlessRate: 0.001 }, none).outcome, 'pass');
  const rare = minutes(24, [10_000, 4], [190_000, 1]);
  assert.equal(judgeIntervals(ERRORS, rare).outcome, 'fail');
  assert.equal(judgeIntervals({ ...ERRORS, harmlessRate: 0.001 }, rare).outcome, 'pass');
  const frequent = minutes(24, [10_000, 40], [190_000, 10]);
  assert.equal(judgeIntervals({ ...ERRORS, harmlessRate: 0.001 }, frequent).outcome, 'fail');
});

test('a split that is not as meant is invalid, whatever the counts say', () => {
  for (const intervals of [good, harmful]) {
    const verdict = judgeIntervals(
      ERRORS,
      intervals.map((interval) => ({ ...interval, share: 0.3 })),
    );
    assert.equal(verdict.outcome, 'invalid');
    const { split } = riskRatio(verdict);
    assert.ok(split !== null && split.p !== null && split.p < 1e-9 && split.evidence.value > 1_000);
  }
});

test('evidence is that of all there is, at each look: no peak of it is kept', () => {
  const recovered = [...harmful, ...minutes(3_000, [5_000, 1], [5_000, 10], 21)];
  assert.equal(judgeIntervals(ERRORS, harmful).outcome, 'fail');
  assert.ok(
    riskRatio(judgeIntervals(ERRORS, recovered)).harm.value < riskRatio(judgeIntervals(ERRORS, harmful)).harm.value,
  );
  const silent = [...harmful, ...minutes(1, [0, 0], [5_000, 5], 21)];
  assert.equal(judgeIntervals(ERRORS, silent).outcome, 'fail', 'traffic that stops is no excuse');
  const passed = [...good, ...minutes(20, [5_000, 25], [5_000, 5], 60)];
  assert.equal(judgeIntervals(ERRORS, good).outcome, 'pass');
  assert.equal(judgeIntervals(ERRORS, passed).outcome, 'fail');
});

test('a burn is blamed on a candidate that is worse than stable, and else only holds', () => {
  assert.equal(judgeIntervals(BURN, minutes(60, [1_000, 0.5], [19_000, 9.5])).outcome, 'pass');
  assert.equal(judgeIntervals(BURN, minutes(10, [1_000, 30], [19_000, 20])).outcome, 'fail');
  // The window of five minutes is not over: that is no time to call it good.
  const early = judgeIntervals(BURN, minutes(4, [1_000, 30], [19_000, 20]));
  assert.equal(early.outcome, 'undecided', early.because);
  assert.match(early.because, /limit 14\.4×\): cannot tell yet, for that takes 5 min\.$/);
  const both = judgeIntervals(BURN, minutes(10, [1_000, 30], [19_000, 570]));
  assert.equal(both.outcome, 'undecided');
  assert.equal(both.blocked, 'serviceBurns');
  const stableAlone = judgeIntervals(BURN, minutes(10, [1_000, 1], [19_000, 570]));
  assert.equal(stableAlone.blocked, 'serviceBurns');
  const few = judgeIntervals(BURN, minutes(10, [10, 0], [190, 0]));
  assert.deepEqual(few.unitsNeeded, { toPass: 248, toFail: null });
});

test('a rate is held against its limit by evidence: chance in small windows is none', () => {
  // 1 % of 120 units a minute: single windows are beyond 2 % all the time.
  const noisy = Array.from(
    { length: 60 },
    (_, index) => minutes(1, [120, index % 5 === 0 ? 5 : 0.25], [0, 0], index)[0] ?? assert.fail(),
  );
  assert.equal(judgeIntervals(LIMIT, noisy).outcome, 'pass');
  assert.equal(judgeIntervals(LIMIT, minutes(24, [500, 25], [0, 0])).outcome, 'fail');
  assert.equal(judgeIntervals(LIMIT, minutes(2, [500, 400], [0, 0])).outcome, 'undecided', 'two windows are a moment');
  assert.equal(judgeIntervals(LIMIT, minutes(3, [500, 400], [0, 0])).outcome, 'fail');
  const least: ThresholdSpec = { type: 'threshold', name: 'Played', measure: 'rate', min: 0.5, unitsMin: 100 };
  assert.equal(judgeIntervals(least, minutes(24, [500, 400], [0, 0])).outcome, 'pass');
  assert.equal(judgeIntervals(least, minutes(24, [500, 100], [0, 0])).outcome, 'fail');
  assert.match(
    judgeIntervals(least, minutes(24, [500, 100], [0, 0])).because,
    /20 % \(limit at least 50 %\): beyond it/,
  );
});

test('a mean is held against its limit by how it varies between units', () => {
  const spec: ThresholdSpec = { type: 'threshold', name: 'Wait', measure: 'mean', max: 300, unitsMin: 100 };
  const of = (mean: number, spread: number, cells = 400) => {
    const intervals = minutes(24, [4_000, 0], [0, 0]).map((one) => ({
      ...one,
      candidate: { ...one.candidate, total: 4_000 * mean },
    }));
    return judgeIntervals(
      spec,
      withCells(intervals, () => ({
        candidate: Array.from({ length: cells }, (_, cell) => ({
          cell,
          units: 4_000 / cells,
          bad: (4_000 / cells) * (mean + (cell % 2 === 0 ? spread : -spread)),
        })),
        stable: [],
      })),
    );
  };
  assert.equal(of(200, 150).outcome, 'pass');
  assert.equal(of(400, 150).outcome, 'fail');
  assert.equal(of(400, 3_000).outcome, 'undecided', 'units differ by more');
  assert.equal(of(310, 150).outcome, 'undecided');
  assert.equal(of(400, 150, 20).outcome, 'undecided', 'of 20 units nothing is known');
});

test('a gauge is judged while nobody asks: beyond its limit more often than not, in windows that are independent', () => {
  const showValue = (values: readonly number[]) =>
    values.map((value, index) => ({
      ...(minutes(1, [0, 0], [0, 0], index)[0] ?? assert.fail()),
      candidate: { units: 0, bad: 0, value },
    }));
  const always = Array.from({ length: 12 }, () => 0.95);
  assert.equal(judgeIntervals(HEAP, showValue(always.slice(0, 4))).outcome, 'undecided');
  assert.equal(judgeIntervals(HEAP, showValue(always)).outcome, 'fail');
  assert.equal(judgeIntervals({ ...HEAP, max: 0.99 }, showValue(always)).outcome, 'pass');
  // Half of the time beyond it, for half an hour each.
  const waves = Array.from({ length: 240 }, (_, index) => (Math.floor(index / 30) % 2 === 0 ? 0.95 : 0.5));
  assert.equal(judgeIntervals(HEAP, showValue(waves)).outcome, 'undecided');
});

const anyRollout = fc.record({
  seed: fc.integer(),
  length: fc.integer({ min: 1, max: 40 }),
  ratio: fc.constantFrom(0.5, 1, 2, 5),
  faultAt: fc.integer({ min: 0, max: 60 }),
});

function simulate({
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
  const chance = seedRandom(seed);
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
      fc.constantFrom<GuardrailSpec>(ERRORS, CONVERSIONS, BURN, LIMIT, HEAP),
      (given, cut, spec) => {
        const intervals = simulate(given);
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
      const [first, second] = [simulate(given), simulate(given)].map((intervals) => judgeIntervals(ERRORS, intervals));
      assert.deepEqual(first, second);
      assert.deepEqual(JSON.parse(JSON.stringify(first)), first);
      assert.equal(first?.judgeVersion, 2);
    }),
  );
});

test('a burn rate keeps three days', () => {
  const days = minutes(5 * 24, [100, 0], [100, 0]).map((one) => ({
    ...one,
    fromMs: one.fromMs * 60,
    toMs: one.toMs * 60,
  }));
  const { tally } = fold(BURN, undefined, days);
  assert.ok(tally.of === 'burnRate' && tally.observed.length === 3 * 24);
  const seconds = minutes(600, [100, 5], [900, 1]).map((one) => ({
    ...one,
    fromMs: one.fromMs / 60,
    toMs: one.toMs / 60,
  }));
  const short = fold(BURN, undefined, seconds);
  assert.ok(short.tally.of === 'burnRate' && short.tally.observed.length === 10, 'of a minute there is one');
  assert.equal(judgeIntervals(BURN, seconds).outcome, 'fail');
});

test('the bounds of the ratio never leave 1 without failure, nor the margin without success', () => {
  fc.assert(
    fc.property(anyRollout, (given) => {
      const { outcome, figures, blocked } = judgeIntervals(ERRORS, simulate({ ...given, faultAt: 60 }));
      if (figures.of !== 'riskRatio' || given.length < 3) return;
      // One source may have it all, and the newest window may be left out.
      const isHeld = blocked === 'oneSource' || outcome === 'invalid';
      if (figures.bounds.from > 1) assert.ok(outcome === 'fail' || isHeld, outcome);
      if (outcome === 'pass') assert.ok((figures.bounds.to ?? Infinity) <= 1.5 + 1e-9);
    }),
    { numRuns: 300 },
  );
});

test('windows folded for one kind of guardrail are not judged by another', () => {
  const folded = fold(ERRORS, undefined, good);
  assert.throws(() => judge(BURN, { at: 'intervals', intervals: [], folded }, { ...CONTEXT, nowMs: 0 }));
});

test('a new kind of failure, of which stable has none, is found in three windows, after whatever quiet; one moment is not', () => {
  const quiet = minutes(100, [1_000, 0], [19_000, 0]);
  const breakInterval = (count: number) => minutes(count, [1_000, 40], [19_000, 0], 100);
  for (const before of [[], quiet, minutes(100, [1_000, 0], [19_000, 1])]) {
    assert.equal(judgeIntervals(ERRORS, [...before, ...breakInterval(2)]).outcome, 'undecided');
    const { outcome, because } = judgeIntervals(ERRORS, [...before, ...breakInterval(3)]);
    assert.equal(outcome, 'fail', because);
    assert.match(because, /; after so few windows 9\.9× as much is asked\.$/);
  }
  // The same where both had failures all the time, and where it is held against a limit.
  const day = minutes(600, [1_000, 10], [19_000, 190]);
  const failing = (count: number) => minutes(count, [1_000, 500], [19_000, 190], 600);
  for (const spec of [ERRORS, LIMIT]) {
    assert.match(
      judgeIntervals(spec, [...day, ...failing(2)]).because,
      /, but only in 2 windows: waits for more\.$/,
      spec.type,
    );
    assert.equal(judgeIntervals(spec, [...day, ...failing(3)]).outcome, 'fail', spec.type);
  }
  const moment = [...quiet, ...breakInterval(1)];
  assert.match(judgeIntervals(ERRORS, moment).because, /, but only in one window: waits for more\.$/);
  const over = judgeIntervals(ERRORS, [...moment, ...minutes(19, [1_000, 0], [19_000, 0], 101)]);
  assert.equal(over.outcome, 'undecided', over.because);
  assert.match(over.because, /; the rate moves by itself, which takes 38× as many units\.$/);
});

test('half of all requests failing from the first on is found in three windows, however they fall', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const chance = seedRandom(seed);
    const windows = Array.from({ length: 3 }, (_, index) =>
      minute(index, { units: 4_000, share: 0.1, rate: 0.001, ratio: 500 }, chance),
    );
    assert.equal(judgeIntervals(ERRORS, windows).outcome, 'fail', `seed ${seed}`);
  }
});

test('a candidate without the failures that stable has is safe', () => {
  assert.equal(judgeIntervals(ERRORS, minutes(60, [5_000, 0], [5_000, 50])).outcome, 'pass');
});

test('a hiccup just after evidence began anew is a moment, and no harm', () => {
  const hiccup = [...minutes(30, [1_000, 1], [19_000, 19]), ...minutes(1, [1_000, 60], [19_000, 19], 30)];
  assert.match(judgeIntervals(ERRORS, hiccup).because, /, but only in one window: waits for more\.$/);
});

test('harm is to be beyond a harmless rate on evidence too, which may begin late', () => {
  const spec: RiskRatioSpec = { ...ERRORS, harmlessRate: 0.01 };
  // In all 0.7 %, of late 7 %.
  const late = [...minutes(600, [1_000, 0], [19_000, 0]), ...minutes(60, [1_000, 70], [19_000, 19], 600)];
  assert.equal(judgeIntervals(spec, late).outcome, 'fail', judgeIntervals(spec, late).because);
  // Just below what is harmless, and by chance sometimes above it, but ten times what stable has.
  const below = Array.from(
    { length: 60 },
    (_, index) => minutes(1, [1_000, index % 2 === 0 ? 13 : 5], [19_000, 19], index)[0] ?? assert.fail(),
  );
  for (let length = 3; length <= below.length; length += 1) {
    const verdict = judgeIntervals(spec, below.slice(0, length));
    assert.notEqual(verdict.outcome, 'fail', verdict.because);
    const { value, needed } = riskRatio(verdict).harm;
    assert.ok(value < needed);
  }
});

test('where more is better, the candidate needs many units, and one unit of stable may dominate', () => {
  const of = (cells: number, drop: number, worst: readonly number[] = []) =>
    judgeIntervals(
      CONVERSIONS,
      withCells(minutes(24, [3_000, 60 * drop], [27_000, 540]), ({ candidate, stable }) => ({
        candidate: cellsOf(cells, candidate.units, candidate.bad),
        stable: cellsOf(500, stable.units, stable.bad, worst),
      })),
    );
  assert.equal(of(400, 1).outcome, 'pass');
  const few = of(180, 1);
  assert.match(few.because, /: not below 0\.67×, but of about 222 units of 300 that it takes\.$/);
  assert.equal(few.unitsNeeded?.toPass, 79);
  assert.equal(of(400, 0.5).outcome, 'fail');
  assert.match(of(20, 0.5).because, /, but it is that of some 20 units alone: waits for more\.$/);
});

test('one unit in a retry loop does not burn the budget, nor do a few', () => {
  const burns = minutes(10, [1_000, 30], [19_000, 20]);
  const of = (cells: number, worst: readonly number[] = []) =>
    judgeIntervals(
      BURN,
      withCells(burns, ({ candidate, stable }) => ({
        candidate: cellsOf(cells, candidate.units, candidate.bad, worst),
        stable: cellsOf(500, stable.units, stable.bad),
      })),
    );
  assert.equal(of(400).outcome, 'fail');
  assert.match(of(20).because, /, but it is that of some 20 units alone: waits for more\.$/);
  assert.equal(of(20).blocked, 'oneSource');
  assert.match(of(400, [4]).because, /, but 1\d % of what is more comes from one unit, or a few/);
});

test('a burn is weighed by how units and moments differ', () => {
  const burns = minutes(60, [1_000, 15], [19_000, 190]);
  assert.equal(judgeIntervals(BURN, burns).outcome, 'fail');
  const of = (cells: readonly number[]) =>
    judgeIntervals(
      BURN,
      withCells(burns, ({ candidate, stable }) => ({
        candidate: cellsOf(400, candidate.units, candidate.bad, cells),
        stable: cellsOf(500, stable.units, stable.bad),
      })),
    );
  assert.equal(of([]).outcome, 'fail');
  const few = of(Array.from({ length: 14 }, () => 1));
  assert.deepEqual([few.outcome, few.blocked], ['undecided', 'serviceBurns'], few.because);
  // One minute in which nine of ten failed is an hour's burn of 15.
  const held = judgeIntervals(BURN, [
    ...minutes(57, [1_000, 0], [19_000, 0]),
    ...minutes(1, [1_000, 900], [19_000, 0], 57),
    ...minutes(2, [1_000, 0], [19_000, 0], 58),
  ]);
  assert.equal(held.blocked, 'serviceBurns', held.because);
  assert.match(held.because, /burn the budget of 99\.9 % 15× as fast as planned over 1 h/);
});

test('a limit that is broken recently only, or by an earlier audience, is labelled so', () => {
  const late = judgeIntervals(LIMIT, [...minutes(300, [500, 2], [0, 0]), ...minutes(30, [500, 50], [0, 0], 300)]);
  assert.equal(late.outcome, 'fail', late.because);
  assert.match(late.because, /^Errors 1\.3 % \(limit 2 %\): lately beyond it, rolls back; evidence/);
  const intervals = [...minutes(10, [5_000, 110], [0, 0]), ...minutes(30, [100, 0], [0, 0], 10)];
  const since = judgeIntervals(
    LIMIT,
    intervals.map((one, index) => ({ ...one, scope: index < 10 ? 0 : 1 })),
  );
  assert.equal(since.outcome, 'pass', since.because);
  assert.match(since.because, /^Errors 2\.1 % \(limit 2 %\): within it since the audience changed; evidence/);
  assert.equal(judgeIntervals(LIMIT, intervals).outcome, 'undecided');
});

test('a gauge that is beyond its limit recently is labelled so, and is safe by the windows of its audience alone', () => {
  const showValue = (count: number, value: number, scope = 0) =>
    Array.from({ length: count }, () => ({ value, scope }));
  const of = (windows: readonly { value: number; scope: number }[]) =>
    judgeIntervals(
      HEAP,
      windows.map(({ value, scope }, index) => ({
        ...(minutes(1, [0, 0], [0, 0], index)[0] ?? assert.fail()),
        candidate: { units: 0, bad: 0, value },
        scope,
      })),
    );
  assert.match(
    of(showValue(20, 0.95)).because,
    /^Heap 0\.95 \(limit 0\.9\): beyond it more often than not, rolls back;/,
  );
  assert.match(of(showValue(20, 0.85)).because, /^Heap 0\.85 \(limit 0\.9\): within it more often than not; evidence/);
  const late = of([...showValue(60, 0.5), ...showValue(58, 0.95)]);
  assert.equal(late.outcome, 'undecided', 'it changed once, and what lasts so long is one moment');
  const chance = seedRandom(5);
  const often = (count: number, part: number) =>
    showValue(count, 0).map((one) => ({ ...one, value: chance() < part ? 1 : 0 }));
  assert.match(of([...often(300, 0.2), ...often(150, 0.95)]).because, /: lately beyond it more often than not, rolls/);
  assert.equal(of([...showValue(8, 0.85), ...showValue(3, 0.85, 1)]).outcome, 'undecided');
  assert.equal(of([...showValue(8, 0.85), ...showValue(3, 0.85)]).outcome, 'pass');
});

test('a reading that is nothing says what it lacks, and has no figures', () => {
  const lacking = judge(ERRORS, { at: 'empty', because: 'the metric does not exist' }, { ...CONTEXT, nowMs: 0 });
  assert.deepEqual(
    [lacking.outcome, lacking.because, lacking.figures],
    ['noData', 'Errors: the metric does not exist.', { of: 'nothing' }],
  );
});

test('windows folded for one guardrail are not judged as another', () => {
  const specs: readonly GuardrailSpec[] = [ERRORS, BURN, LIMIT, HEAP];
  const context = { ...CONTEXT, nowMs: 3_600_000 };
  for (const spec of specs) {
    for (const other of specs) {
      // Rates and gauges are both held against limits.
      if (spec.type === other.type) continue;
      const reading: SourceAnswer = { at: 'intervals', intervals: [], folded: fold(other, undefined, good) };
      assert.throws(() => judge(spec, reading, context), /^Error: the state of a \w+ cannot continue as a \w+$/);
    }
  }
});

test('a change for the worse is labelled as recent, on the side that is worse', () => {
  const cases = [
    [ERRORS, 5, 25, 'more'],
    [CONVERSIONS, 50, 15, 'fewer'],
  ] as const;
  for (const [spec, usual, then, side] of cases) {
    const since = (count: number): Verdict =>
      judgeIntervals(spec, [
        ...minutes(300, [5_000, usual], [5_000, usual]),
        ...minutes(count, [5_000, then], [5_000, usual], 300),
      ]);
    const waits = since(3);
    assert.deepEqual([waits.outcome, waits.figures.of], ['undecided', 'riskRatio'], waits.because);
    assert.match(waits.because, new RegExp(`, but lately ${side}: waits to see whether that lasts; after so few`));
    assert.match(since(20).because, new RegExp(`, lately ${side}: rolls back;`));
  }
});

test('of conversions it is the loss of stable that may be one unit alone', () => {
  const lost = minutes(24, [1_000, 30], [9_000, 540]);
  const of = (worst: { readonly candidate: readonly number[]; readonly stable: readonly number[] }) =>
    judgeIntervals(
      CONVERSIONS,
      withCells(lost, ({ candidate, stable }) => ({
        candidate: cellsOf(400, candidate.units, candidate.bad, worst.candidate),
        stable: cellsOf(400, stable.units, stable.bad, worst.stable),
      })),
    );
  assert.equal(of({ candidate: [], stable: [] }).outcome, 'fail');
  const one = of({ candidate: [], stable: [90] });
  assert.deepEqual([one.outcome, one.blocked], ['undecided', 'oneSource'], one.because);
  assert.equal(of({ candidate: [5], stable: [] }).outcome, 'fail', 'who converts more is no harm');
});

test('as many units as are asked for are enough, one fewer are not', () => {
  const limit = { ...LIMIT, unitsMin: 12_000 };
  assert.equal(judgeIntervals(limit, minutes(24, [500, 5], [0, 0])).outcome, 'pass');
  const fewer = judgeIntervals({ ...limit, unitsMin: 12_001 }, minutes(24, [500, 5], [0, 0]));
  assert.deepEqual(fewer.unitsNeeded, { toPass: 1, toFail: 1 });
});
