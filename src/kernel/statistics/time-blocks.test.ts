import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedRandom } from '#kernel/base/chance.ts';
import { normal, poisson } from './testing/draws.ts';
import {
  addBlock,
  observationTimeOf,
  blocksSince,
  NO_BLOCKS,
  rateInTime,
  shareInTime,
  timeDispersion,
  type TimeBlocks,
} from './time-blocks.ts';

const MINUTE_MS = 60_000;

type Counts = readonly [number, number, number, number];

/** Windows one after the other: units and events of the candidate, and of stable. */
function blocks(windows: readonly Counts[], ms = MINUTE_MS, independentMs?: number): TimeBlocks {
  return windows.reduce(
    (state, [units, bad, stableUnits, stableBad], index) =>
      addBlock(
        state,
        { candidate: { units, bad }, stable: { units: stableUnits, bad: stableBad } },
        { fromMs: index * ms, toMs: (index + 1) * ms },
        independentMs,
      ),
    NO_BLOCKS,
  );
}

const times = (count: number, ...counts: Counts): Counts[] => Array.from({ length: count }, () => counts);

function sums({ blocks: list }: TimeBlocks): readonly number[] {
  return list.reduce(
    ([units, bad, stableUnits, stableBad], one) => [
      (units ?? 0) + one.units,
      (bad ?? 0) + one.bad,
      (stableUnits ?? 0) + one.stableUnits,
      (stableBad ?? 0) + one.stableBad,
    ],
    [0, 0, 0, 0] as readonly number[],
  );
}

test('windows of one minute, or of one declared stretch, are one block', () => {
  assert.deepEqual(blocks([...times(6, 10, 1, 90, 9)], 10_000).blocks, [
    { number: 0, toMs: MINUTE_MS, windows: 6, ms: MINUTE_MS, units: 60, bad: 6, stableUnits: 540, stableBad: 54 },
  ]);
  assert.equal(blocks(times(7, 10, 1, 90, 9), 10_000).blocks.length, 2);
  assert.equal(blocks(times(7, 10, 1, 90, 9), 90_000).blocks.length, 7);
  assert.deepEqual(
    blocks(times(7, 10, 1, 90, 9), MINUTE_MS, 3 * MINUTE_MS).blocks.map(({ windows }) => windows),
    [3, 3, 1],
  );
  assert.deepEqual(observationTimeOf(blocks(times(7, 10, 1, 90, 9), 10_000)), { windows: 7, ms: 70_000, stretches: 2 });
});

test('of more than 512 blocks neighbours become one: the sums stay, and so does the order of time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 500, max: 2_100 }), fc.integer(), (length, seed) => {
      const chance = seedRandom(seed);
      const draw = () => Math.floor(chance() * 10);
      const windows = Array.from({ length }, (): Counts => [draw(), draw(), draw(), draw()]);
      const state = blocks(windows);
      assert.ok(state.blocks.length <= 512 && state.blocks.length >= Math.min(length, 256));
      assert.deepEqual(
        sums(state),
        [0, 1, 2, 3].map((index) => windows.reduce((sum, one) => sum + (one[index] ?? 0), 0)),
      );
      assert.deepEqual(observationTimeOf(state), {
        windows: length,
        ms: length * MINUTE_MS,
        stretches: state.blocks.length,
      });
      const ends = state.blocks.map(({ toMs }) => toMs);
      assert.deepEqual(
        ends,
        ends.toSorted((a, b) => a - b),
      );
      assert.equal(ends.at(-1), length * MINUTE_MS);
    }),
    { numRuns: 10 },
  );
  assert.equal(blocks(times(512, 1, 0, 1, 0)).blocks.length, 512);
  const mergePairs = blocks(times(513, 1, 0, 1, 0));
  assert.deepEqual(
    [mergePairs.blocks.length, mergePairs.blocks[0]?.windows, mergePairs.blocks.at(-1)?.windows],
    [257, 2, 1],
  );
  // A window of the same minute joins the last block.
  const again = addBlock(
    mergePairs,
    { candidate: { units: 5, bad: 1 }, stable: { units: 5, bad: 1 } },
    { fromMs: 512 * MINUTE_MS + 1, toMs: 513 * MINUTE_MS + 5 },
    undefined,
  );
  assert.deepEqual([again.blocks.length, again.blocks.at(-1)?.units], [257, 6]);
});

test('blocks that ended after a time are those since then', () => {
  const state = blocks(times(5, 1, 0, 1, 0));
  assert.equal(blocksSince(state, 2 * MINUTE_MS).blocks.length, 3);
  assert.equal(blocksSince(state, 2 * MINUTE_MS - 1).blocks.length, 4);
});

test('a stretch is off by its events beyond the candidate’s part of both: reckoned by hand', () => {
  // Within windows (4·30 + 2·30)/40 over (6·10 + 8·10)/40, each with 20·60/80² more: 75/59, so of 10 : 30 units the part is
  // 75/59/(75/59 + 3) = 25/84.
  const { deviations: found } = shareInTime(
    blocks([
      [10, 4, 30, 6],
      [10, 2, 30, 8],
    ]),
    0,
  );
  const round = found.map(({ off, variance }) => [Number(off.toFixed(9)), Number(variance.toFixed(9))]);
  assert.deepEqual(round, [
    [Number((4 - 250 / 84).toFixed(9)), Number((10 * (25 / 84) * (59 / 84)).toFixed(9))],
    [Number((2 - 250 / 84).toFixed(9)), Number((10 * (25 / 84) * (59 / 84)).toFixed(9))],
  ]);
  // A window without units on one side is skipped and has no weight.
  const more: readonly Counts[] = [
    [10, 4, 30, 6],
    [10, 2, 30, 8],
    [0, 0, 30, 5],
    [10, 5, 0, 0],
  ];
  assert.deepEqual(shareInTime(blocks(more), 0).deviations, found);
  assert.equal(
    shareInTime(blocks([...times(2, 10, 4, 30, 6), [10, 0, 30, 0]]), 0).deviations.length,
    2,
    'without any event',
  );
  // A track without any has a low rate, and no noise of its own.
  assert.ok(shareInTime(blocks(times(9, 10, 0, 30, 8)), 0).deviations.every(({ off }) => Math.abs(off) < 0.1));
});

test('an incident on both tracks is no deviation, and neither is a change of the ratio at the given moment', () => {
  const hit: readonly Counts[] = [
    [100, 1, 300, 3],
    [100, 50, 300, 150],
    [100, 7, 300, 21],
  ];
  assert.ok(shareInTime(blocks(hit), 0).deviations.every(({ off }) => Math.abs(off) < 0.5));
  const change = (before: number, after: number, bad = 12) => {
    const windows = [...times(before, 100, 4, 300, 12), ...times(after, 100, bad, 300, 12)];
    return shareInTime(blocks(windows), before * MINUTE_MS).deviations.filter(({ off }) => Math.abs(off) > 0.3).length;
  };
  assert.equal(change(20, 20), 0);
  // It was otherwise for 20 minutes before, or is of another kind.
  assert.equal(change(19, 21), 40);
  assert.equal(change(20, 5), 0);
  assert.equal(change(3, 5, 40), 8);
  assert.equal(change(3, 5, 41), 0);
});

test('the candidate’s own rate is what it is held against beside a limit, before and after a change', () => {
  const windows: readonly Counts[] = [
    [100, 2, 0, 0],
    [300, 10, 0, 0],
    [0, 0, 0, 0],
    [100, 31, 0, 0],
    [100, 31, 0, 0],
  ];
  const { deviations: found } = rateInTime(blocks(windows), 2 * MINUTE_MS);
  assert.deepEqual(
    found.map(({ off, variance }) => [off, variance]),
    [
      [-1, 3],
      [1, 9],
      [0, 31],
      [0, 31],
    ],
  );
  assert.deepEqual(rateInTime(blocks(times(4, 100, 0, 0, 0)), 0).deviations, []);
});

test('where stable has nearly nothing, it is the candidate’s own rate that moves, and a jump of it is none', () => {
  const offs = (windows: readonly Counts[]) =>
    shareInTime(blocks(windows), 0).deviations.map(({ off }) => Number(off.toFixed(9)));
  // Ten times the rate of stable is compared with it; more is not.
  assert.deepEqual(offs([...times(20, 100, 10, 100, 1), [100, 20, 100, 2]]).at(-1), 0.037037037, 'beside stable');
  assert.deepEqual(offs([...times(20, 100, 11, 100, 1), [100, 22, 100, 2]]).at(-1), 0, 'by itself');
  assert.deepEqual(
    offs([
      [100, 30, 100, 0],
      [100, 50, 100, 1],
      [100, 40, 100, 0],
    ]).length,
    3,
  );
  assert.deepEqual(offs([...times(5, 100, 0, 100, 0), ...times(4, 100, 30, 100, 0)]), [0, 0, 0, 0]);
  assert.deepEqual(offs([...times(5, 100, 2, 100, 0), ...times(4, 100, 30, 100, 0)]), [0, 0, 0, 0, 0, 0, 0, 0, 0]);
  // A burst is a jump, and what comes after it is not like it.
  const burst = offs([...times(5, 100, 0, 100, 0), [100, 40, 100, 0], ...times(3, 100, 0, 100, 0)]);
  assert.deepEqual(burst, [30, -10, -10, -10]);
  // By units and not by windows: the same rate with ten times the traffic is no jump.
  assert.deepEqual(
    offs([...times(5, 100, 3, 100, 0), ...times(5, 1_000, 30, 1_000, 0)]),
    Array.from({ length: 10 }, () => 0),
  );
});

test('how much is known of harm: all there is, or, where it is of another kind, what came since its jump', () => {
  const knowHarm = (find: typeof rateInTime, windows: readonly Counts[], changeMs: number) => {
    const { windows: count, ms, stretches } = find(blocks(windows), changeMs).known;
    assert.deepEqual([ms / MINUTE_MS, stretches], [count, count]);
    return count;
  };
  const quiet = [...times(6, 100, 0, 900, 0), ...times(3, 100, 30, 900, 0)];
  assert.equal(knowHarm(shareInTime, quiet, 0), 3);
  // When it began is known half as well as it is old.
  assert.equal(knowHarm(shareInTime, quiet, 7 * MINUTE_MS), 3);
  assert.equal(knowHarm(shareInTime, quiet, 8 * MINUTE_MS), 1);
  // Ten times the rate of stable may be noise, and so may ten times the own rate before.
  const usual = (bad: number) => [...times(6, 100, 3, 900, 27), ...times(3, 100, bad, 900, 27)];
  assert.equal(knowHarm(shareInTime, usual(30), 6 * MINUTE_MS), 9);
  assert.equal(knowHarm(shareInTime, usual(31), 6 * MINUTE_MS), 3);
  assert.equal(knowHarm(shareInTime, usual(31), 0), 9);
  assert.equal(knowHarm(rateInTime, usual(30), 6 * MINUTE_MS), 9);
  assert.equal(knowHarm(rateInTime, usual(31), 6 * MINUTE_MS), 3);
  assert.equal(knowHarm(rateInTime, usual(31), 0), 9);
  assert.equal(knowHarm(rateInTime, quiet, 6 * MINUTE_MS), 3);
  assert.equal(knowHarm(rateInTime, times(4, 100, 0, 900, 0), 2 * MINUTE_MS), 4);
  // By units: as many events of ten times the traffic are no other rate.
  assert.equal(knowHarm(rateInTime, [...times(6, 100, 3, 0, 0), ...times(3, 10_000, 60, 0, 0)], 6 * MINUTE_MS), 9);
});

const SEEN = { isBlocked: false } as const;

test('the dispersion is how far stretches are off, and more where neighbours are off together: reckoned by hand', () => {
  const of = (offs: readonly number[], variance = 1) => offs.map((off) => ({ off, variance }));
  assert.equal(timeDispersion([], SEEN), 1);
  assert.equal(timeDispersion(of([9]), SEEN), 1, 'one stretch tells nothing');
  assert.equal(timeDispersion(of([1, -1, 1, -1]), SEEN), 1);
  assert.equal(timeDispersion(of([0.1, -0.1]), SEEN), 1, 'never below 1');
  assert.equal(timeDispersion(of([0, 0, 0]), SEEN), 1);
  assert.equal(timeDispersion(of([2, -2, 2, -2]), SEEN), 4);
  // As many of 4 as of 1: their mean is 5/2, and neighbours of the same size do not hang together.
  assert.equal(timeDispersion(of([2, -1, 2, -1]), SEEN), 2.5);
  // In twos: products 4 − 4 + 4 of squares 16: 1/4 is within chance, 1/2.
  assert.equal(timeDispersion(of([2, 2, -2, -2]), SEEN), 4);
  // In eights: 4 · (7 − 1 + 7) of 64 · … = 13/16, chance 1/4, ψ = 3: ρ = min(0.97, 13/16·4/(3 + √2/4) + 1/4).
  const eights = of([2, 2, 2, 2, 2, 2, 2, 2, -2, -2, -2, -2, -2, -2, -2, -2]);
  assert.ok(Math.abs(timeDispersion(eights, SEEN) - (1 + (3 * 1.97) / 0.03)) < 1e-9);
  assert.equal(timeDispersion(eights, { isBlocked: true }), 4, 'declared to be independent');
  // In fours of 32: 4·(3·8 − 7) of 4·32 = 17/32, chance √(1/32), ψ = 3.
  const fours = of(Array.from({ length: 32 }, (_, index) => (Math.floor(index / 4) % 2 === 0 ? 2 : -2)));
  const chance = 1 / Math.sqrt(32);
  const seen = ((17 / 32) * 4) / (3 + Math.SQRT2 * chance);
  const rho = seen + chance + (1 + 4 * seen) / 32;
  assert.ok(Math.abs(timeDispersion(fours, SEEN) - (1 + (3 * (1 + rho)) / (1 - rho))) < 1e-9);
  // A score is by its own variance.
  const scaled = fours.map(({ off }, index) =>
    index % 3 === 0 ? { off: 3 * off, variance: 9 } : { off, variance: 1 },
  );
  assert.ok(Math.abs(timeDispersion(scaled, SEEN) - timeDispersion(fours, SEEN)) < 1e-9);
});

test('patience learned before is the least, also where nothing was seen yet', () => {
  const history = { psi: 2, rho: 0.5, windows: 100 };
  assert.equal(timeDispersion([], { ...SEEN, history }), 7);
  assert.equal(
    timeDispersion(
      [
        { off: 1, variance: 1 },
        { off: 1, variance: 1 },
      ],
      { ...SEEN, history },
    ),
    7,
  );
  assert.equal(
    timeDispersion(
      [
        { off: 3, variance: 1 },
        { off: -3, variance: 1 },
      ],
      { ...SEEN, history },
    ),
    9,
  );
  assert.equal(
    timeDispersion(
      [
        { off: 2, variance: 1 },
        { off: -2, variance: 1 },
      ],
      { isBlocked: true, history },
    ),
    7,
  );
});

test('independent events have a dispersion of about 1, bursts that of their size, and what lasts a multiple of it', () => {
  const runs = 30;
  const mean = (rateOf: (index: number, chance: () => number) => number, clump = 1): number => {
    let total = 0;
    for (let run = 0; run < runs; run += 1) {
      const chance = seedRandom(run);
      const windows = Array.from({ length: 480 }, (_, index): Counts => {
        const candidate = clump * poisson((rateOf(index, chance) * 40) / clump, chance);
        return [4_000, candidate, 36_000, poisson(360, chance)];
      });
      total += timeDispersion(shareInTime(blocks(windows), 0).deviations, SEEN) / runs;
    }
    return total;
  };
  const independent = mean(() => 1);
  assert.ok(independent > 1 && independent < 1.12, `${independent}`);
  const bursts = mean(() => 1, 4);
  assert.ok(bursts > 3.4 && bursts < 4.5, `${bursts}`);
  // Minutes of its own with ρ = 0.8 and a deviation of a half: ψ is 40 · 0.25 of its 0.9, times (1 + ρ)/(1 − ρ) = 9.
  let state = 0;
  const longRunDispersion = mean((index, chance) => {
    state = index === 0 ? normal(chance) : 0.8 * state + 0.6 * normal(chance);
    return Math.exp(0.5 * state - 0.125);
  });
  assert.ok(longRunDispersion > 60 && longRunDispersion < 250, `${longRunDispersion}`);
});
