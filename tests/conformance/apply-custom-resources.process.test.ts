import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startWorld, type Answer } from '../support/backline.ts';
import { until } from '../support/installation.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const NAME = 'boards.stock.example';
const text = { type: 'string' };
const map = (properties: object) => ({ type: 'object', properties });

const FIELDS = {
  title: text,
  size: { type: 'integer', default: 3 },
  replicas: { type: 'integer' },
  port: { 'x-kubernetes-int-or-string': true },
  ports: {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['port', 'protocol'],
    items: {
      ...map({ port: { type: 'integer' }, protocol: { ...text, default: 'TCP' }, name: text }),
      required: ['port'],
    },
  },
  tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
  order: { type: 'array', items: text },
  selector: { type: 'object', additionalProperties: text, 'x-kubernetes-map-type': 'atomic' },
  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  groups: { type: 'object', additionalProperties: map({ a: text, b: text }) },
};

const STATUS = map({ replicas: { type: 'integer' }, phase: text });

function version(name: string, more: object = {}, fields: object = FIELDS) {
  return {
    name,
    served: true,
    storage: name === 'v1',
    schema: { openAPIV3Schema: map({ spec: map(fields), status: STATUS }) },
    subresources: {
      status: {},
      scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
    },
    ...more,
  };
}

/** A server with a defined kind, and ways to apply objects of it. */
async function startBoards(t: TestContext, versions: readonly object[] = [version('v1')]) {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const { call } = world;
  const names = { plural: 'boards', kind: 'Board', singular: 'board', listKind: 'BoardList' };
  const made = await call('POST', DEFINITIONS, {
    body: { metadata: { name: NAME }, spec: { group: 'stock.example', names, scope: 'Namespaced', versions } },
  });
  assert.equal(made.status, 201, made.text);
  const path = (of = 'v1') => `/apis/stock.example/${of}/namespaces/default/boards`;
  await until(
    async () => ((await call('GET', path())).status === 200 ? true : undefined),
    () => 'the kind to be served',
    10,
  );
  const apply = (
    manager: string,
    spec: object | undefined,
    { of = 'v1', query = '', part = '', more = {} }: { of?: string; query?: string; part?: string; more?: object } = {},
  ): Promise<Answer> =>
    call('PATCH', `${path(of)}/a${part}?fieldManager=${manager}${query}`, {
      body: {
        apiVersion: `stock.example/${of}`,
        kind: 'Board',
        metadata: { name: 'a' },
        ...(spec && { spec }),
        ...more,
      },
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
  const redefine = (wanted: readonly object[]) =>
    call('PATCH', `${DEFINITIONS}/${NAME}`, {
      body: { spec: { versions: wanted } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
  return { ...world, path, apply, redefine };
}

const ok = async (answering: Promise<Answer>): Promise<Answer> => {
  const answer = await answering;
  assert.ok(answer.status < 300, answer.text);
  return answer;
};

function ownersOf({ json }: Answer): Record<string, unknown> {
  const entries = (json.metadata.managedFields ?? []) as Record<string, string>[];
  return Object.fromEntries(
    entries.map(({ operation, manager, subresource = '', apiVersion, fieldsV1 }) => [
      [operation, manager, subresource, apiVersion?.split('/')[1]].filter(Boolean).join(' '),
      fieldsV1,
    ]),
  );
}

test('lists and maps of a defined kind have the parts that its schema says', async (t) => {
  await using desk = await startBoards(t);
  const { apply } = desk;
  await ok(apply('one', { ports: [{ port: 80, name: 'web' }], tags: ['x'], selector: { a: '1' }, order: ['a'] }));
  const both = await ok(
    apply('two', { ports: [{ port: 80 }, { port: 80, protocol: 'UDP' }], tags: ['y', 'x'], free: { deep: { a: 1 } } }),
  );
  assert.deepEqual(both.json.spec, {
    ports: [
      { port: 80, protocol: 'TCP', name: 'web' },
      { port: 80, protocol: 'UDP' },
    ],
    tags: ['y', 'x'],
    selector: { a: '1' },
    order: ['a'],
    size: 3,
    free: { deep: { a: 1 } },
  });
  assert.deepEqual(ownersOf(both)['Apply two v1'], {
    'f:spec': {
      'f:free': { 'f:deep': { '.': {}, 'f:a': {} } },
      'f:ports': {
        'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} },
        'k:{"port":80,"protocol":"UDP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} },
      },
      'f:tags': { 'v:"x"': {}, 'v:"y"': {} },
    },
  });
  const refused = await apply('two', { selector: { b: '2' }, order: ['a', 'b'], free: { deep: { a: 1 } } });
  assert.equal(
    refused.json.message,
    'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.order\n- .spec.selector',
  );
  const less = await ok(apply('two', { tags: ['y'] }));
  assert.deepEqual(less.json.spec.ports, [{ port: 80, protocol: 'TCP', name: 'web' }]);
  assert.deepEqual(less.json.spec.tags, ['y', 'x']);
  assert.equal(less.json.spec.free, undefined);
  const twice = await apply('two', { ports: [{ port: 1 }, { port: 1, protocol: 'TCP' }] });
  assert.equal(twice.status, 422);
  assert.match(twice.json.message, /spec\.ports\[\d\]: Duplicate value/);
});

test('a default is nobody’s, and a null takes the default without end of writes', async (t) => {
  await using desk = await startBoards(t);
  const first = await ok(desk.apply('one', { title: 'x', size: null }));
  assert.equal(first.json.spec.size, 3);
  const again = await ok(desk.apply('one', { title: 'x', size: null }));
  assert.equal(again.json.metadata.resourceVersion, first.json.metadata.resourceVersion, 'nothing was written');
  const shared = await ok(desk.apply('two', { groups: { g: { a: '1' } } }));
  assert.deepEqual(shared.json.spec.groups, { g: { a: '1' } });
  const other = await ok(desk.apply('three', { groups: { g: { b: '2' } } }));
  assert.deepEqual(other.json.spec.groups, { g: { a: '1', b: '2' } });
  await ok(desk.apply('two', {}));
  const left = await ok(desk.apply('three', { groups: {} }));
  assert.deepEqual(left.json.spec.groups, {}, 'an emptied map stays a map');
});

test('status and scale have entries of their own', async (t) => {
  await using desk = await startBoards(t);
  const { call, path, apply } = desk;
  await ok(apply('one', { title: 'x', replicas: 1 }, { more: { status: { phase: 'ignored' } } }));
  const status = await ok(
    apply('boss', { title: 'ignored' }, { part: '/status', more: { status: { phase: 'Ready' } } }),
  );
  assert.deepEqual(ownersOf(status), {
    'Apply one v1': { 'f:spec': { 'f:replicas': {}, 'f:title': {} } },
    'Apply boss status v1': { 'f:status': { 'f:phase': {} } },
  });
  assert.equal(status.json.spec.title, 'x');
  const scaled = await call('PATCH', `${path()}/a/scale?fieldManager=scaler`, {
    body: { spec: { replicas: 5 } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(scaled.status, 200, scaled.text);
  const after = await call('GET', `${path()}/a`);
  assert.deepEqual(ownersOf(after)['Update scaler scale v1'], { 'f:spec': { 'f:replicas': {} } });
  const refused = await apply('one', { title: 'x', replicas: 1 });
  assert.equal(
    refused.json.message,
    'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using stock.example/v1: .spec.replicas',
  );
  await ok(apply('one', { title: 'x' }));
  assert.equal((await call('GET', `${path()}/a`)).json.spec.replicas, 5, 'the scaler keeps what it took');
  const wrong = await apply('boss', undefined, { part: '/scale' });
  assert.equal(wrong.status, 415, wrong.text);
});

test('managers of several versions conflict and share, and those of a removed version are forgotten', async (t) => {
  await using desk = await startBoards(t, [version('v1'), version('v2')]);
  const { apply, call, path, redefine } = desk;
  await ok(apply('one', { title: 'x', tags: ['a'] }));
  const second = await ok(apply('two', { title: 'x', tags: ['b'] }, { of: 'v2' }));
  assert.deepEqual(Object.keys(ownersOf(second)), ['Apply one v1', 'Apply two v2']);
  const refused = await apply('three', { title: 'y' }, { of: 'v2' });
  assert.equal(refused.status, 409, refused.text);
  // An applier is the same in every version: what it applied in the other one goes.
  const moved = await ok(apply('one', { title: 'x' }, { of: 'v2' }));
  assert.deepEqual(moved.json.spec.tags, ['b']);
  assert.deepEqual(Object.keys(ownersOf(moved)), ['Apply one v2', 'Apply two v2']);

  const removed = await redefine([version('v1'), version('v2', { served: false })]);
  assert.equal(removed.status, 200, removed.text);
  await until(
    async () => ((await call('GET', path('v2'))).status === 404 ? true : undefined),
    () => 'the version to be gone',
    10,
  );
  const late = await ok(apply('three', { title: 'y' }));
  assert.deepEqual(Object.keys(ownersOf(late)), ['Apply three v1'], 'whose version is not served owns nothing');
  assert.deepEqual(late.json.spec.tags, ['b'], 'and its fields stay');
});

test('an object whose schema lost a field is applied without it, and a list that became atomic has one owner', async (t) => {
  await using desk = await startBoards(t);
  const { apply, redefine } = desk;
  await ok(apply('one', { title: 'x', port: 80, tags: ['a'] }));
  await ok(apply('two', { tags: ['b'] }));
  const { port: _port, ...fields } = FIELDS;
  const tags = { type: 'array', items: text };
  assert.equal((await redefine([version('v1', {}, { ...fields, tags })])).status, 200);
  await until(
    async () =>
      (await apply('none', { port: 1 }, { query: '&dryRun=All&fieldValidation=Strict' })).status === 400
        ? true
        : undefined,
    () => 'the new schema to be in force',
    10,
  );
  const refused = await apply('one', { title: 'x', tags: ['a'] });
  assert.equal(refused.json.message, 'Apply failed with 1 conflict: conflict with "two": .spec.tags');
  const kept = await ok(apply('one', { title: 'y' }));
  assert.deepEqual(kept.json.spec, { title: 'y', tags: ['a', 'b'], size: 3 });
  assert.deepEqual(ownersOf(kept)['Apply one v1'], { 'f:spec': { 'f:title': {} } });
});

test('a definition is applied like any other object', async (t) => {
  await using world = await startWorld(t, { roles: ['api', 'controllers'] });
  const { call } = world;
  const names = { plural: 'boards', kind: 'Board', singular: 'board', listKind: 'BoardList' };
  const apply = (manager: string, spec: object, more: object = {}) =>
    call('PATCH', `${DEFINITIONS}/${NAME}?fieldManager=${manager}`, {
      body: {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: NAME, ...more },
        spec,
      },
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
  const spec = { group: 'stock.example', names, scope: 'Namespaced', versions: [version('v1')] };
  assert.equal((await apply('one', spec)).status, 201);
  const settled = await until(
    async () => {
      const { json } = await call('GET', `${DEFINITIONS}/${NAME}`);
      return json.status?.conditions?.some(({ type }: { type: string }) => type === 'Established') ? json : undefined;
    },
    () => 'the kind to be served',
    10,
  );
  const again = await ok(apply('one', spec));
  assert.equal(again.json.metadata.resourceVersion, settled.metadata.resourceVersion, 'nothing was written');
  const labelled = await ok(apply('two', {}, { labels: { team: 'x' } }));
  assert.deepEqual(labelled.json.spec.versions, settled.spec.versions);
  const more = await ok(apply('one', { ...spec, versions: [version('v1'), version('v2')] }));
  assert.equal(more.json.spec.versions.length, 2);
  assert.deepEqual(more.json.metadata.labels, { team: 'x' });
});
