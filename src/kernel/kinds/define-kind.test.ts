import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { Refusal } from '#kernel/base/failures.ts';
import { Head } from './builtin/head.ts';
import { Namespace } from './builtin/core.ts';
import { defineKind } from './define-kind.ts';
import type { ResourceObject } from './kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { kindRegistry } from './registry.ts';
import { releasedStatus } from './released-status.ts';
import { readSchema } from './schema/schema-node.ts';
import { specReader } from './schema/read-typed.ts';
import { Memory } from '#kernel/store/memory.ts';
import { stampEntry } from '#kernel/store/entry.ts';
import { decideWith } from '#kernel/store/rules/write.ts';

/** A kind whose schema has changed since some objects were stored: `size` and `parts[].share` came, `colour` went. */
const Crate = defineKind({
  group: 'test.example',
  version: 'v1',
  kind: 'Crate',
  plural: 'crates',
  scope: 'Cluster',
  released: true,
  description: 'A crate.',
  spec: Type.Object({
    title: Type.String(),
    size: Type.Integer({ default: 3 }),
    parts: Type.Array(Type.Object({ name: Type.String(), share: Type.Number({ default: 0.5 }) }), { default: [] }),
  }),
  status: Type.Object({ readyParts: Type.Optional(Type.Integer()) }),
  columns: [
    { name: 'Size', type: 'integer', description: 'Its size.', value: ({ spec }) => spec.size },
    { name: 'Ready', type: 'integer', description: 'Parts.', value: ({ status }) => status?.readyParts },
  ],
  indexes: { size: ({ size }) => [String(size)] },
});

const stored: ResourceObject = {
  apiVersion: Crate.apiVersion,
  kind: 'Crate',
  metadata: { name: 'c', uid: 'u', generation: 4, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { title: 'C', colour: 'red', parts: [{ name: 'lid' }] },
  status: { readyParts: 2, observedGeneration: 4 },
};

const kinds = kindRegistry([Namespace, Head, Crate]);

function decide(operation: Partial<Operation>) {
  const memory = new Memory({
    kinds: kinds.all,
    version: 7,
    floor: 7,
    limits: { changes: 10, characters: 10_000 },
  });
  memory.begin(stampEntry(Crate, stored, 7));
  const now = Temporal.Instant.from('2026-02-01T00:00:00Z');
  const whole = { kind: Crate.id, namespace: '', name: 'c', fieldValidation: 'Strict', ...operation } as Operation;
  return decideWith(kinds)(whole, memory, now, { user: 'test', requestId: '' });
}

const merge = (patch: object, more: object = {}) =>
  ({ verb: 'patch', part: 'main', patchType: 'merge', patch, ...more }) as Partial<Operation>;

test('a kind is released or direct, and names of a namespace alone are for what is live', () => {
  const declared = {
    group: 'test.example',
    version: 'v1',
    kind: 'Box',
    plural: 'boxes',
    scope: 'Namespaced',
    description: 'A box.',
  } as const;
  assert.throws(() => defineKind({ ...declared, released: true, direct: true }), /released and direct/);
  assert.throws(() => defineKind({ ...declared, names: 'namespace' }), /never live/);
  assert.equal(defineKind({ ...declared, direct: true, names: 'namespace' }).direct, true);
});

test('a stored spec is read with the defaults of newer fields, and is not altered', () => {
  const before = structuredClone(stored);
  const { title, size, parts } = Crate.spec(stored);
  assert.deepEqual({ title, size, parts }, { title: 'C', size: 3, parts: [{ name: 'lid', share: 0.5 }] });
  assert.deepEqual(stored, before);
  const complete = { spec: { title: 'C', size: 1, parts: [{ name: 'lid', share: 1 }] } };
  assert.equal(Crate.spec(complete), complete.spec);
});

test('columns, indexes and every other function of a kind get specs with defaults', () => {
  assert.deepEqual(Crate.indexes?.['size']?.(stored.spec, 'c'), ['3']);
  const at = Temporal.Instant.from('2026-02-01T00:00:00Z');
  assert.deepEqual(
    Crate.columns.map(({ name, value }) => [name, value(stored, at)]),
    [
      ['Size', 3],
      ['Ready', 2],
      ['Live', undefined],
    ],
  );
});

test('an absent optional spec is read as undefined', () => {
  const read = specReader(Type.Optional(Type.Object({ size: Type.Integer({ default: 3 }) })));
  assert.equal(read({}), undefined);
  assert.deepEqual(read({ spec: {} }), { size: 3 });
});

test('a released kind has its own status beside the standard one, and may not name a field twice', () => {
  const { properties } = readSchema(Crate.schema).properties.get('status') ?? assert.fail();
  assert.deepEqual(
    [...properties.keys()],
    ['observedGeneration', 'liveRevision', 'release', 'conditions', 'readyParts'],
  );
  const written = decide(merge({ status: { readyParts: 5 } }, { part: 'status' }));
  assert.ok(written.do === 'put');
  assert.deepEqual(written.object.status, { readyParts: 5, observedGeneration: 4 });
  assert.equal(Crate.status(written.object)?.readyParts, 5);
  assert.equal(releasedStatus(written.object).observedGeneration, 4);
  assert.throws(
    () =>
      defineKind({
        group: 'test.example',
        version: 'v1',
        kind: 'Twice',
        plural: 'twices',
        scope: 'Cluster',
        released: true,
        description: 'Has a release of its own.',
        status: Type.Object({ release: Type.String() }),
      }),
    /the status of kind test.example\/Twice has release twice/,
  );
});

test('an object with a removed field can be written, and loses the field with the next change', () => {
  const nothing = decide(merge({ spec: { title: 'C' } }));
  assert.equal(nothing.do, 'nothing', 'a change of the schema alone is no change of the object');
  const changed = decide(merge({ spec: { title: 'D' } }));
  assert.ok(changed.do === 'put');
  assert.deepEqual(changed.object.spec, { title: 'D', size: 3, parts: [{ name: 'lid', share: 0.5 }] });
  assert.equal(changed.object.metadata.generation, 5);
  const replaced = decide(merge([{ op: 'replace', path: '/spec/title', value: 'D' }], { patchType: 'json' }));
  assert.deepEqual(replaced.do === 'put' && replaced.object, changed.object, 'in any form of patch');
  assert.throws(() => decide(merge({ spec: { colour: 'blue' } })), Refusal, 'writing the removed field is refused');
});

test('a rollback restores a spec that is older than the schema', () => {
  const object = {
    apiVersion: Crate.apiVersion,
    kind: 'Crate',
    metadata: { name: 'c' },
    spec: { title: 'B', colour: 'x' },
  };
  const restored = decide({ verb: 'apply', object, uid: 'u', restores: true });
  assert.ok(restored.do === 'put');
  assert.deepEqual(restored.object.spec, { title: 'B', size: 3, parts: [] });
});
