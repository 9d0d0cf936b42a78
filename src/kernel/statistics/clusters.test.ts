import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addClusters, dominantOf, isSpread, NO_CLUSTERS, type Clusters } from './clusters.ts';
import type { Interval } from './interval.ts';

const LEAST = { sources: 2, intervals: 3 };

/** An interval with these events by pod, 100 units each. */
function pods(bad: Readonly<Record<string, number>>): Interval {
  const entries = Object.entries(bad);
  const sources = Object.fromEntries(entries.map(([name, bad]) => [name, { units: 100, bad }]));
  const sum = entries.reduce((sum, [, bad]) => sum + bad, 0);
  const candidate = { units: 100 * entries.length, bad: sum };
  return { fromMs: 0, toMs: 1, candidate, stable: { units: 100, bad: 1 }, sources };
}

function unknown(bad: number): Interval {
  return { fromMs: 0, toMs: 1, candidate: { units: 100, bad }, stable: { units: 100, bad: 1 } };
}

function clustered(intervals: readonly Interval[], better: 'fewer' | 'more' = 'fewer'): Clusters {
  return intervals.reduce((state, interval) => addClusters(state, interval, better), NO_CLUSTERS);
}

test('events are spread when they come from two pods, or in three intervals', () => {
  const cases: readonly (readonly [string, readonly Interval[], boolean])[] = [
    ['nothing', [], false],
    ['one pod, one interval', [pods({ a: 50, b: 0 })], false],
    ['one pod, two intervals', [pods({ a: 50, b: 0 }), pods({ a: 50, b: 0 })], false],
    ['one pod, three intervals', [pods({ a: 5 }), pods({ a: 5 }), pods({ a: 5 })], true],
    ['two pods at once', [pods({ a: 50, b: 1 })], true],
    ['pods unknown, two intervals', [unknown(9), unknown(9), unknown(0)], false],
    ['pods unknown, three intervals', [unknown(9), unknown(9), unknown(1)], true],
  ];
  for (const [name, intervals, wanted] of cases) assert.equal(isSpread(clustered(intervals), LEAST), wanted, name);
});

test('where more events are better, only moments count: a drop has no pod', () => {
  const drop = pods({ a: 1, b: 1 });
  assert.equal(isSpread(clustered([drop, drop], 'more'), LEAST), false);
  assert.equal(isSpread(clustered([drop, drop, drop], 'more'), LEAST), true);
});

test('a pod dominates that has half of the events and at most half as much of the units', () => {
  assert.deepEqual(dominantOf(clustered([pods({ a: 18, b: 1, c: 1, d: 0 })])), {
    source: 'a',
    badPart: 0.9,
    unitsPart: 0.25,
  });
  assert.equal(dominantOf(clustered([pods({ a: 9, b: 8, c: 9, d: 9 })])), undefined);
  assert.equal(dominantOf(clustered([pods({ a: 9 })])), undefined, 'the only one is not worse than others');
  assert.equal(dominantOf(clustered([unknown(9)])), undefined);
});

test('pods come and go without the counts growing for ever, whatever they are called', () => {
  const many = Array.from({ length: 1_000 }, (_, index) => pods({ [`pod-${index}`]: 1 }));
  const { bad } = clustered([pods({ ['__proto__']: 2, constructor: 3 }), ...many]);
  assert.ok(Object.keys(bad).length <= 201);
  assert.equal(
    Object.values(bad).reduce((sum, count) => sum + count, 0),
    1_005,
  );
});
