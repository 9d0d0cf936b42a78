import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedRandom } from '#kernel/base/chance.ts';
import { gaugeDispersion, GAUGE_POINTS, gaugeTerms } from './gauge.ts';

test('a gauge that is beyond its limit half of the time gives each likelihood a mean of 1', () => {
  const [beyond, within] = [gaugeTerms(true), gaugeTerms(false)];
  assert.equal(beyond.length, GAUGE_POINTS);
  for (const [index, term] of beyond.entries()) {
    assert.ok(term > 0 && Math.abs((Math.exp(term) + Math.exp(within[index] ?? 0)) / 2 - 1) < 1e-12);
  }
  // 1.2 to 1.98 times as likely.
  assert.ok(
    Math.abs((beyond[0] ?? 0) - Math.log(1.2)) < 1e-12 && Math.abs((beyond.at(-1) ?? 0) - Math.log(1.98)) < 1e-12,
  );
});

test('windows count as many times less as neighbours are alike: reckoned by hand', () => {
  assert.equal(gaugeDispersion([1]), 1);
  assert.equal(gaugeDispersion([1, 1, 1, 1]), 1, 'always on the same side it shows none');
  assert.equal(gaugeDispersion([1, -1, 1, -1]), 1, 'what changes each time is no less');
  // Products of neighbours 1 − 1 + 1 = 1 of squares 4: ρ = 1/4, 1.25/0.75.
  assert.ok(Math.abs(gaugeDispersion([1, 1, -1, -1]) - 5 / 3) < 1e-12);
  // Off the mean of 1/2: ½, ½, ½, −3/2: products ¼ + ¼ − ¾.
  assert.equal(gaugeDispersion([1, 1, 1, -1]), 1);
  const halves = Array.from({ length: 400 }, (_, index) => (index < 200 ? 1 : -1));
  assert.ok(Math.abs(gaugeDispersion(halves) - 1.97 / 0.03) < 1e-9, 'the correlation is capped at 0.97');
});

test('a gauge whose moments last has the dispersion of its correlation', () => {
  const chance = seedRandom(3);
  let sign = 1;
  // It stays with 0.9 and else is thrown anew: a correlation of 0.9, (1 + 0.9)/(1 − 0.9) = 19.
  const signs = Array.from({ length: 20_000 }, () => (sign = chance() < 0.9 ? sign : chance() < 0.5 ? 1 : -1));
  assert.ok(Math.abs(gaugeDispersion(signs) / 19 - 1) < 0.1, `${gaugeDispersion(signs)}`);
});
