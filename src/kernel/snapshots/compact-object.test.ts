import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { CompactObject } from './compact-object.ts';

function live(index: number, more: Partial<LiveObject> = {}): LiveObject {
  const labels = { tier: String(index % 3) };
  return { kind: 'K', namespace: 'n', name: `o-${index}`, labels, revision: `r-${index}`, spec: { index }, ...more };
}

test('a kept object says what it was made of, however many were looked at since', () => {
  const objects = Array.from({ length: 2_000 }, (_, index) => live(index, index % 2 ? { allotment: [index] } : {}));
  const kept = objects.map((object) => new CompactObject(object, JSON.stringify(object.spec)));
  for (const order of [kept, kept.toReversed()]) {
    for (const one of order) assert.deepEqual(one.spec, { index: Number(one.name.slice(2)) });
  }
  assert.deepEqual(JSON.parse(JSON.stringify(kept)), objects);
  for (const [index, one] of kept.entries()) {
    const { kind, namespace, name, labels, revision, spec } = one;
    assert.deepEqual({ kind, namespace, name, labels, revision, spec }, live(index));
  }
});

test('the parsed form of a kept object is soon forgotten', () => {
  const one = new CompactObject(live(1), '{"index":1}');
  const { spec } = one;
  assert.equal(one.spec, spec);
  for (let index = 0; index < 1_000; index += 1) void new CompactObject(live(index), '{}').spec;
  assert.notEqual(one.spec, spec);
  assert.deepEqual(one.spec, spec);
});
