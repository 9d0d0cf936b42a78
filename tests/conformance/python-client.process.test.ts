import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { startWorld } from '../support/backline.ts';
import { until } from '../support/installation.ts';
import { execute } from '../support/kubectl.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const WIDGETS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.stock.example' },
  spec: {
    group: 'stock.example',
    names: { plural: 'widgets', kind: 'Widget' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { size: { type: 'integer' } } },
              status: { type: 'object', properties: { ready: { type: 'boolean' } } },
            },
          },
        },
      },
    ],
  },
};

/** The first Python of this machine that has the client, and its version. */
function findPython(): { readonly file: string; readonly version: string } | undefined {
  for (const file of ['python3', '/usr/bin/python3']) {
    const { status, stdout } = spawnSync(file, ['-c', 'import kubernetes; print(kubernetes.__version__)']);
    if (status === 0) return { file, version: String(stdout).trim() };
  }
  return undefined;
}

const python = findPython();
const skip = python === undefined && 'no Python here has the module kubernetes (Debian: python3-kubernetes)';

test(`Python's client of Kubernetes ${python?.version ?? ''}: lists, writes, watches, deletes`, { skip }, async (t) => {
  const { running, call } = await startWorld(t, { roles: ['api', 'controllers'] });
  assert.equal((await call('POST', DEFINITIONS, { body: WIDGETS })).status, 201);
  await until(
    async () => ((await call('GET', '/apis/stock.example/v1/widgets')).status === 200 ? true : undefined),
    () => 'the widgets to be served',
    10,
  );
  const script = join(import.meta.dirname, 'python_client.py');
  const { code, stdout, stderr } = await execute(python?.file ?? '', [script, running.kubeconfigFile], '');
  assert.equal(code, 0, stderr);
  const found = JSON.parse(stdout);
  const applied = 'applied' in found ? { applied: 'Apply', conflict: [409, '.data.x'], forced: '2' } : {};
  assert.deepEqual(found, {
    created: [null, { one: '1' }],
    pages: ['a', 'b'],
    strategic: { one: '1', two: '2' },
    codes: {
      missing: [404, 'NotFound'],
      exists: [409, 'AlreadyExists'],
      stale: [409, 'Conflict'],
      invalid: [422, 'Invalid'],
      selector: [400, 'BadRequest'],
    },
    watch: [
      ['ADDED', 'watched'],
      ['MODIFIED', 'watched'],
      ['DELETED', 'watched'],
    ],
    custom: { size: 1 },
    merge: { size: 2 },
    status: { ready: true },
    wrong: [422, 'Invalid'],
    objects: 1,
    dynamic: [true, 'plans', 2],
    ...applied,
    deleted: ['owned', 'owner'],
    access: true,
    version: '1',
  });
});
