import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chiSquareSurvival } from './chi-square.ts';

test('the chance to exceed x is that of the printed tables', () => {
  // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4: critical values of χ².
  const printed: readonly (readonly [number, number, number])[] = [
    [2.706, 1, 0.1],
    [3.841, 1, 0.05],
    [6.635, 1, 0.01],
    [10.828, 1, 0.001],
    [5.991, 2, 0.05],
    [7.815, 3, 0.05],
    [18.307, 10, 0.05],
    [29.588, 10, 0.001],
    [67.505, 50, 0.05],
    [124.342, 100, 0.05],
    [77.929, 100, 0.95],
  ];
  for (const [x, degrees, wanted] of printed) {
    const relative = Math.abs(chiSquareSurvival(x, degrees) / wanted - 1);
    assert.ok(relative < 2e-3, `${x} of ${degrees}: ${chiSquareSurvival(x, degrees)}, not ${wanted}`);
  }
});

test('the chance to exceed x is that of SciPy 1.17 to twelve digits, far out too', () => {
  const reckoned: readonly (readonly [number, number, number])[] = [
    [0.001, 1, 0.9747728793699604],
    [0.5, 1, 0.47950012218695337],
    [50, 1, 1.537459794428033e-12],
    [150, 1, 1.7336432457178413e-34],
    [5, 2, 0.0820849986238988],
    [0.2, 3, 0.9775892977616494],
    [70, 100, 0.9901544975235914],
    [120, 100, 0.08440668109369177],
    [1000, 900, 0.010994608942135844],
  ];
  for (const [x, degrees, wanted] of reckoned) {
    assert.ok(Math.abs(chiSquareSurvival(x, degrees) / wanted - 1) < 1e-12, `${x} of ${degrees}`);
  }
});

test('with two degrees of freedom it is exp(−x/2), and nothing is exceeded by less than nothing', () => {
  for (const x of [0.01, 1, 7, 60]) assert.ok(Math.abs(chiSquareSurvival(x, 2) / Math.exp(-x / 2) - 1) < 1e-13);
  assert.equal(chiSquareSurvival(0, 1), 1);
});
