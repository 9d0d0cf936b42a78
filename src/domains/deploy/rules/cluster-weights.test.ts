import assert from 'node:assert/strict';
import { test } from 'node:test';
import { weightsFor } from './cluster-weights.ts';

const cluster = (name: string, ring: string) => ({ name, labels: { ring } });
const LUND = cluster('lund', 'first');
const TOKYO = cluster('tokyo', 'main');
const FIRST = { select: { matchLabels: { ring: 'first' } }, weight: 10 };
const HALF = { weight: 50, concurrent: 1 };

test('a stage adds to earlier ones, and a cluster has the largest weight of those that select it', () => {
  assert.deepEqual(weightsFor([FIRST], [LUND, TOKYO], undefined), { parts: 1, weightOf: { lund: 10 } });
  const first = weightsFor([{ ...FIRST, weight: 100 }], [LUND, TOKYO], undefined);
  assert.deepEqual(weightsFor([{ ...FIRST, weight: 100 }, HALF], [LUND, TOKYO], first), {
    parts: 2,
    weightOf: { lund: 100, tokyo: 50 },
    concurrent: 1,
  });
});

test('a cluster that joins has no share in a stage that was reached, and has one in the next that selects it', () => {
  const joiner = cluster('oslo', 'first');
  const before = weightsFor([FIRST], [LUND, TOKYO], undefined);
  assert.deepEqual(weightsFor([FIRST], [LUND, TOKYO, joiner], before).weightOf, { lund: 10 });
  assert.deepEqual(weightsFor([FIRST, HALF], [LUND, TOKYO, joiner], before).weightOf, {
    lund: 50,
    oslo: 50,
    tokyo: 50,
  });
});

test('a stage that is taken back has the weights of those before it', () => {
  const half = weightsFor([FIRST, HALF], [LUND, TOKYO], weightsFor([FIRST], [LUND, TOKYO], undefined));
  assert.deepEqual(weightsFor([FIRST], [LUND, TOKYO], half), { parts: 1, weightOf: { lund: 10 } });
});
