import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allKinds } from './catalogue.ts';

test('no category is called like a kind, or kubectl would take one for the other', () => {
  const { all } = allKinds();
  const names = new Set(all.flatMap(({ plural, singular, shortNames }) => [plural, singular, ...shortNames]));
  const clashes = all.flatMap(({ categories }) => categories).filter((category) => names.has(category));
  assert.deepEqual([...new Set(clashes)], []);
});

test('no two kinds share a name that people type', () => {
  const seen = new Map<string, string>();
  // A kind in two versions is one kind.
  for (const { id, plural, singular, shortNames } of allKinds().all) {
    for (const name of new Set([plural, singular, ...shortNames])) {
      const other = seen.get(name);
      const kind = id.split('/').at(-1) ?? id;
      assert.ok(other === undefined || other === kind, `${name} is ${other} and ${kind}`);
      seen.set(name, kind);
    }
  }
});
