import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld, type Call } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';

const configMaps = '/api/v1/namespaces/default/configmaps';
const features = '/apis/products.backline.dev/v1/namespaces/default/features';

function configMap(name: string, data: Record<string, string> = {}, metadata: object = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

async function makeMaps(call: Call, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const made = await call('POST', configMaps, { body: configMap(`m${index}`, {}, { labels: { n: String(index) } }) });
    assert.equal(made.status, 201, made.text);
  }
}

/** Opens a watch and collects its events until `enough` says so or the server ends it. */
async function watch(
  url: string,
  token: string,
  path: string,
  enough: (events: WatchLine[]) => boolean,
  headers = {},
): Promise<WatchLine[]> {
  const stop = new AbortController();
  const answer = await fetch(url + path, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: stop.signal,
  });
  assert.equal(answer.status, 200);
  const events: WatchLine[] = [];
  let rest = '';
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  while (reader !== undefined && !enough(events)) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') events.push(JSON.parse(line));
  }
  stop.abort();
  return events;
}

interface WatchLine {
  type: string;
  object: {
    kind: string;
    code?: number;
    reason?: string;
    metadata: { name: string; resourceVersion: string; labels?: Record<string, string> };
    rows?: unknown[];
  };
}

test('a resource lives through create, read, update, patch and delete as Kubernetes has it', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;

  const made = await call('POST', features, { body: feature('offline') });
  assert.equal(made.status, 201, made.text);
  const { metadata } = made.json;
  assert.equal(metadata.generation, 1);
  assert.match(metadata.uid, /^[0-9a-f-]{36}$/);
  assert.match(metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

  assert.equal((await call('POST', features, { body: feature('offline') })).json.reason, 'AlreadyExists');
  await world.running.control?.releases()?.caughtUp();
  const first = (await call('GET', `${features}/offline`)).json;
  assert.equal(first.status.conditions[0].status, 'True');

  const noop = await call('PUT', `${features}/offline`, { body: first });
  assert.equal(noop.status, 200);
  assert.equal(
    noop.json.metadata.resourceVersion,
    first.metadata.resourceVersion,
    'a write without change makes no version',
  );

  const labelled = await call('PATCH', `${features}/offline`, {
    body: { metadata: { labels: { team: 'growth' } } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(labelled.json.metadata.generation, 1, 'metadata does not count as a new generation');
  assert.notEqual(labelled.json.metadata.resourceVersion, first.metadata.resourceVersion);

  const stale = await call('PUT', `${features}/offline`, {
    body: { ...first, spec: { ...first.spec, title: 'Downloads' } },
  });
  assert.equal(stale.status, 409);
  assert.equal(stale.json.reason, 'Conflict');
  await world.running.control?.releases()?.caughtUp();
  const current = (await call('GET', `${features}/offline`)).json;
  const changed = await call('PUT', `${features}/offline`, {
    body: { ...current, spec: { ...current.spec, title: 'Downloads' }, status: { liveRevision: 'forged' } },
  });
  assert.equal(changed.status, 200, changed.text);
  assert.equal(changed.json.metadata.generation, 2);
  assert.notEqual(changed.json.status.liveRevision, 'forged', 'status is not written through the main resource');

  const patched = await call('PATCH', `${features}/offline`, {
    body: [
      { op: 'test', path: '/spec/title', value: 'Downloads' },
      { op: 'replace', path: '/spec/title', value: 'Offline' },
    ],
    headers: { 'content-type': 'application/json-patch+json' },
  });
  assert.equal(patched.json.spec.title, 'Offline', patched.text);
  const failedTest = await call('PATCH', `${features}/offline`, {
    body: [{ op: 'test', path: '/spec/title', value: 'no' }],
    headers: { 'content-type': 'application/json-patch+json' },
  });
  assert.equal(failedTest.status, 422, failedTest.text);

  const gone = await call('DELETE', `${features}/offline`, { body: { preconditions: { uid: 'other' } } });
  assert.equal(gone.status, 409);
  const deleted = await call('DELETE', `${features}/offline`);
  assert.equal(deleted.json.status, 'Success');
  assert.equal(deleted.json.details.uid, metadata.uid);
  assert.equal((await call('GET', `${features}/offline`)).status, 404);
});

test('finalizers hold a deletion until the last one is removed', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await call('POST', features, {
    body: { ...feature('held'), metadata: { name: 'held', finalizers: ['example.com/hold'] } },
  });
  const marked = await call('DELETE', `${features}/held`);
  assert.equal(marked.status, 200);
  assert.ok(marked.json.metadata.deletionTimestamp);
  assert.equal(marked.json.metadata.generation, 2);
  await world.running.control?.releases()?.caughtUp();
  const before = (await call('GET', `${features}/held`)).json.metadata.resourceVersion;
  assert.equal(
    (await call('DELETE', `${features}/held`)).json.metadata.resourceVersion,
    before,
    'a second delete changes nothing',
  );
  const headers = { 'content-type': 'application/merge-patch+json' };
  const added = await call('PATCH', `${features}/held`, {
    body: { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } },
    headers,
  });
  assert.equal(added.status, 422);
  const removed = await call('PATCH', `${features}/held`, { body: { metadata: { finalizers: null } }, headers });
  assert.equal(removed.status, 200);
  assert.equal(removed.json.metadata.name, 'held');
  assert.equal((await call('GET', `${features}/held`)).status, 404);
});

test('pages of a list come from the moment of the first page', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await makeMaps(call, 5);
  const first = await call('GET', `${configMaps}?limit=2`);
  assert.equal(first.json.items.length, 2);
  assert.equal(first.json.metadata.resourceVersion !== '', true);
  await call('DELETE', `${configMaps}/m3`);
  await call('POST', configMaps, { body: configMap('m11') });
  await call('PATCH', `${configMaps}/m4`, {
    body: { data: { later: 'yes' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  const names: string[] = first.json.items.map((item: { metadata: { name: string } }) => item.metadata.name);
  let token = first.json.metadata.continue;
  while (token !== undefined) {
    const page = (await call('GET', `${configMaps}?limit=2&continue=${token}`)).json;
    assert.equal(page.metadata.resourceVersion, first.json.metadata.resourceVersion);
    for (const { metadata, data } of page.items) {
      names.push(metadata.name);
      assert.equal(data?.later, undefined, 'a page must not show what was written later');
    }
    token = page.metadata.continue;
  }
  assert.deepEqual(names, ['m0', 'm1', 'm2', 'm3', 'm4']);
  assert.equal((await call('GET', `${configMaps}?continue=nonsense`)).status, 400);
  assert.equal(
    (await call('GET', `${configMaps}?limit=2&continue=${first.json.metadata.continue}&resourceVersion=1`)).status,
    400,
  );
});

test('selectors choose, and bad ones are refused with what was expected', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await makeMaps(call, 4);
  const names = async (query: string) =>
    (await call('GET', `${configMaps}?${query}`)).json.items.map(
      (item: { metadata: { name: string } }) => item.metadata.name,
    );
  assert.deepEqual(await names(`labelSelector=${encodeURIComponent('n in (1,2)')}`), ['m1', 'm2']);
  assert.deepEqual(await names(`labelSelector=${encodeURIComponent('n,n!=3')}`), ['m0', 'm1', 'm2']);
  assert.deepEqual(await names('fieldSelector=metadata.name%3Dm3'), ['m3']);
  assert.deepEqual(await names('fieldSelector=metadata.name%3Dm3&labelSelector=n%3D2'), []);
  assert.deepEqual(await names('fieldSelector=metadata.name%3Dm9'), []);
  await call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'another' } } });
  await call('POST', '/api/v1/namespaces/another/configmaps', { body: { metadata: { name: 'm3' } } });
  assert.deepEqual(await names('fieldSelector=metadata.name%3Dm3'), ['m3'], 'of this namespace alone');
  const everywhere = async (query: string) =>
    (await call('GET', `/api/v1/configmaps?fieldSelector=metadata.name%3Dm3&${query}`)).json;
  const all = await everywhere('');
  const namespaces = ({ items }: typeof all) =>
    items.map((item: { metadata: { namespace: string } }) => item.metadata.namespace);
  assert.deepEqual(namespaces(all), ['another', 'default']);
  const first = await everywhere('limit=1');
  const rest = await everywhere(`limit=1&continue=${first.metadata.continue}`);
  assert.deepEqual([...namespaces(first), ...namespaces(rest)], ['another', 'default']);
  for (const query of [
    'labelSelector=a%20b%20c',
    'labelSelector=%3D%3D',
    'fieldSelector=spec.unknown%3D1',
    'limit=-1',
    'limit=many',
  ]) {
    const refused = await call('GET', `${configMaps}?${query}`);
    assert.equal(refused.status, 400, `${query}: ${refused.text}`);
    assert.equal(refused.json.kind, 'Status');
  }
});

test('a watch begins where it is asked to, and says so when that is no longer kept', async (t) => {
  await using world = await startWorld(t);
  const { call, url } = world;
  const { token } = world.running;
  await makeMaps(call, 2);
  const { resourceVersion } = (await call('GET', configMaps)).json.metadata;
  await call('PATCH', `${configMaps}/m0`, {
    body: { metadata: { labels: { n: 'other' } } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  await call('DELETE', `${configMaps}/m1`);

  const all = await watch(
    url,
    token,
    `${configMaps}?watch=true&resourceVersion=${resourceVersion}`,
    (events) => events.length === 2,
  );
  assert.deepEqual(
    all.map(({ type, object }) => [type, object.metadata.name]),
    [
      ['MODIFIED', 'm0'],
      ['DELETED', 'm1'],
    ],
  );
  const versions = all.map(({ object }) => Number(object.metadata.resourceVersion));
  assert.ok(versions[0] !== undefined && versions[1] !== undefined && versions[1] > versions[0]);

  const left = await watch(
    url,
    token,
    `${configMaps}?watch=true&resourceVersion=${resourceVersion}&labelSelector=n%3D0`,
    (events) => events.length === 1,
  );
  assert.equal(left[0]?.type, 'DELETED', 'an object that leaves the selection is gone for the watcher');
  assert.equal(left[0]?.object.metadata.labels?.['n'], '0', 'and is shown as it was');
  assert.equal(left[0]?.object.metadata.resourceVersion, String(versions[0]));

  const fresh = await watch(url, token, `${configMaps}?watch=true`, (events) => events.length === 1);
  assert.deepEqual(
    fresh.map(({ type, object }) => [type, object.metadata.name]),
    [['ADDED', 'm0']],
  );

  const timed = await watch(
    url,
    token,
    `${configMaps}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=${versions[1]}`,
    () => false,
  );
  assert.deepEqual(
    timed.map(({ type }) => type),
    ['BOOKMARK'],
  );

  const table = await watch(url, token, `${configMaps}?watch=true`, (events) => events.length === 1, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  });
  assert.equal(table[0]?.object.kind, 'Table');

  const soon = versions[1] + 2;
  const later = watch(url, token, `${configMaps}?watch=true&resourceVersion=${soon}`, (events) => events.length > 0);
  const meant = call('GET', `${configMaps}/m0?resourceVersion=${soon}`);
  for (const value of ['1', '2', '3']) {
    await call('PATCH', `${configMaps}/m0`, {
      body: { data: { value } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
  }
  const [first] = await later;
  assert.equal(Number(first?.object.metadata.resourceVersion), soon + 1, 'from a version that is yet to come');
  assert.ok(Number((await meant).json.metadata.resourceVersion) >= soon, 'a read waits for the version it names');
  const never = await call('GET', `${configMaps}/m0?resourceVersion=999999`);
  assert.deepEqual([never.status, never.json.reason], [504, 'Timeout']);
});

test('nothing but health answers without a token, and a wrong one is no better', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  for (const path of ['/livez', '/readyz', '/metrics'])
    assert.equal((await call('GET', path, { token: '' })).status, 200);
  for (const token of ['', 'wrong']) {
    for (const path of ['/api', '/apis', '/version', '/openapi/v3', configMaps]) {
      const refused = await call('GET', path, { token });
      assert.equal(refused.status, 401, path);
      assert.equal(refused.json.reason, 'Unauthorized');
    }
    assert.equal((await call('POST', configMaps, { token, body: configMap('x') })).status, 401);
  }
});

test('unknown and duplicate fields are pruned, warned of or refused, as the caller asks', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1","a":"2"},"bogus":1}';
  const strict = await call('POST', `${configMaps}?fieldValidation=Strict`, { body });
  assert.equal(strict.status, 400);
  assert.match(strict.json.message, /duplicate field "data\.a"|unknown field "bogus"/);
  const unknownOnly = await call('POST', `${configMaps}?fieldValidation=Strict`, {
    body: { ...configMap('x'), bogus: 1 },
  });
  assert.match(unknownOnly.json.message, /unknown field "bogus"/);
  const warned = await call('POST', `${configMaps}?fieldValidation=Warn&dryRun=All`, { body });
  assert.equal(warned.status, 201);
  assert.match(String(warned.headers['warning']), /299 - "duplicate field \\"data\.a\\""/);
  assert.match(String(warned.headers['warning']), /unknown field \\"bogus\\"/);
  assert.equal((await call('GET', `${configMaps}/x`)).status, 404, 'a dry run keeps nothing');
  const ignored = await call('POST', `${configMaps}?fieldValidation=Ignore`, { body });
  assert.equal(ignored.status, 201);
  assert.equal(ignored.headers['warning'], undefined);
  assert.equal(ignored.json.bogus, undefined);
});

test('bad input gets a precise refusal and changes nothing', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const { resourceVersion } = (await call('GET', configMaps)).json.metadata;
  const json = { 'content-type': 'application/json' };
  const cases: [
    name: string,
    status: number,
    message: RegExp,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ][] = [
    ['malformed JSON', 400, /line 1/i, 'POST', configMaps, '{"kind": ', json],
    [
      'malformed YAML',
      400,
      /line 2/i,
      'POST',
      configMaps,
      'kind: ConfigMap\nmetadata: ]\n',
      { 'content-type': 'application/yaml' },
    ],
    ['not an object', 400, /object/, 'POST', configMaps, '[]', json],
    ['wrong kind', 400, /does not match/, 'POST', configMaps, feature('x')],
    ['wrong type', 422, /data\.a/, 'POST', configMaps, configMap('x', { a: 1 as unknown as string })],
    ['bad name', 422, /metadata\.name/, 'POST', configMaps, configMap('Not_A_Name')],
    ['no name', 422, /name/, 'POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: {} }],
    ['bad label', 422, /metadata\.labels/, 'POST', configMaps, configMap('x', {}, { labels: { 'a b': 'c' } })],
    ['version on create', 400, /resourceVersion/, 'POST', configMaps, configMap('x', {}, { resourceVersion: '5' })],
    [
      'other namespace',
      400,
      /does not match the namespace/,
      'POST',
      configMaps,
      configMap('x', {}, { namespace: 'other' }),
    ],
    [
      'missing namespace',
      404,
      /namespaces "nowhere" not found/,
      'POST',
      '/api/v1/namespaces/nowhere/configmaps',
      configMap('x'),
    ],
    ['update of nothing', 404, /not found/, 'PUT', `${configMaps}/x`, configMap('x')],
    ['name mismatch', 400, /does not match the name on the URL/, 'PUT', `${configMaps}/y`, configMap('x')],
    ['unknown kind', 404, /could not find the requested resource/, 'GET', '/apis/nothing.example/v1/things'],
    [
      'unknown patch type',
      415,
      /merge-patch/,
      'PATCH',
      `${configMaps}/x`,
      '{}',
      { 'content-type': 'application/apply-something' },
    ],
    ['unknown accept', 406, /accept/i, 'GET', configMaps, undefined, { accept: 'image/png' }],
    ['unknown media type', 415, /application\/json/, 'POST', configMaps, 'x', { 'content-type': 'text/csv' }],
    ['method', 405, /method/, 'PUT', configMaps, configMap('x')],
    ['huge body', 413, /larger/, 'POST', configMaps, configMap('x', { a: 'x'.repeat(4 * 1024 * 1024) })],
    ['deep nesting', 400, /deep|nest/i, 'POST', configMaps, `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`, json],
    ['bad dry run', 400, /dryRun/, 'POST', `${configMaps}?dryRun=Some`, configMap('x')],
    ['future version', 504, /Too large resource version/, 'GET', `${configMaps}?resourceVersion=99999999`],
    ['match without version', 422, /resourceVersionMatch/, 'GET', `${configMaps}?resourceVersionMatch=Exact`],
    ['no version on update', 422, /resourceVersion/, 'PUT', `${features}/none`, feature('none')],
    [
      'heads are not for writing',
      405,
      /method/,
      'POST',
      '/apis/releases.backline.dev/v1/heads',
      { apiVersion: 'releases.backline.dev/v1', kind: 'Head', metadata: { name: 'x' } },
    ],
    ['bad percent-encoding', 400, /percent/, 'GET', `${configMaps}/%E0%A4%A`],
  ];
  await call('POST', features, { body: feature('none') });
  for (const [name, status, message, method, path, body, headers] of cases) {
    const refused = await call(method, path, {
      ...(body === undefined ? {} : { body }),
      ...(headers === undefined ? {} : { headers }),
    });
    assert.equal(refused.status, status, `${name}: ${refused.text}`);
    assert.equal(refused.json.kind, 'Status', name);
    assert.equal(refused.json.code, status, name);
    assert.match(refused.json.message, message, name);
  }
  assert.equal((await call('GET', configMaps)).json.items.length, 0);
  assert.ok(Number((await call('GET', configMaps)).json.metadata.resourceVersion) >= Number(resourceVersion));
});

test('YAML goes both ways', async (t) => {
  await using world = await startWorld(t);
  const made = await world.call('POST', configMaps, {
    body: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y\ndata:\n  answer: "42"\n',
    headers: { 'content-type': 'application/yaml', accept: 'application/yaml' },
  });
  assert.equal(made.status, 201, made.text);
  assert.match(made.text, /answer: "?42"?/);
  assert.match(made.text, /^kind: ConfigMap$/m);
});

test('discovery, OpenAPI and tables are what clients look for', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  assert.deepEqual((await call('GET', '/api')).json.versions, ['v1']);
  const groups = (await call('GET', '/apis')).json.groups.map((group: { name: string }) => group.name);
  assert.ok(groups.includes('products.backline.dev') && groups.includes('releases.backline.dev'), String(groups));
  const aggregated = await call('GET', '/apis', {
    headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json' },
  });
  assert.match(String(aggregated.headers['content-type']), /g=apidiscovery\.k8s\.io;v=v2;as=APIGroupDiscoveryList/);
  assert.equal(aggregated.json.kind, 'APIGroupDiscoveryList');
  const resources = (await call('GET', '/apis/products.backline.dev/v1')).json.resources.map(
    (resource: { name: string }) => resource.name,
  );
  assert.ok(resources.includes('plans') && resources.includes('plans/status'), String(resources));
  const root = (await call('GET', '/openapi/v3')).json.paths;
  const document = (await call('GET', root['apis/products.backline.dev/v1'].serverRelativeURL)).json;
  assert.ok(document.paths['/apis/products.backline.dev/v1/namespaces/{namespace}/plans/{name}'].patch);
  await call('POST', features, { body: feature('offline') });
  const table = await call('GET', features, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
  assert.equal(table.json.kind, 'Table');
  assert.equal(table.json.rows[0].cells[0], 'offline');
  assert.equal(table.json.columnDefinitions[0].name, 'Name');
});

test('a deleted namespace takes nothing new, and goes when it is finalized', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const team = '/api/v1/namespaces/team';
  const made = await call('POST', '/api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } },
  });
  assert.deepEqual([made.json.spec, made.json.status], [{ finalizers: ['kubernetes'] }, { phase: 'Active' }]);
  const replaced = await call('PUT', team, { body: { ...made.json, spec: {}, status: {} } });
  assert.deepEqual(replaced.json, made.json, 'finalizers are not the business of a plain write');

  const marked = await call('DELETE', team);
  assert.equal(marked.status, 200);
  assert.equal(marked.json.kind, 'Namespace');
  assert.equal(marked.json.status.phase, 'Terminating');
  assert.ok(marked.json.metadata.deletionTimestamp);
  assert.deepEqual((await call('DELETE', team)).json, marked.json, 'a second delete changes nothing');
  const refused = await call('POST', `${team}/configmaps`, { body: configMap('a') });
  assert.equal(refused.status, 403);
  assert.match(refused.json.message, /because it is being terminated/);

  assert.equal((await call('PATCH', `${team}/finalize`, { body: {} })).status, 405);
  const odd = await call('PUT', `${team}/finalize`, { body: { ...marked.json, spec: { finalizers: ['odd'] } } });
  assert.equal(odd.status, 422);
  const stale = { ...made.json, spec: {} };
  assert.equal((await call('PUT', `${team}/finalize`, { body: stale })).status, 409);
  const done = await call('PUT', `${team}/finalize`, { body: { ...marked.json, spec: {} } });
  assert.equal(done.status, 200);
  assert.equal((await call('GET', team)).status, 404);
});

test('a namespace goes when its last finalizer of either sort is taken away', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const team = '/api/v1/namespaces/team';
  await call('POST', '/api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team', finalizers: ['example.com/hold'] } },
  });
  await call('DELETE', team);
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' }, spec: {} };
  assert.equal((await call('PUT', `${team}/finalize`, { body })).status, 200);
  assert.equal((await call('GET', team)).status, 200, 'somebody else still holds it');
  const headers = { 'content-type': 'application/merge-patch+json' };
  assert.equal((await call('PATCH', team, { body: { metadata: { finalizers: null } }, headers })).status, 200);
  assert.equal((await call('GET', team)).status, 404);
});

test('namespaces that the server needs are not deleted', async (t) => {
  await using world = await startWorld(t);
  const refused = await world.call('DELETE', '/api/v1/namespaces/default');
  assert.equal(refused.status, 403);
  assert.match(refused.json.message, /may not be deleted/);
});

test('finalizers of a deletion decide what happens to the dependents', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await makeMaps(call, 4);
  const remove = (name: string, body?: object, query = '') =>
    call('DELETE', `${configMaps}/${name}${query}`, body === undefined ? {} : { body });
  const finalizers = async (name: string) => (await call('GET', `${configMaps}/${name}`)).json.metadata?.finalizers;

  assert.equal((await remove('m0', { propagationPolicy: 'Foreground' })).status, 200);
  assert.deepEqual(await finalizers('m0'), ['foregroundDeletion']);
  await remove('m0');
  assert.deepEqual(await finalizers('m0'), ['foregroundDeletion'], 'a later delete without a wish changes nothing');
  await remove('m0', { propagationPolicy: 'Orphan' });
  assert.deepEqual(await finalizers('m0'), ['orphan'], 'a later delete may wish otherwise');
  await remove('m0', { propagationPolicy: 'Background' });
  assert.equal((await call('GET', `${configMaps}/m0`)).status, 404);

  await remove('m1', { orphanDependents: true });
  assert.deepEqual(await finalizers('m1'), ['orphan']);
  await remove('m2', undefined, '?propagationPolicy=Foreground');
  assert.deepEqual(await finalizers('m2'), ['foregroundDeletion']);

  const wrong = await remove('m3', { propagationPolicy: 'Sideways' });
  assert.equal(wrong.status, 422);
  assert.match(wrong.json.message, /"Sideways": supported values: "Background", "Foreground", "Orphan"/);
  assert.equal((await remove('m3', { propagationPolicy: 'Orphan', orphanDependents: false })).status, 422);
  assert.equal((await remove('m3', { propagationPolicy: 7 })).status, 400);
  assert.equal((await remove('m3', undefined, '?propagationPolicy=Sideways')).status, 422);

  const malformed: readonly (readonly [number, unknown, string?])[] = [
    [400, { dryRun: 'All' }],
    [422, { dryRun: ['all'] }],
    [422, { dryRun: ['Some'] }],
    [422, { dryRun: ['All', 'Some'] }],
    [400, { dryRun: true }],
    [400, { preconditions: { resourceVersion: 1 } }],
    [400, { preconditions: { uid: 5 } }],
    [400, { preconditions: [{ uid: 'x' }] }],
    [400, { preconditions: { name: 'm3' } }],
    [400, { precondition: { uid: 'x' } }],
    [400, { kind: 'Foo', apiVersion: 'v1' }],
    [400, configMap('m3')],
    [400, []],
    [400, '"x"'],
    [400, 5],
    [400, { gracePeriodSeconds: 'x' }],
    [400, { orphanDependents: 'yes' }],
    [400, '{"dryRun":["All"],"dryRun":[]}'],
    [400, undefined, '?gracePeriodSeconds=x'],
    [400, undefined, '?dryRun=Some'],
    [409, undefined, '?uid=other'],
    [409, { preconditions: { uid: '' } }],
  ];
  for (const [status, body, query = ''] of malformed) {
    for (const path of [`${configMaps}/m3`, configMaps]) {
      const refused = await call('DELETE', `${path}${query}`, body === undefined ? {} : { body });
      assert.equal(refused.status, status, `${path}${query} ${JSON.stringify(body)}: ${refused.text}`);
    }
  }
  assert.equal((await call('GET', configMaps)).json.items.length, 3, 'nothing was deleted');
  const harmless = { kind: 'DeleteOptions', apiVersion: 'apps/v1', gracePeriodSeconds: 0, preconditions: null };
  assert.equal((await remove('m3', { ...harmless, dryRun: ['All'] })).status, 200);
  assert.equal((await remove('m3', harmless)).json.status, 'Success');
});

test('a selection is deleted at once', async (t) => {
  await using world = await startWorld(t);
  await makeMaps(world.call, 4);
  const deleted = await world.call('DELETE', `${configMaps}?labelSelector=${encodeURIComponent('n in (1,2)')}`);
  assert.equal(deleted.json.items.length, 2);
  const left = (await world.call('GET', configMaps)).json.items.map(
    (item: { metadata: { name: string } }) => item.metadata.name,
  );
  assert.deepEqual(left, ['m0', 'm3']);

  const held = { preconditions: { resourceVersion: '1' } };
  assert.equal((await world.call('DELETE', configMaps, { body: held })).status, 409);
  const one = (await world.call('DELETE', `${configMaps}?limit=1`)).json;
  assert.deepEqual([one.items.length, one.items[0].metadata.name], [1, 'm0']);
  const rest = (await world.call('DELETE', `${configMaps}?limit=1&continue=${one.metadata.continue}`)).json;
  assert.deepEqual([rest.items[0].metadata.name, rest.metadata.continue], ['m3', undefined]);
  assert.equal((await world.call('GET', configMaps)).json.items.length, 0);
});

test('fields of the server cannot be set by others, and a blank field counts as absent', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const patch = (body: unknown, type = 'merge-patch', query = '') =>
    call('PATCH', `${configMaps}/a${query}`, { body, headers: { 'content-type': `application/${type}+json` } });
  const blank = { resourceVersion: '', uid: null, creationTimestamp: null };
  assert.equal((await call('POST', configMaps, { body: configMap('a', {}, blank) })).status, 201);
  assert.equal((await call('POST', configMaps, { body: configMap('b', {}, { resourceVersion: null }) })).status, 201);

  for (const [status, body, type] of [
    [400, { metadata: { name: 'b' } }],
    [400, { metadata: { namespace: 'other' } }],
    [400, [{ op: 'replace', path: '/metadata/name', value: 'b' }], 'json-patch'],
    [400, { metadata: { name: 'b' } }, 'strategic-merge-patch'],
    [422, { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } }],
    [422, { metadata: { uid: '0c8a3e1a-5bd6-4a5f-8a55-9ab6d0a0c7f1' } }],
    [409, { metadata: { resourceVersion: '1' } }],
    [200, { metadata: { name: 'a', namespace: 'default', uid: null, resourceVersion: '' }, kind: null }],
  ] as const) {
    const answer = await patch(body, type);
    assert.equal(answer.status, status, `${JSON.stringify(body)}: ${answer.text}`);
  }
  assert.equal((await patch({}, 'merge-patch', '?force=true')).status, 422);
  assert.equal((await patch({}, 'merge-patch', `?fieldManager=${'m'.repeat(129)}`)).status, 422);
  for (const resourceVersion of ['', '0', null]) {
    for (const uid of ['', null]) {
      const put = await call('PUT', `${configMaps}/a`, { body: configMap('a', {}, { resourceVersion, uid }) });
      assert.equal(put.status, 200, `${JSON.stringify({ resourceVersion, uid })}: ${put.text}`);
    }
  }

  const named = await call('POST', configMaps, { body: configMap('', {}, { generateName: 'g-' }) });
  assert.match(named.json.metadata.name, /^g-[a-z0-9]{5}$/);
  const long = await call('POST', configMaps, {
    body: { ...configMap(''), metadata: { generateName: 'x'.repeat(250) } },
  });
  assert.equal(long.json.metadata.name.length, 63, long.text);

  const byName = async (name: string) =>
    (await call('GET', `/api/v1/namespaces?labelSelector=kubernetes.io/metadata.name%3D${name}`)).json.items.length;
  assert.equal(await byName('default'), 1);
  const mislabelled = { metadata: { name: 'team', labels: { 'kubernetes.io/metadata.name': 'other' } } };
  assert.equal((await call('POST', '/api/v1/namespaces', { body: mislabelled })).status, 201);
  assert.deepEqual([await byName('team'), await byName('other')], [1, 0]);
  const phase = await call('GET', '/api/v1/namespaces/?fieldSelector=status.phase%3DActive');
  assert.ok(phase.json.items.length >= 3, phase.text);

  const lost = (await call('POST', '/api/v1/namespaces/nope/configmaps', { body: configMap('x') })).json;
  assert.deepEqual([lost.code, lost.details], [404, { name: 'nope', group: '', kind: 'namespaces' }]);
  for (const path of ['/version/', '/api/', '/apis/', '/', '/api/v1/']) {
    assert.equal((await call('GET', path)).status, 200, path);
  }
});

test('the kinds of Kubernetes hold what they may hold there', async (t) => {
  await using world = await startWorld(t);
  const secret = (type: string, data: object) => ({ metadata: { name: 'x' }, type: `kubernetes.io/${type}`, data });
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const event = (namespace: string) => ({
    metadata: { name: 'e' },
    involvedObject: { kind: 'Plan', name: 'x', namespace },
  });
  const mebi = 'x'.repeat(1024 * 1024);
  for (const [plural, message, body] of [
    ['configmaps', /a\/b/, configMap('x', { 'a/b': '1' })],
    ['configmaps', /data/, configMap('x', { '': '1' })],
    ['configmaps', /data/, configMap('x', { '..a': '1' })],
    ['configmaps', /duplicate of key/, { ...configMap('x', { a: '1' }), binaryData: { a: base64('1') } }],
    ['configmaps', /Too long/, configMap('x', { a: `${mebi}y` })],
    ['secrets', /tls\.crt/, secret('tls', { 'tls.key': '' })],
    ['secrets', /dockerconfigjson/, secret('dockerconfigjson', { '.dockerconfigjson': base64('no') })],
    ['secrets', /username/, secret('basic-auth', {})],
    ['secrets', /ssh-privatekey/, secret('ssh-auth', {})],
    ['secrets', /line breaks are not allowed/, secret('tls', { 'tls.crt': 'YWFh\nYWFh\n', 'tls.key': '' })],
    ['events', /does not match event.namespace/, event('other')],
  ] as const) {
    const refused = await world.call('POST', `/api/v1/namespaces/default/${plural}`, { body });
    assert.deepEqual([refused.status, refused.json.reason], [422, 'Invalid'], refused.text);
    assert.match(refused.json.message, message);
  }
  for (const [plural, body] of [
    ['configmaps', configMap('full', { 'a.b_c-1': mebi })],
    ['secrets', secret('tls', { 'tls.crt': base64('a'), 'tls.key': base64('b') })],
    ['events', event('default')],
  ] as const) {
    const made = await world.call('POST', `/api/v1/namespaces/default/${plural}`, { body });
    assert.equal(made.status, 201, made.text);
  }
  const ofType = async (type: string) =>
    (await world.call('GET', `/api/v1/secrets?fieldSelector=type%3Dkubernetes.io/${type}`)).json.items.length;
  assert.deepEqual([await ofType('tls'), await ofType('ssh-auth')], [1, 0]);
  const unknown = await world.call('GET', '/api/v1/secrets?fieldSelector=data.a%3Db');
  assert.match(unknown.json.message, /field label not supported: data\.a\. Select by .*type/);
});
