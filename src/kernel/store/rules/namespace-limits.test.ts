import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { Refusal } from '#kernel/base/failures.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { MemoryStore } from '#tests/simulation/releases/memory-store.ts';
import type { Operation } from './operation.ts';
import { decideWith } from './write.ts';

const Note = defineKind({
  group: 'test.example',
  version: 'v1',
  kind: 'Note',
  plural: 'notes',
  scope: 'Namespaced',
  description: 'x',
  spec: Type.Object({ text: Type.String(), owner: Type.Optional(Type.String()) }),
  inNamespaceMax: { objects: 3, characters: 1_000 },
  indexes: { owner: ({ owner }) => (owner === undefined ? [] : [owner]) },
  sharingMax: { owner: { objects: 2, characters: 600 } },
});
const kinds = kindRegistry([Namespace, Note]);
const author = { user: 'ann', requestId: 'r' };

function openShelf() {
  const now = () => Temporal.Instant.fromEpochMilliseconds(0);
  const store = new MemoryStore(kinds.all, decideWith(kinds), now);
  const write = (kind: string, namespace: string, name: string, more: object): string => {
    const metadata = { name, ...(namespace === '' ? {} : { namespace }) };
    const apiVersion = kind === Note.id ? Note.apiVersion : 'v1';
    const object = { apiVersion, kind: kind.split('/').at(-1), metadata, ...more };
    const operation: Operation = { verb: 'apply', kind, namespace, name, object, uid: name };
    try {
      return store.commit([operation], author)[0]?.did ?? '';
    } catch (error) {
      return error instanceof Refusal ? `${error.code}: ${error.message}` : String(error);
    }
  };
  for (const name of ['one', 'two']) assert.equal(write('Namespace', '', name, {}), 'created');
  return {
    put: (namespace: string, name: string, text: string, owner?: string) =>
      write(Note.id, namespace, name, { spec: { text, ...(owner === undefined ? {} : { owner }) } }),
    drop: (namespace: string, name: string) =>
      store.commit([{ verb: 'delete', kind: Note.id, namespace, name }], author)[0]?.did,
  };
}

test('a namespace has so many objects of a kind, and another namespace as many', () => {
  const { put, drop } = openShelf();
  for (const name of ['a', 'b', 'c']) assert.equal(put('one', name, ''), 'created');
  assert.equal(put('one', 'd', ''), 'resources/namespace-full: namespace one has 3 notes, and may have 3');
  assert.equal(put('two', 'd', ''), 'created');
  assert.equal(put('one', 'c', 'x'), 'changed', 'those that are there can be changed');
  assert.equal(drop('one', 'a'), 'removed');
  assert.equal(put('one', 'd', ''), 'created');
});

test('the objects of a kind in a namespace have so many characters together', () => {
  const { put } = openShelf();
  const long = 'x'.repeat(300);
  assert.equal(put('one', 'a', long), 'created');
  assert.match(
    put('one', 'b', 'x'.repeat(700)),
    /^resources\/namespace-full: the notes of namespace one would have 1\d{3} characters, and may have 1000$/,
  );
  assert.equal(put('one', 'b', ''), 'created');
  assert.match(put('one', 'b', 'x'.repeat(700)), /namespace-full/, 'an object that grows counts too');
  assert.equal(put('one', 'b', 'x'), 'changed');
});

test('no owner takes the room of the others', () => {
  const { put, drop } = openShelf();
  assert.equal(put('one', 'a', '', 'ann'), 'created');
  assert.equal(put('one', 'b', '', 'ann'), 'created');
  assert.equal(
    put('one', 'c', '', 'ann'),
    'resources/namespace-full: owner ann in namespace one has 2 notes, and may have 2',
  );
  assert.equal(put('two', 'c', '', 'ann'), 'created', 'in another namespace');
  assert.equal(put('one', 'c', '', 'bob'), 'created');
  assert.match(put('one', 'c', '', 'ann'), /^resources\/namespace-full: owner ann/, 'it moves to a full owner');
  assert.equal(put('one', 'b', 'x', 'ann'), 'changed');
  assert.match(put('one', 'b', 'x'.repeat(300), 'ann'), /the notes of owner ann in namespace one would have \d{3} ch/);
  assert.equal(drop('one', 'a'), 'removed');
  assert.equal(put('one', 'c', '', 'ann'), 'changed');
});
