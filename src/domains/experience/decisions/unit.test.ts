import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import { unitReader } from './unit.ts';

const read = (context: Record<string, unknown>, names: readonly string[], algorithm?: Bucketing['algorithm']) =>
  unitReader(names, algorithm && { algorithm, salt: 's' })({ context, random: () => 0.5 });

test('names with dots are found as they are and in nested values, except by tools that look for the name alone', () => {
  const nested = { user: { name: 'jack' } };
  for (const algorithm of [undefined, 'backline', 'flagd-v1', 'flagd-v2', 'eppo'] as const) {
    assert.equal(read(nested, ['user.name'], algorithm), 'jack', String(algorithm));
  }
  for (const algorithm of ['growthbook-v1', 'growthbook-v2', 'unleash'] as const) {
    assert.equal(read(nested, ['user.name'], algorithm), undefined, algorithm);
    assert.equal(read({ ...nested, 'user.name': 'ann' }, ['user.name'], algorithm), 'ann');
  }
});

test('the first that is there counts, as text; what is no unit is passed over', () => {
  const context = {
    none: '',
    list: ['a'],
    nan: Number.NaN,
    nothing: null,
    id: 7,
    large: 1_795_000_000_000_000_199n,
    off: false,
  };
  assert.equal(read(context, ['none', 'list', 'nan', 'nothing', 'gone', 'id', 'large']), '7');
  assert.equal(read(context, ['large']), '1795000000000000199');
  assert.equal(read(context, ['off']), 'false');
  assert.equal(read(context, ['constructor', 'toString']), undefined);
  assert.equal(read(context, ['gone', '$random']), '500000000');
});
