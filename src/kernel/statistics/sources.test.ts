import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Interval } from './interval.ts';
import { addSources, dominantOf, NO_SOURCES, type Sources } from './sources.ts';

/** An interval with these events by pod, 100 units each; stable has a rate of 1 %. */
function pods(bad: Readonly<Record<string, number>>, stableBad = 1): Interval {
  const entries = Object.entries(bad);
  const sources = Object.fromEntries(entries.map(([name, bad]) => [name, { units: 100, bad }]));
  const sum = entries.reduce((sum, [, bad]) => sum + bad, 0);
  const candidate = { units: 100 * entries.length, bad: sum };
  return { fromMs: 0, toMs: 1, candidate, stable: { units: 100, bad: stableBad }, sources };
}

function addAll(intervals: readonly Interval[], better: 'fewer' | 'more' = 'fewer'): Sources {
  return intervals.reduce((state, interval) => addSources(state, interval, better), NO_SOURCES);
}

test('a pod dominates that has half of what is more than with stable, and not as much of the units', () => {
  const cases: readonly (readonly [string, Readonly<Record<string, number>>, string | undefined])[] = [
    ['one of four is broken', { a: 41, b: 1, c: 1, d: 1 }, 'a'],
    ['one of two is broken', { a: 1, b: 40 }, 'b'],
    ['three of four are', { a: 40, b: 40, c: 40, d: 1 }, undefined],
    ['all are bad alike', { a: 9, b: 8, c: 9, d: 9 }, undefined],
    ['two are bad alike, by chance one a little more', { a: 44, b: 56 }, undefined],
    ['the only one is not worse than others', { a: 40 }, undefined],
    ['none is worse than stable', { a: 1, b: 0 }, undefined],
  ];
  for (const [name, bad, wanted] of cases) assert.equal(dominantOf(addAll([pods(bad)]))?.source, wanted, name);
  const { source, badPart, unitsPart } = dominantOf(addAll([pods({ a: 37, b: 5, c: 1, d: 1 })])) ?? assert.fail();
  assert.deepEqual([source, badPart, unitsPart], ['a', 0.9, 0.25]);
});

test('a pod that replaces another does not dominate, whatever the earlier pods did', () => {
  const quiet = Array.from({ length: 500 }, () => pods({ a: 1, b: 1 }));
  assert.equal(dominantOf(addAll([...quiet, pods({ c: 40, d: 40 })])), undefined);
  assert.equal(dominantOf(addAll([...quiet, pods({ c: 80 })])), undefined, 'one process that was started anew');
  assert.equal(dominantOf(addAll([...quiet, pods({ c: 80, d: 1 })]))?.source, 'c');
  const churn = Array.from({ length: 300 }, (_, index) => pods({ [`pod-${index}`]: 1, [`and-${index}`]: 1 }));
  assert.equal(dominantOf(addAll([...churn, pods({ x: 40, y: 40 })])), undefined, 'nor do those beyond the limit');
});

test('the excess of a pod over stable is over stable of the same window', () => {
  // While everybody has 50 % errors pod a gets the traffic; it is no worse.
  const burst = { ...pods({ a: 50 }, 50) };
  assert.equal(dominantOf(addAll([burst, pods({ b: 3, c: 3, d: 3 }, 1)])), undefined);
});

test('where more events are better, or no sources are known, none dominates', () => {
  const { sources: _, ...unknown } = pods({ a: 9, b: 0 });
  assert.equal(dominantOf(addAll([unknown])), undefined);
  assert.deepEqual(addAll([pods({ a: 40, b: 1 })], 'more'), NO_SOURCES);
});

test('pods come and go without the counts growing for ever, whatever they are called', () => {
  const many = Array.from({ length: 1_000 }, (_, index) => pods({ [`pod-${index}`]: 2 }));
  const { excess } = addAll([pods({ ['__proto__']: 3, constructor: 4 }), ...many]);
  assert.ok(Object.keys(excess).length <= 201);
  const all = Object.values(excess).reduce((sum, count) => sum + count, 0);
  assert.ok(Math.abs(all - 1_005) < 1e-9);
});

test('where pods have as much less as others have more, none dominates', () => {
  assert.equal(dominantOf(addAll([pods({ a: 11, b: -9 })])), undefined);
});

test('a pod is beside those alone that had units when it had', () => {
  const idle: Interval = {
    fromMs: 0,
    toMs: 1,
    candidate: { units: 900, bad: 9 },
    stable: { units: 100, bad: 1 },
    sources: { a: { units: 0, bad: 0 }, b: { units: 900, bad: 9 } },
  };
  const { beside } = addAll([idle, pods({ a: 40, b: 1 })]);
  assert.deepEqual(beside, { a: 200, b: 1_100 });
});
