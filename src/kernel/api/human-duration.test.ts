import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration } from './human-duration.ts';

const [m, h, d, y] = [60, 3_600, 86_400, 365 * 86_400];

/** The table of k8s.io/apimachinery/pkg/util/duration. */
const KNOWN: readonly [seconds: number, text: string][] = [
  [1, '1s'],
  [70, '70s'],
  [190, '3m10s'],
  [70 * m, '70m'],
  [47 * h, '47h'],
  [49 * h, '2d1h'],
  [8 * d + 2 * h, '8d'],
  [367 * d, '367d'],
  [2 * y + 25 * h, '2y1d'],
  [8 * y + 2 * h, '8y'],
  [-2, '<invalid>'],
  [-1.999, '0s'],
  [-1, '0s'],
  [0, '0s'],
  [0.999, '0s'],
  [2 * m - 0.001, '119s'],
  [2 * m, '2m'],
  [2 * m + 1, '2m1s'],
  [10 * m - 0.001, '9m59s'],
  [10 * m, '10m'],
  [3 * h - 0.001, '179m'],
  [3 * h, '3h'],
  [3 * h + m, '3h1m'],
  [8 * h - 0.001, '7h59m'],
  [8 * h, '8h'],
  [2 * d - 0.001, '47h'],
  [2 * d, '2d'],
  [2 * d + h, '2d1h'],
  [8 * d - 0.001, '7d23h'],
  [8 * d, '8d'],
  [2 * y - 0.001, '729d'],
  [2 * y, '2y'],
  [2 * y + 23 * h, '2y'],
  [3 * y - 0.001, '2y364d'],
  [8 * y - 0.001, '7y364d'],
  [8 * y, '8y'],
  [8 * y + 364 * d, '8y'],
  [9 * y, '9y'],
];

for (const [seconds, text] of KNOWN) {
  test(`an age of ${seconds} seconds is ${text}, as kubectl has it`, () => assert.equal(humanDuration(seconds), text));
}
