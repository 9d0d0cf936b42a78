import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld, type Answer, type World } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';

const META = 'g=meta.k8s.io;v=v1';
const asTable = { accept: `application/json;as=Table;${META},application/json` };
const asObject = { accept: `application/json;as=PartialObjectMetadata;${META}` };
const asList = { accept: `application/json;as=PartialObjectMetadataList;${META}` };
const mergePatch = { 'content-type': 'application/merge-patch+json' };

const features = '/apis/products.backline.dev/v1/namespaces/default/features';

/** A namespace of its own in the world that all parts of the test share. */
async function newSpace({ call }: World, name: string) {
  const made = await call('POST', '/api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
  });
  assert.equal(made.status, 201, made.text);
  const configMaps = `/api/v1/namespaces/${name}/configmaps`;
  const makeMaps = async (...maps: string[]): Promise<Answer[]> => {
    const made: Answer[] = [];
    for (const map of maps) {
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: map, labels: { map } }, data: { map } };
      const answer = await call('POST', configMaps, { body });
      assert.equal(answer.status, 201, answer.text);
      made.push(answer);
    }
    return made;
  };
  /** The events of a watch that the server ends after a second. */
  const events = async (query: string, headers: Record<string, string> = {}) => {
    const answer = await call('GET', `${configMaps}?watch=1&timeoutSeconds=1&${query}`, { headers });
    assert.equal(answer.status, 200, answer.text);
    const lines = answer.text.split('\n').filter((line) => line !== '');
    // oxlint-disable-next-line typescript/no-explicit-any
    return lines.map((line) => JSON.parse(line) as { type: string; object: any });
  };
  return { call, configMaps, makeMaps, events };
}

const REFUSED: readonly (readonly [query: string, status: number, message: RegExp])[] = [
  ['watch=1&sendInitialEvents=true', 422, /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/],
  [
    'watch=1&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1',
    422,
    /supported values: "NotOlderThan"/,
  ],
  ['watch=1&resourceVersionMatch=NotOlderThan', 422, /forbidden for watch unless sendInitialEvents is provided/],
  ['sendInitialEvents=true', 422, /sendInitialEvents is forbidden for list/],
  ['resourceVersionMatch=Exact', 422, /forbidden unless resourceVersion is provided/],
  ['resourceVersionMatch=Exact&resourceVersion=0', 422, /forbidden for resourceVersion "0"/],
  ['resourceVersionMatch=Newest&resourceVersion=1', 422, /"Newest": supported values: "Exact", "NotOlderThan", ""/],
  ['resourceVersionMatch=Exact&resourceVersion=1&continue=x', 422, /forbidden when continue is provided/],
  ['resourceVersion=1&continue=WzEsMSwiZGVmYXVsdCIsImEiXQ', 400, /not allowed when using continue/],
  ['continue=WzEsOTk5OTk5LCJkZWZhdWx0IiwiYSJd', 400, /continue key is not valid/],
  ['resourceVersion=newest', 400, /resourceVersion=newest/],
  ['resourceVersion=999999', 504, /Too large resource version: 999999/],
  ['resourceVersion=999999&resourceVersionMatch=Exact', 504, /Too large resource version/],
];

test('the resource API answers as Kubernetes does, in every form that clients ask for', async (t) => {
  const world = await startWorld(t);
  let spaces = 0;
  const space = () => newSpace(world, `space-${(spaces += 1)}`);

  await t.test('a request for metadata alone gets nothing else: of one object, of a list, of events', async () => {
    const { call, configMaps, makeMaps, events } = await space();
    const [made] = await makeMaps('a', 'b');
    const one = await call('GET', `${configMaps}/a`, { headers: asObject });
    assert.deepEqual(one.json, {
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: made?.json.metadata,
    });
    const { kind, items, metadata } = (await call('GET', `${configMaps}?limit=1`, { headers: asList })).json;
    assert.equal(kind, 'PartialObjectMetadataList');
    assert.deepEqual(items, [one.json]);
    assert.ok(metadata.continue);
    const [first, , last] = await events('allowWatchBookmarks=true', asObject);
    assert.deepEqual(first, { type: 'ADDED', object: one.json });
    assert.equal(last?.type, 'BOOKMARK');
    assert.equal(last?.object.kind, 'PartialObjectMetadata');

    const patched = await call('PATCH', `${configMaps}/a`, {
      body: { data: { map: 'new' } },
      headers: { ...mergePatch, ...asObject },
    });
    assert.equal(patched.json.kind, 'PartialObjectMetadata');

    for (const [path, headers] of [
      [configMaps, asObject],
      [`${configMaps}/a`, asList],
      [`${configMaps}?watch=1`, asList],
      [`${configMaps}?watch=1`, { accept: 'application/yaml' }],
    ] as const) {
      const refused = await call('GET', path, { headers });
      assert.equal(refused.status, 406, `${path} ${headers.accept}: ${refused.text}`);
      assert.match(refused.text, /NotAcceptable/);
    }
  });

  await t.test('a table shows one object as well, and a watch says its columns once', async () => {
    const { call, configMaps, makeMaps, events } = await space();
    const [made] = await makeMaps('a', 'b');
    const one = (await call('GET', `${configMaps}/a`, { headers: asTable })).json;
    assert.equal(one.kind, 'Table');
    assert.equal(one.metadata.resourceVersion, made?.json.metadata.resourceVersion);
    assert.equal(one.rows[0].cells[0], 'a');
    assert.equal(one.rows[0].object.kind, 'PartialObjectMetadata');
    const whole = (await call('GET', `${configMaps}?includeObject=Object`, { headers: asTable })).json;
    assert.deepEqual(whole.rows[1].object.data, { map: 'b' });
    assert.equal(
      'object' in (await call('GET', `${configMaps}?includeObject=None`, { headers: asTable })).json.rows[0],
      false,
    );

    const [first, second, bookmark] = await events('allowWatchBookmarks=true', asTable);
    assert.equal(first?.object.columnDefinitions[0].name, 'Name');
    assert.equal(second?.object.columnDefinitions, null);
    assert.equal(second?.object.rows[0].cells[0], 'b');
    assert.equal(bookmark?.type, 'BOOKMARK');
    assert.equal(bookmark?.object.kind, 'Table');
    assert.equal(bookmark?.object.rows[0].object.metadata.resourceVersion, bookmark?.object.metadata.resourceVersion);
  });

  await t.test('a watch list begins with everything and says when that was all', async () => {
    const { call, configMaps, makeMaps, events } = await space();
    const [a] = await makeMaps('a', 'b');
    const version = Number(a?.json.metadata.resourceVersion);
    const stream = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const streams = ['', '0', String(version)].map((from) => events(`${stream}&resourceVersion=${from}`));
    for (const [first, second, end] of await Promise.all(streams)) {
      assert.deepEqual([first?.object.metadata.name, second?.object.metadata.name], ['a', 'b']);
      assert.equal(end?.type, 'BOOKMARK');
      const { kind, apiVersion, metadata } = end?.object ?? {};
      assert.deepEqual([kind, apiVersion], ['ConfigMap', 'v1']);
      assert.deepEqual(metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
      assert.ok(Number(metadata.resourceVersion) > version);
    }
    const quiet = await events('sendInitialEvents=1&resourceVersionMatch=NotOlderThan&labelSelector=map%3Db');
    assert.deepEqual(
      quiet.map(({ type, object }) => [type, object.metadata.name]),
      [['ADDED', 'b']],
      'without bookmarks nothing says the end',
    );
    assert.deepEqual(await events('sendInitialEvents=false&resourceVersionMatch=NotOlderThan'), []);
    const since = await events(`sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=${version}`);
    assert.deepEqual(
      since.map(({ object }) => object.metadata.name),
      ['b'],
    );
    const { status, json } = await call('GET', `${configMaps}?watch=1&${stream}&resourceVersion=999999`);
    assert.deepEqual([status, json.details.causes[0].reason], [504, 'ResourceVersionTooLarge']);
  });

  await t.test('parameters that make no sense together are refused in the words of Kubernetes', async () => {
    const { call, configMaps } = await space();
    // All at once: some requests wait three seconds for a version that never comes.
    const answers = await Promise.all(
      REFUSED.map(async (refused) => [...refused, (await call('GET', `${configMaps}?${refused[0]}`)).json] as const),
    );
    for (const [query, status, message, json] of answers) {
      assert.equal(json.kind, 'Status', query);
      assert.equal(json.code, status, `${query}: ${json.message}`);
      assert.match(json.message, message);
      if (status === 422) assert.match(json.message, /^ListOptions\.meta\.k8s\.io "" is invalid: /);
    }
  });

  await t.test('a list is of the version that was asked for, as it was asked for', async () => {
    const { call, configMaps, makeMaps } = await space();
    const [a] = await makeMaps('a', 'b');
    const version = a?.json.metadata.resourceVersion;
    const list = async (query: string) => {
      const { items, metadata } = (await call('GET', `${configMaps}?${query}`)).json;
      return [items.length, metadata.resourceVersion === version];
    };
    assert.deepEqual(await list(`resourceVersion=${version}&resourceVersionMatch=Exact`), [1, true]);
    assert.deepEqual(await list(`resourceVersion=${version}&resourceVersionMatch=NotOlderThan`), [2, false]);
    assert.deepEqual(await list(`resourceVersion=${version}`), [2, false]);
    assert.deepEqual(await list(`resourceVersion=${version}&limit=5`), [1, true], 'a page is of exactly that version');
    assert.deepEqual(await list(`resourceVersion=${version}&limit=5&resourceVersionMatch=NotOlderThan`), [2, false]);
    assert.deepEqual(await list('resourceVersion=0&limit=5'), [2, false]);
    assert.deepEqual(await list('nobody=knows&this=parameter'), [2, false]);
  });

  await t.test('a list whose pages expired can go on with the objects as they are now', async () => {
    const { call, configMaps, makeMaps } = await space();
    await makeMaps('a', 'b', 'c');
    const first = (await call('GET', `${configMaps}?limit=1`)).json;
    const [format, , ...place] = JSON.parse(Buffer.from(first.metadata.continue, 'base64url').toString());
    const old = Buffer.from(JSON.stringify([format, 0, ...place])).toString('base64url');
    const store = world.running.control?.store;
    assert.ok(store !== undefined && first.metadata.continue);
    await store.compact({ historyDays: 0 });
    const expired = await call('GET', `${configMaps}?limit=1&continue=${old}`);
    assert.equal(expired.status, 410, expired.text);
    assert.equal(expired.json.reason, 'Expired');
    assert.match(expired.json.message, /use the continue token in this response/);
    await call('DELETE', `${configMaps}/b`);
    const rest = await call('GET', `${configMaps}?limit=1&continue=${expired.json.metadata.continue}`);
    assert.equal(rest.status, 200, rest.text);
    assert.deepEqual(
      rest.json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name),
      ['c'],
    );
    const exact = await call('GET', `${configMaps}?resourceVersion=1&resourceVersionMatch=Exact`);
    assert.deepEqual([exact.status, exact.json.reason], [410, 'Expired']);
  });

  await t.test('a part of an object, like its status, takes fewer methods than the object', async () => {
    const { call } = await space();
    await call('POST', features, { body: feature('offline') });
    for (const [method, path] of [
      ['DELETE', `${features}/offline/status`],
      ['POST', `${features}/offline/status`],
      ['POST', `${features}/offline`],
      ['PUT', features],
      ['PATCH', features],
    ] as const) {
      const refused = await call(method, path, { body: {} });
      assert.equal(refused.status, 405, `${method} ${path}: ${refused.text}`);
      assert.equal(refused.json.reason, 'MethodNotAllowed');
    }
    const status = await call('GET', `${features}/offline/status?watch=1`);
    assert.equal(status.json.metadata.name, 'offline');
    assert.equal((await call('GET', `${features}/offline/status`, { headers: asTable })).json.kind, 'Table');
    assert.equal((await call('GET', `${features}/offline/scale`)).status, 404);
  });

  await t.test('HEAD is GET without the body', async () => {
    const { call, configMaps, makeMaps } = await space();
    await makeMaps('a');
    for (const path of [configMaps, `${configMaps}/a`, `${configMaps}?watch=1`, '/api', '/openapi/v2', '/version']) {
      const head = await call('HEAD', path);
      assert.equal(head.status, 200, path);
      assert.equal(head.text, '');
      assert.ok(Number(head.headers['content-length']) > 0, path);
    }
    assert.equal((await call('HEAD', `${configMaps}/nothing`)).status, 404);
  });

  await t.test('an answer can be indented, and a refusal comes in the form of the answer', async () => {
    const { call, configMaps, makeMaps } = await space();
    await makeMaps('a');
    assert.match((await call('GET', `${configMaps}/a?pretty=true`)).text, /^\{\n {2}"/);
    assert.match((await call('GET', `${configMaps}?pretty=1`)).text, /\n {4}\{/);
    assert.match((await call('GET', `${configMaps}/b?pretty=true`)).text, /\n {2}"code": 404\n/);
    assert.doesNotMatch((await call('GET', `${configMaps}/a?pretty=false`)).text, /\n/);
    const refused = await call('GET', `${configMaps}/b`, { headers: { accept: 'application/yaml' } });
    assert.equal(refused.headers['content-type'], 'application/yaml');
    assert.match(refused.text, /^code: 404$/m);
    const table = await call('GET', configMaps, { headers: { accept: `application/yaml;as=Table;${META}` } });
    assert.match(table.text, /^kind: Table$/m);
  });

  await t.test('a dry run shows no version that was never written', async () => {
    const { call, configMaps, makeMaps } = await space();
    const [made] = await makeMaps('a', 'b');
    const { metadata } = made?.json ?? {};
    const created = await call('POST', `${configMaps}?dryRun=All`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } },
    });
    assert.equal(created.status, 201);
    assert.equal('resourceVersion' in created.json.metadata, false);
    const patched = await call('PATCH', `${configMaps}/a?dryRun=All`, {
      body: { data: { x: 'y' } },
      headers: mergePatch,
    });
    assert.equal(patched.json.data.x, 'y');
    assert.equal(patched.json.metadata.resourceVersion, metadata.resourceVersion);
    assert.equal((await call('GET', `${configMaps}/a`)).json.data.x, undefined);
  });

  await t.test('bodies and answers of types that there are not are refused with those that there are', async () => {
    const { call, configMaps } = await space();
    const requireRefusal = async (
      method: string,
      path: string,
      headers: Record<string, string>,
      status: number,
      message: RegExp,
    ) => {
      const answer = await call(method, path, { headers, ...(method === 'GET' ? {} : { body: '{}' }) });
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.json.message, message);
    };
    await requireRefusal(
      'POST',
      configMaps,
      { 'content-type': 'application/msgpack' },
      415,
      /unknown format \(application\/msgpack\) - accepted media types include: application\/json, application\/yaml, application\/cbor, application\/vnd\.kubernetes\.protobuf/,
    );
    await requireRefusal(
      'POST',
      configMaps,
      { 'content-type': 'application/vnd.kubernetes.protobuf' },
      400,
      /protobuf/,
    );
    await requireRefusal(
      'PATCH',
      `${features}/x`,
      { 'content-type': 'application/strategic-merge-patch+json' },
      415,
      /application\/merge-patch\+json/,
    );
    await requireRefusal(
      'GET',
      configMaps,
      { accept: 'application/vnd.kubernetes.protobuf' },
      406,
      /only the following media types are accepted: application\/json/,
    );
    await requireRefusal('GET', '/openapi/v2', { accept: 'text/html' }, 406, /application\/com\.github\.proto-openapi/);
  });

  await t.test('an object in protobuf is the object in JSON, and is answered in JSON', async () => {
    const { call, configMaps } = await space();
    // The body of kubectl 1.33: create configmap greeting --from-literal=text=… --from-literal=empty= --from-file=blob
    const body = Buffer.from(
      'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEkkKGAoIZ3JlZXRpbmcSABoAIgAqADIAOABCABIJCgVlbXB0eRIAEhIKBHRleHQSCmjDqWxsbyDigqwaDgoEYmxvYhIGAP+AYmluGgAiAA==',
      'base64',
    );
    const answer = await fetch(`${world.url}${configMaps}?fieldManager=kubectl-create&fieldValidation=Strict`, {
      method: 'POST',
      body,
      headers: {
        authorization: `Bearer ${world.connection.token}`,
        'content-type': 'application/vnd.kubernetes.protobuf',
        accept: 'application/vnd.kubernetes.protobuf,application/json',
      },
    });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.get('content-type'), 'application/json');
    const { data, binaryData } = (await call('GET', `${configMaps}/greeting`)).json;
    assert.deepEqual(data, { empty: '', text: 'héllo €' });
    assert.deepEqual(binaryData, { blob: 'AP+AYmlu' });
  });
});
