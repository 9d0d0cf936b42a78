import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSchema } from '../structure.ts';
import { linearPattern } from './linear-pattern.ts';
import { durationText } from './duration.ts';
import { readSchema } from './schema-node.ts';

test('a duration has a part, in the order of ISO 8601, and no part without a number', () => {
  const schema = durationText('How long.');
  const { validate } = compileSchema(schema);
  const exported = linearPattern(readSchema(schema).pattern ?? '');
  for (const right of ['P1D', 'PT1H', 'PT1M', 'PT1S', 'P1DT2H', 'PT2H3M4S', 'PT2H4S', 'PT3M4S', 'P1DT2H3M4S']) {
    assert.deepEqual(validate(right), [], right);
    assert.ok(exported.test(right), right);
  }
  for (const wrong of [
    '',
    'P',
    'PT',
    'P1DT',
    '1D',
    'P1Y',
    'PT1D',
    'PT1S1M',
    'PT1M1H',
    'P-1D',
    'PT1.5S',
    'P1D2H',
    'P12345D',
  ]) {
    assert.equal(validate(wrong).length, 1, wrong);
    assert.ok(!exported.test(wrong), wrong);
  }
});
