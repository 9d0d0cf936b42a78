import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { allKinds } from './catalogue.ts';
import { MODULES } from './modules.ts';

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

test('a module computes the statuses of those of its kinds that have a computed one, and of no others', () => {
  for (const { name, kinds = [], statuses } of MODULES) {
    const declared = kinds.filter(({ computedStatus }) => computedStatus === true);
    const readers = statuses?.(new LiveObjects(allKinds()), undefined) ?? [];
    assert.deepEqual(readers.map(({ kind }) => kind.id).toSorted(), declared.map(({ id }) => id).toSorted(), name);
  }
});

/** Kinds whose fields no test changes one by one: they are the protocol of Kubernetes, or only the program writes them. */
const FIELDS_NOT_HELD = ['Instance', 'Lease', 'Namespace'];

test('each field of a kind that people declare is held by a test to have an effect', async () => {
  const held = new Set<string>();
  for await (const path of glob('src/**/field-effects.test.ts')) {
    for (const [, kind = ''] of (await readFile(path, 'utf8')).matchAll(/\bkind: ([A-Z]\w+),/g)) held.add(kind);
  }
  const declared = allKinds().all.filter(({ hasSpec, verbs }) => hasSpec && verbs.includes('update'));
  assert.deepEqual(
    declared
      .map(({ kind }) => kind)
      .filter((kind) => !held.has(kind))
      .toSorted(),
    FIELDS_NOT_HELD.toSorted(),
  );
});
