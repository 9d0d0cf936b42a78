import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld, type Answer, type Call } from '../support/backline.ts';

const maps = '/api/v1/namespaces/default/configmaps';

interface ApplyOptions {
  readonly manager?: string;
  readonly query?: string;
  readonly token?: string;
  readonly path?: string;
}

const map = (data: object | undefined, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', ...metadata },
  ...(data === undefined ? {} : { data }),
});

function applier(call: Call) {
  return (
    body: unknown,
    { manager = 'one', query = '', token, path = `${maps}/a` }: ApplyOptions = {},
  ): Promise<Answer> =>
    call('PATCH', `${path}?fieldManager=${manager}${query}`, {
      body,
      headers: { 'content-type': 'application/apply-patch+yaml' },
      token,
    });
}

/** The fields of each manager, as `Operation manager[/subresource]`. */
function ownersOf({ json }: Answer): Record<string, unknown> {
  const entries = (json.metadata.managedFields ?? []) as Record<string, string>[];
  return Object.fromEntries(
    entries.map(({ operation, manager, subresource, fieldsV1 }) => [
      `${operation} ${manager}${subresource === undefined ? '' : `/${subresource}`}`,
      fieldsV1,
    ]),
  );
}

test('an apply creates, changes, and writes nothing when it changes nothing', async (t) => {
  await using world = await startWorld(t);
  const apply = applier(world.call);
  const made = await apply(map({ x: '1', y: '2' }));
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(ownersOf(made), { 'Apply one': { 'f:data': { 'f:x': {}, 'f:y': {} } } });
  const [{ time, ...entry }] = made.json.metadata.managedFields;
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual(entry, {
    manager: 'one',
    operation: 'Apply',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:data': { 'f:x': {}, 'f:y': {} } },
  });

  const again = await apply(map({ x: '1', y: '2' }));
  assert.equal(again.status, 200);
  assert.deepEqual(again.json.metadata, made.json.metadata, 'same version, same times');

  const less = await apply(map({ x: '3' }));
  assert.deepEqual(less.json.data, { x: '3' }, 'the field that is applied no more is gone');
  assert.notEqual(less.json.metadata.resourceVersion, made.json.metadata.resourceVersion);
  assert.equal(less.json.metadata.uid, made.json.metadata.uid);

  const { resourceVersion: now, uid } = less.json.metadata;
  const stale = await apply(map({ x: '4' }, { resourceVersion: made.json.metadata.resourceVersion }));
  assert.equal(stale.status, 409);
  assert.match(stale.json.message, /the object has been modified/);
  assert.equal((await apply(map({ x: '4' }, { uid: 'other' }))).status, 422, 'a uid is immutable');
  assert.equal((await apply(map({ x: '4' }, { resourceVersion: now, uid }))).status, 200);
});

test('a conflict names each field and its manager; the same value is shared; force takes over', async (t) => {
  await using world = await startWorld(t);
  const apply = applier(world.call);
  await apply(map({ x: '1', y: '2' }));
  const shared = await apply(map({ x: '1' }), { manager: 'two' });
  assert.equal(shared.status, 200, shared.text);
  assert.deepEqual(ownersOf(shared)['Apply two'], { 'f:data': { 'f:x': {} } });

  const refused = await apply(map({ x: '5' }), { manager: 'three' });
  assert.equal(refused.status, 409);
  assert.equal(refused.json.reason, 'Conflict');
  assert.equal(
    refused.json.message,
    'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\nconflicts with "two":\n- .data.x',
  );
  assert.deepEqual(refused.json.details.causes, [
    { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.x' },
    { reason: 'FieldManagerConflict', message: 'conflict with "two"', field: '.data.x' },
  ]);

  const forced = await apply(map({ x: '5' }), { manager: 'three', query: '&force=true' });
  assert.deepEqual(forced.json.data, { x: '5', y: '2' });
  assert.deepEqual(ownersOf(forced), {
    'Apply one': { 'f:data': { 'f:y': {} } },
    'Apply three': { 'f:data': { 'f:x': {} } },
  });

  const updated = await world.call('PATCH', `${maps}/a?fieldManager=editor`, {
    body: { data: { y: '9' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.deepEqual(
    ownersOf(updated)['Update editor'],
    { 'f:data': { 'f:y': {} } },
    'an update takes fields of an apply',
  );
  assert.equal(ownersOf(updated)['Apply one'], undefined);
  const late = await apply(map({ y: '2' }));
  assert.equal(late.json.message, 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.y');
});

test('every way to write tracks its manager', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const headers = { 'user-agent': 'deployer/1.2 (linux)' };
  const made = await call('POST', maps, { body: map({ x: '1' }), headers });
  assert.deepEqual(ownersOf(made), { 'Update deployer': { 'f:data': { '.': {}, 'f:x': {} } } });

  const { managedFields: _, ...metadata } = made.json.metadata;
  const put = await call('PUT', `${maps}/a?fieldManager=putter`, {
    body: { ...made.json, metadata: { ...metadata, labels: { a: 'b' } } },
  });
  assert.deepEqual(ownersOf(put)['Update putter'], { 'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } } });
  assert.ok('Update deployer' in ownersOf(put), 'a client that knows of no managers loses none');

  const set = await call('POST', '/apis/releases.backline.dev/v1/changesets', {
    body: {
      apiVersion: 'releases.backline.dev/v1',
      kind: 'ChangeSet',
      metadata: { generateName: 'c-' },
      spec: { objects: [map({ x: '2' }, { namespace: 'default', labels: { a: 'b' } })] },
    },
    headers: { 'user-agent': 'backline/0.2' },
  });
  assert.equal(set.status, 201, set.text);
  const after = await call('GET', `${maps}/a`);
  assert.deepEqual(ownersOf(after)['Update backline'], { 'f:data': { 'f:x': {} } });
});

test('status is an entry of its own, and what the program itself writes has none', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const features = '/apis/products.backline.dev/v1/namespaces/default/features';
  const feature = {
    apiVersion: 'products.backline.dev/v1',
    kind: 'Feature',
    metadata: { name: 'hifi' },
    spec: { title: 'Hi-Fi', type: 'boolean' },
  };
  const apply = applier(call);
  const made = await apply(feature, { path: `${features}/hifi` });
  assert.equal(made.status, 201, made.text);
  await world.running.control?.releases()?.caughtUp();
  const live = await call('GET', `${features}/hifi`);
  assert.equal(live.json.status.conditions[0].type, 'Live');
  assert.deepEqual(Object.keys(ownersOf(live)), ['Apply one']);
  const again = await apply({ ...feature, status: { liveRevision: 'x' } }, { path: `${features}/hifi` });
  assert.equal(again.json.metadata.resourceVersion, live.json.metadata.resourceVersion, 'a status is not applied here');

  const namespace = '/api/v1/namespaces/team';
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } }, { path: namespace });
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' }, status: { phase: 'Active' } };
  const status = await apply(body, { path: `${namespace}/status`, manager: 'controller' });
  assert.equal(status.status, 200, status.text);
  assert.deepEqual(ownersOf(status)['Apply controller/status'], { 'f:status': { 'f:phase': {} } });
  const missing = await apply({ ...body, metadata: { name: 'none' } }, { path: '/api/v1/namespaces/none/status' });
  assert.equal(missing.status, 404);
});

test('an object without managers gets one at its first apply; [{}] makes it so', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const apply = applier(call);
  await apply(map({ x: '1' }));
  const patch = { 'content-type': 'application/merge-patch+json' };
  const reset = await call('PATCH', `${maps}/a`, { body: { metadata: { managedFields: [{}] } }, headers: patch });
  assert.equal(reset.json.metadata.managedFields, undefined);
  const kept = await call('PATCH', `${maps}/a`, { body: { data: { y: '2' } }, headers: patch });
  assert.equal(kept.json.metadata.managedFields, undefined, 'updates do not begin to track');

  const refused = await apply(map({ x: '2' }));
  assert.equal(
    refused.json.message,
    'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.x',
  );
  const taken = await apply(map({ x: '1' }));
  assert.equal(taken.status, 200, taken.text);
  assert.deepEqual(ownersOf(taken), {
    'Apply one': { 'f:data': { 'f:x': {} } },
    'Update before-first-apply': { 'f:data': { '.': {}, 'f:x': {}, 'f:y': {} } },
  });
});

test('more than ten updaters become one', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const apply = applier(call);
  await apply(map({ x: '1' }));
  for (let index = 0; index < 14; index += 1) {
    await call('PATCH', `${maps}/a?fieldManager=u${String.fromCharCode(97 + index)}`, {
      body: { data: { [`k${index}`]: 'v' } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
  }
  const owners = ownersOf(await call('GET', `${maps}/a`));
  assert.equal(Object.keys(owners).length, 11, Object.keys(owners).join());
  assert.deepEqual(
    Object.keys((owners['Update ancient-changes'] as Record<string, object>)['f:data'] ?? {}).toSorted(),
    ['f:k0', 'f:k1', 'f:k2', 'f:k3', 'f:k4'],
  );
});

test('an object has at most a hundred managers', async (t) => {
  await using world = await startWorld(t);
  const apply = applier(world.call);
  for (let index = 0; index < 100; index += 1) {
    const done = await apply(map({ [`k${index}`]: 'v' }), { manager: `m${index}` });
    assert.ok(done.status < 300, done.text);
  }
  const refused = await apply(map({ k100: 'v' }), { manager: 'm100' });
  assert.equal(refused.status, 422);
  assert.equal(
    refused.json.message,
    '101 managers would own fields, and at most 100 may. Apply under a name that is among them, or reset them: set metadata.managedFields to [{}].',
  );
  assert.equal((await apply(map({ k99: 'w' }), { manager: 'm99' })).status, 200);
});

test('options and bodies of an apply that are wrong are refused, and nothing is written', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const apply = applier(call);
  const none = await call('PATCH', `${maps}/a`, {
    body: map({ x: '1' }),
    headers: { 'content-type': 'application/apply-patch+yaml' },
  });
  assert.equal(none.status, 422);
  assert.equal(
    none.json.message,
    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  );
  const cases: readonly (readonly [unknown, ApplyOptions, number, RegExp])[] = [
    [map({ x: '1' }), { manager: 'x'.repeat(129) }, 422, /may not be more than 128 bytes/],
    [map({ x: '1' }, { managedFields: [] }), {}, 400, /metadata\.managedFields must be nil/],
    [map({ x: '1' }, { name: 'other' }), {}, 400, /does not match the name on the URL/],
    [map({ x: '1' }, { resourceVersion: '3' }), {}, 400, /resourceVersion should not be set on objects to be created/],
    [map({ x: '1' }, { uid: 'u' }), {}, 409, /no existing object was found/],
    [map({ x: 1 }), {}, 422, /data\.x in body must be of type string/],
    [{ ...map({}), spec: {} }, { query: '&fieldValidation=Strict' }, 400, /unknown field "spec"/],
    [{ ...map({}), kind: 'Secret' }, {}, 400, /does not match the expected/],
    [[1], {}, 400, /must be one ConfigMap object/],
    ['- a\n- b', {}, 400, /must be one ConfigMap object/],
  ];
  for (const [body, options, status, message] of cases) {
    const refused = await apply(body, options);
    assert.equal(refused.status, status, refused.text);
    assert.match(refused.json.message, message);
  }
  assert.equal((await call('GET', `${maps}/a`)).status, 404);
  const dry = await apply(map({ x: '1' }), { query: '&dryRun=All' });
  assert.equal(dry.status, 201, dry.text);
  assert.deepEqual(ownersOf(dry), { 'Apply one': { 'f:data': { 'f:x': {} } } });
  assert.equal((await call('GET', `${maps}/a`)).status, 404);
  const warned = await apply({ ...map({ x: '1' }), spec: {} }, { query: '&fieldValidation=Warn' });
  assert.equal(warned.status, 201);
  assert.match(String(warned.headers['warning']), /unknown field/);
});

test('managers that are sent in an update are kept when they are right, and refused when they are not', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const apply = applier(call);
  const made = await apply(map({ x: '1' }));
  const [entry] = made.json.metadata.managedFields;
  const put = (managedFields: unknown) =>
    call('PUT', `${maps}/a`, { body: { ...made.json, metadata: { ...made.json.metadata, managedFields } } });
  const broken: readonly (readonly [unknown, RegExp])[] = [
    ['x', /metadata\.managedFields: Invalid value: "string": metadata\.managedFields in body must be of type array/],
    [[{ ...entry, operation: 'Steal' }], /metadata\.managedFields\[0\]\.operation: Unsupported value: "Steal"/],
    [
      [entry, { ...entry, fieldsType: 'FieldsV2' }],
      /managedFields\[1\]\.fieldsType: Invalid value: "FieldsV2": must be `FieldsV1`/,
    ],
    [[{ ...entry, fieldsV1: { data: {} } }], /managedFields\[0\]\.fieldsV1: Invalid value: "data" is no path element/],
    [[{ ...entry, apiVersion: '' }], /managedFields\[0\]\.apiVersion: Required value/],
    [[{ ...entry, manager: 'x'.repeat(200) }], /may not be more than 128 bytes/],
    [
      Array.from({ length: 101 }, (_, index) => ({ ...entry, manager: `m${index}` })),
      /Too many: 101: must have at most 100 items/,
    ],
  ];
  for (const [managedFields, message] of broken) {
    const refused = await put(managedFields);
    assert.equal(refused.status, 422, refused.text);
    assert.match(refused.json.message, message);
  }
  for (const absent of [undefined, null, [], [entry]]) {
    const same = await put(absent);
    assert.equal(same.json.metadata?.resourceVersion, made.json.metadata.resourceVersion, same.text);
  }
  const given = await put([{ ...entry, manager: 'two' }]);
  assert.deepEqual(ownersOf(given), { 'Apply two': { 'f:data': { 'f:x': {} } } });
});

test('an applied Secret owns its data, and a conflict shows no value of it', async (t) => {
  await using world = await startWorld(t);
  const apply = applier(world.call);
  const path = '/api/v1/namespaces/default/secrets/s';
  const secret = (stringData: object) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData });
  const made = await apply(secret({ password: 'hunter2', user: 'ann' }), { path });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(ownersOf(made), { 'Apply one': { 'f:data': { 'f:password': {}, 'f:user': {} } } });
  const again = await apply(secret({ password: 'hunter2', user: 'ann' }), { path });
  assert.equal(again.json.metadata.resourceVersion, made.json.metadata.resourceVersion);
  const less = await apply(secret({ password: 'hunter2' }), { path });
  assert.deepEqual(Object.keys(less.json.data), ['password']);
  const refused = await apply(secret({ password: 'hunter3' }), { path, manager: 'two' });
  assert.equal(refused.json.message, 'Apply failed with 1 conflict: conflict with "one": .data.password');
  assert.doesNotMatch(refused.text, /hunter|aHVudGVy/);
});

test('a part of a binding and of a namespace is applied', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const apply = applier(call);
  const group = 'rbac.authorization.k8s.io';
  const bindings = `/apis/${group}/v1/namespaces/default/rolebindings`;
  const roleRef = { kind: 'ClusterRole', name: 'view' };
  const subjects = [{ kind: 'User', name: 'ann' }];
  const made = await call('POST', bindings, { body: { metadata: { name: 'b' }, roleRef, subjects } });
  assert.equal(made.status, 201, made.text);
  const body = { apiVersion: `${group}/v1`, kind: 'RoleBinding', metadata: { name: 'b', labels: { a: 'b' } } };
  const labelled = await apply(body, { path: `${bindings}/b` });
  assert.equal(labelled.status, 200, labelled.text);
  assert.equal(labelled.json.subjects[0].name, 'ann');

  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team', labels: { a: 'b' } } };
  const named = await apply(namespace, { path: '/api/v1/namespaces/team' });
  assert.equal(named.status, 201, named.text);
  assert.equal(named.json.metadata.labels['kubernetes.io/metadata.name'], 'team');
  const again = await apply(namespace, { path: '/api/v1/namespaces/team' });
  assert.equal(again.json.metadata.resourceVersion, named.json.metadata.resourceVersion);

  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u1' };
  const metadata = { finalizers: ['example.com/a'], ownerReferences: [owner], annotations: { note: '1' } };
  const first = await apply(map({ x: '1' }, metadata));
  assert.deepEqual(ownersOf(first)['Apply one'], {
    'f:data': { 'f:x': {} },
    'f:metadata': {
      'f:annotations': { 'f:note': {} },
      'f:finalizers': { 'v:"example.com/a"': {} },
      'f:ownerReferences': { 'k:{"uid":"u1"}': {} },
    },
  });
});

test('managers are no change in histories, records and plans', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const apply = applier(call);
  const features = '/apis/products.backline.dev/v1/namespaces/default/features';
  const object = (title: string) => ({
    apiVersion: 'products.backline.dev/v1',
    kind: 'Feature',
    metadata: { name: 'hifi', namespace: 'default' },
    spec: { title, type: 'boolean' },
  });
  await apply(object('a'), { path: `${features}/hifi` });
  await world.running.control?.releases()?.caughtUp();
  const shared = await apply(object('a'), { path: `${features}/hifi`, manager: 'two' });
  assert.deepEqual(Object.keys(ownersOf(shared)), ['Apply one', 'Apply two']);
  assert.equal(shared.json.metadata.generation, 1, 'to share fields is no new generation');
  await apply(object('b'), { path: `${features}/hifi`, manager: 'three', query: '&force=true' });
  const plan = await call('POST', '/apis/releases.backline.dev/v1/changesets?dryRun=All', {
    body: {
      apiVersion: 'releases.backline.dev/v1',
      kind: 'ChangeSet',
      metadata: { generateName: 'c-' },
      spec: { objects: [object('c')] },
    },
  });
  const history = await call('GET', `${features}/hifi/history`);
  const records = await call('GET', '/apis/audit.backline.dev/v1/auditrecords');
  for (const shown of [plan, history, records]) {
    assert.ok(shown.status < 300, shown.text);
    assert.match(shown.text, /title/);
    assert.doesNotMatch(shown.text, /managedFields/);
  }
});
