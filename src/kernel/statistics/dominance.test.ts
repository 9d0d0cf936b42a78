import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasMost, rateBeside } from './dominance.ts';

test('one of several has most with half of what there is too much of, and at most 0.6 times as much of the units', () => {
  assert.equal(hasMost(0.5, 0), true);
  assert.equal(hasMost(0.49, 0), false);
  assert.equal(hasMost(0.5, 0.3), true);
  assert.equal(hasMost(0.5, 0.31), false);
  assert.equal(hasMost(1, 0.6), true);
  assert.equal(hasMost(1, 0.61), false);
});

test('the rate beside is that of stable in the window, and 0 where it has no units', () => {
  assert.equal(rateBeside({ stable: { units: 200, bad: 3 } }), 0.015);
  assert.equal(rateBeside({ stable: { units: 0, bad: 0 } }), 0);
});
