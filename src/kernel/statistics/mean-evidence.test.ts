import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedRandom } from '#kernel/base/chance.ts';
import { addCells, CELLS, clusteringOf, NO_CELLS, type TrackClustering } from './cells.ts';
import { logMeanBeyond } from './mean-evidence.ts';
import { normal } from './testing/draws.ts';

/** Numbers as a track of 400 cells with this mean; each unit by itself, with this deviation. */
function track(units: number, mean: number, deviation: number): TrackClustering {
  const zero = { fourths: 0, unitSquares: 0, excess: 0, excessMax: 0, badOfMax: 0, badMax: 0 };
  const bad = units * mean;
  const squares = (units * deviation ** 2 * 399) / 400;
  return { ...zero, cells: 400, units, bad, squares, squaresExpected: (bad * 399) / 400 };
}

/** ln of the mean likelihood over means beyond the limit, added up in small steps: what the formula is the integral of. */
function integrate(units: number, mean: number, deviation: number, limit: number, sign: number): number {
  const information = units / deviation ** 2;
  const scale = 0.2 * limit;
  const off = sign * (mean - limit);
  let sum = 0;
  const step = scale / 20_000;
  for (let at = step / 2; at < 8 * scale; at += step) {
    const prior = (2 * Math.exp(-0.5 * (at / scale) ** 2)) / (scale * Math.sqrt(2 * Math.PI));
    sum += step * prior * Math.exp(information * (off * at - 0.5 * at ** 2));
  }
  return Math.log(sum);
}

test('it is the mean likelihood of all means beyond the limit, on either side', () => {
  for (const [units, mean, deviation, limit, sign] of [
    [100, 320, 400, 300, 1],
    [400, 280, 400, 300, 1],
    [400, 280, 400, 300, -1],
    [50, 310, 100, 300, -1],
    [1_000, 305, 100, 300, 1],
    [1_000, 220, 300, 300, 1],
    [40, 0.9, 1, 1, -1],
  ] as const) {
    const found = logMeanBeyond(track(units, mean, deviation), limit, sign);
    const wanted = integrate(units, mean, deviation, limit, sign);
    assert.ok(Math.abs(found - wanted) < 1e-4, `${found}, not ${wanted} for ${units} of ${mean}`);
  }
});

test('both sides of a limit are mirror images, and at the limit they are the same', () => {
  const above = logMeanBeyond(track(500, 360, 400), 300, 1);
  assert.ok(Math.abs(above - logMeanBeyond(track(500, 240, 400), 300, -1)) < 1e-9);
  const at = track(500, 300, 400);
  assert.equal(logMeanBeyond(at, 300, 1), logMeanBeyond(at, 300, -1));
  // Below zero as above it, and at zero with a reach of a fifth.
  assert.ok(Math.abs(logMeanBeyond({ ...track(500, -240, 400), squaresExpected: 0 }, -300, 1) - above) < 1e-9);
  assert.ok(Math.abs(logMeanBeyond(track(500, 0.2, 1), 0, 1) - logMeanBeyond(track(500, 1.2, 1), 1, 1)) < 1e-9);
});

test('where the two forms of the tail meet, nothing jumps', () => {
  // z is −6 about here: the units give the information, the mean is 20 below.
  const at = (mean: number) => logMeanBeyond(track(1_000_000, mean, 1_000), 300, 1);
  let before = at(293);
  for (let mean = 293.01; mean < 295; mean += 0.01) {
    const now = at(mean);
    assert.ok(now > before && now - before < 0.01, `${mean}: ${before} to ${now}`);
    before = now;
  }
});

test('far on the right side there is no evidence, however sure, and however little varies', () => {
  for (const deviation of [1, 1e-6, 1e-12]) {
    for (const units of [1e3, 1e6, 1e12]) {
      const found = logMeanBeyond(track(units, 100, deviation), 300, 1);
      assert.ok(found < 0 && Number.isFinite(found), `${found}`);
    }
  }
});

test('nothing, one cell, or values without variance give no evidence', () => {
  const some = track(500, 360, 400);
  assert.equal(logMeanBeyond({ ...some, units: 0, bad: 0, squares: 0 }, 300, 1), 0);
  assert.equal(logMeanBeyond({ ...some, units: 0 }, 300, 1), 0);
  assert.equal(logMeanBeyond({ ...some, squares: 0 }, 300, 1), 0);
  assert.equal(logMeanBeyond({ ...some, cells: 1 }, 300, 1), 0);
  assert.ok(logMeanBeyond({ ...some, cells: 2 }, 300, 1) > 0);
});

test('at the limit its mean is at most 1, and it ever exceeds 20 in at most one of 20, with windows of two units as of many', () => {
  const chance = seedRandom(5);
  for (const [each, looks] of [
    [2, 150],
    [40, 40],
  ] as const) {
    const runs = 300;
    let [mean, exceeded] = [0, 0];
    for (let run = 0; run < runs; run += 1) {
      let [cells, most] = [NO_CELLS, 0];
      let last = 0;
      for (let look = 1; look <= looks; look += 1) {
        const counts = new Map<number, { units: number; bad: number }>();
        for (let unit = 0; unit < each; unit += 1) {
          const cell = Math.floor(chance() * CELLS);
          const { units, bad } = counts.get(cell) ?? { units: 0, bad: 0 };
          counts.set(cell, { units: units + 1, bad: bad + 100 + 50 * normal(chance) });
        }
        cells = addCells(cells, { candidate: [...counts].map(([cell, one]) => ({ cell, ...one })), stable: [] });
        // Before a few windows nobody asks: of 30 cells something is known.
        if (look % 10 !== 0 || look * each < 40) continue;
        last = Math.exp(logMeanBeyond(clusteringOf(cells).candidate, 100, 1));
        most = Math.max(most, last);
      }
      mean += last / runs;
      if (most >= 20) exceeded += 1;
    }
    assert.ok(mean < 1.3, `${mean} with ${each}`);
    assert.ok(exceeded / runs < 0.05 + 2 * Math.sqrt((0.05 * 0.95) / runs), `${exceeded} with ${each}`);
  }
});
