import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KeyIndex } from './key-index.ts';

interface Thing {
  readonly keys: readonly string[];
}

/** Adds and removes objects in an index and in a plain list, and asks both for every key. */
function holdsLikeAList(
  steps: readonly { readonly keys: readonly string[]; readonly leave: number }[],
  hash?: (key: string) => number,
): void {
  const index = new KeyIndex<Thing>(({ keys }) => keys, hash);
  const list: Thing[] = [];
  const all = new Set<string>();
  for (const { keys, leave } of steps) {
    const object = { keys };
    list.push(object);
    for (const key of keys) {
      all.add(key);
      index.add(key, object);
    }
    if (leave === 0) continue;
    const [gone] = list.splice(leave % list.length, 1);
    for (const key of gone?.keys ?? []) index.remove(key, gone as Thing);
  }
  for (const key of [...all, 'never there']) {
    const expected = list.filter((object) => object.keys.includes(key));
    const found = index.find(key);
    assert.equal(found.length, expected.length, key);
    // Keys of one object that have one hash share their slots.
    if (hash === undefined)
      assert.ok(
        found.every((object, at) => object === expected[at]),
        key,
      );
    assert.deepEqual(new Set(found), new Set(expected), key);
  }
}

test('an index finds what a plain list finds, whatever came and left', () => {
  const key = fc.oneof(fc.nat(30).map(String), fc.string({ maxLength: 5 }));
  const step = fc.record({ keys: fc.uniqueArray(key, { maxLength: 4 }), leave: fc.nat(40) });
  const steps = fc.array(step, { maxLength: 120 });
  fc.assert(
    fc.property(steps, (some) => holdsLikeAList(some)),
    { numRuns: 200 },
  );
  // Nearly all keys meet.
  fc.assert(
    fc.property(steps, (some) => holdsLikeAList(some, (text) => text.length % 3)),
    { numRuns: 200 },
  );
});

test('with many keys slots are shared, tables grow, and all is found', () => {
  const steps = Array.from({ length: 30_000 }, (_, n) => ({
    keys: [`own ${n}`, `few ${n % 9_000}`, `many ${n % 7}`],
    leave: n % 3 === 0 ? n * 31 : 0,
  }));
  const index = new KeyIndex<Thing>(({ keys }) => keys);
  const left = new Set<Thing>();
  const all: Thing[] = [];
  for (const { keys, leave } of steps) {
    const object = { keys };
    all.push(object);
    left.add(object);
    for (const key of keys) index.add(key, object);
    const gone = leave === 0 ? undefined : all[leave % all.length];
    if (gone === undefined || !left.delete(gone)) continue;
    for (const key of gone.keys) index.remove(key, gone);
  }
  const expected = new Map<string, Set<Thing>>();
  for (const object of left) {
    for (const key of object.keys) expected.set(key, (expected.get(key) ?? new Set()).add(object));
  }
  for (const key of new Set(steps.flatMap(({ keys }) => keys))) {
    assert.deepEqual(new Set(index.find(key)), expected.get(key) ?? new Set(), key);
  }
});

test('objects are found in the order in which they came, however their tables have grown', () => {
  const index = new KeyIndex<Thing>(({ keys }) => keys);
  const all = Array.from({ length: 12_000 }, (_, n) => ({ keys: [`own ${n}`, `few ${n % 4_000}`] }));
  for (const object of all) for (const key of object.keys) index.add(key, object);
  for (let n = 0; n < 4_000; n += 1) {
    const found = index.find(`few ${n}`);
    assert.ok(found.length === 3 && found.every((object, at) => object === all[n + at * 4_000]), `few ${n}`);
  }
});

test('adding to keys of a few objects asks none of them for its keys', () => {
  let asked = 0;
  const index = new KeyIndex<Thing>(({ keys }) => {
    asked += 1;
    return keys;
  });
  for (let n = 0; n < 4_000; n += 1) index.add(`few ${n % 1_000}`, { keys: [`few ${n % 1_000}`] });
  assert.equal(asked, 0);
});
