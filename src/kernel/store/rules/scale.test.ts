import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import type { Reader } from '../contract.ts';
import type { Operation } from './operation.ts';
import { scaleOf, scalePathsOf } from './scale.ts';
import { textEntry } from './text-entry.ts';
import { decideWith } from './write.ts';

const Pool = defineKind({
  group: 'pools.example',
  version: 'v1',
  kind: 'Pool',
  plural: 'pools',
  scope: 'Cluster',
  description: 'A pool of workers.',
  spec: Type.Object({ workers: Type.Optional(Type.Integer({ maximum: 9 })), size: Type.Integer() }),
  status: Type.Object({ workers: Type.Optional(Type.Integer()), selector: Type.Optional(Type.String()) }),
  scale: { wanted: ['spec', 'workers'], observed: ['status', 'workers'], selector: ['status', 'selector'] },
});

const NOW = Temporal.Instant.from('2026-05-01T12:00:00Z');
const POOL = {
  apiVersion: Pool.apiVersion,
  kind: Pool.kind,
  metadata: { name: 'a', uid: 'u', resourceVersion: '7', generation: 1 },
  spec: { size: 2 },
  status: { workers: 1, selector: 'pool=a' },
};

const read: Reader = {
  get: (kind: Kind) => (kind.id === Pool.id ? textEntry(Pool, POOL, 7) : undefined),
  find: () => [],
  list: () => [],
};

function write(replicas: unknown, metadata: object = { name: 'a' }) {
  const object = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata, spec: { replicas } };
  const place = { kind: Pool.id, namespace: '', name: 'a' };
  const operation: Operation = { ...place, verb: 'update', part: 'scale', object, fieldValidation: 'Strict' };
  const decide = decideWith(kindRegistry([Namespace, Pool]));
  return decide(operation, read, NOW, { user: 'ann', requestId: 'r' });
}

test('a kind of the program shows its scale, and takes the wanted number from one', () => {
  assert.deepEqual(scaleOf(scalePathsOf(Pool), POOL), {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name: 'a', uid: 'u', resourceVersion: '7' },
    spec: { replicas: 0 },
    status: { replicas: 1, selector: 'pool=a' },
  });
  const mutation = write(4);
  assert.ok(mutation.do === 'put');
  assert.deepEqual([mutation.object.spec, mutation.object.metadata.generation], [{ size: 2, workers: 4 }, 2]);
});

test('a scale is held against the version, its own schema, and that of the kind', () => {
  assert.throws(() => write(4, { name: 'a', resourceVersion: '6' }), /has been modified/);
  assert.throws(() => write('x'), /Scale\.autoscaling "a" is invalid: spec\.replicas/);
  assert.throws(() => write(-1), /spec\.replicas/);
  assert.throws(() => write(10), /Pool\.pools\.example "a" is invalid: spec\.workers/);
  assert.throws(() => write(4, { name: 'b' }), /does not match the name on the URL/);
});
