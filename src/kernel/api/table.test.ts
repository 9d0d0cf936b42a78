import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { tableOf } from './table.ts';

const Thing = defineKind({
  group: 'x.example',
  version: 'v1',
  kind: 'Thing',
  plural: 'things',
  scope: 'Namespaced',
  description: 'A thing.',
  fields: { size: Type.Optional(Type.Integer()), seen: Type.Optional(Type.String()) },
  columns: [
    {
      name: 'Size',
      type: 'integer',
      description: 'How big.',
      value: ({ size }) => (typeof size === 'number' ? size : undefined),
    },
    {
      name: 'Seen',
      type: 'date',
      description: 'When.',
      priority: 1,
      value: ({ seen }) => (typeof seen === 'string' ? seen : undefined),
    },
  ],
});

const now = Temporal.Instant.from('2026-03-01T12:00:00Z');

function entry(fields: object, creationTimestamp?: string): Entry {
  const object: ResourceObject = {
    apiVersion: 'x.example/v1',
    kind: 'Thing',
    metadata: { name: 'a', namespace: 'shop', ...(creationTimestamp && { creationTimestamp }) },
    ...fields,
  };
  return textEntry(Thing, object, 7);
}

test('a table has the name, the columns of the kind and the age, as kubectl get prints them', () => {
  const big = entry({ size: 3, seen: '2026-03-01T11:54:48Z' }, '2026-02-26T08:00:00Z');
  assert.deepEqual(
    tableOf(Thing, [big, entry({})], { metadata: { resourceVersion: '7' }, includeObject: 'None', now, columns: true }),
    {
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: '7' },
      columnDefinitions: [
        {
          name: 'Name',
          type: 'string',
          format: 'name',
          description: 'Unique among the objects of this kind in the namespace.',
          priority: 0,
        },
        { name: 'Size', type: 'integer', format: '', description: 'How big.', priority: 0 },
        { name: 'Seen', type: 'date', format: '', description: 'When.', priority: 1 },
        { name: 'Age', type: 'date', format: '', description: 'The time since it was created.', priority: 0 },
      ],
      rows: [{ cells: ['a', 3, '5m12s', '3d4h'] }, { cells: ['a', '<none>', '<none>', '<unknown>'] }],
    },
  );
});

test('a row carries as much of its object as was asked for', () => {
  const one = entry({ size: 3 });
  const objectOf = (includeObject: 'Metadata' | 'Object'): unknown => {
    const { rows } = tableOf(Thing, [one], { metadata: {}, includeObject, now, columns: false });
    return rows[0]?.object;
  };
  assert.deepEqual(objectOf('Metadata'), {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { name: 'a', namespace: 'shop' },
  });
  assert.deepEqual(objectOf('Object'), one.object());
});
