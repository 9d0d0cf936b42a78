import assert from 'node:assert/strict';
import { test } from 'node:test';
import { growth, measureShape, recordedShape } from './shape.ts';

test('functions that are too long only shrink', async () => {
  const recorded = await recordedShape();
  const measured = await measureShape();
  assert.deepEqual(growth(recorded, measured), []);
  assert.deepEqual(measured, recorded, 'something shrank: node tools/shape.ts records it');
});

test('growth is what is larger than recorded, or new', () => {
  const recorded = { 'a f': 90, 'a g': 100 };
  const measured = { 'a f': 91, 'a g': 99, 'a h': 85 };
  assert.deepEqual(growth(recorded, measured), [
    'a f: 91 lines, 90 before',
    'a h: 85 lines, not over the limit before',
  ]);
});
