import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logMeanExp } from './log-mean-exp.ts';

test('the mean of numbers far beyond what a number holds is right to the last digits', () => {
  assert.ok(Math.abs(logMeanExp([0, Math.log(3)]) - Math.log(2)) < 1e-15);
  assert.ok(Math.abs(logMeanExp([5_000, 5_000 + Math.log(3)]) - 5_000 - Math.log(2)) < 1e-12);
  assert.ok(Math.abs(logMeanExp([-5_000, -5_000]) + 5_000) < 1e-12);
  // Terms that change only the 16th digit are skipped, larger ones are not.
  assert.ok(Math.abs(logMeanExp([0, -30, -50, -50]) - Math.log((1 + Math.exp(-30)) / 4)) < 1e-15);
});
