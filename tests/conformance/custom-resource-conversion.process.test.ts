import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { text as readAll } from 'node:stream/consumers';
import { serverIdentity } from '#kernel/access/certificates.ts';
import { draftOf, DRAFTS, publicationOf, VALIDATION } from '../support/drafts.ts';
import { startWorld, type Answer, type World } from '../support/backline.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { until, type Json } from '../support/installation.ts';
import { startOther } from '../support/start-other.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const V1 = '/apis/stock.example/v1/namespaces/default/crates';
const V2 = '/apis/stock.example/v2/namespaces/default/crates';
const MERGE = { 'content-type': 'application/merge-patch+json' };

/** A conversion webhook on HTTPS: `size: "3 m"` of v1 is `size: 3, unit: "m"` in v2. */
async function startWebhook(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'backline-webhook-'));
  const identity = await serverIdentity(folder, ['127.0.0.1', 'localhost'], Temporal.Now.instant());
  const asked: Json[] = [];
  let spoil = (review: Json): unknown => review;
  const server = createServer({ key: identity.key, cert: identity.cert }, (request, response) => {
    void readAll(request).then((body) => {
      const review: Json = JSON.parse(body);
      asked.push(review);
      const { uid, desiredAPIVersion, objects } = review.request;
      const convertedObjects = objects.map((object: Json) => convertCrate(object, desiredAPIVersion));
      const answer = {
        ...review,
        request: undefined,
        response: { uid, result: { status: 'Success' }, convertedObjects },
      };
      const sent = spoil(answer);
      if (sent !== undefined) response.end(typeof sent === 'string' ? sent : JSON.stringify(sent));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}/convert`,
    caBundle: Buffer.from(identity.ca).toString('base64'),
    asked,
    spoilWith: (how: (review: Json) => unknown) => {
      spoil = how;
    },
  };
}

function convertCrate(object: Json, apiVersion: string): Json {
  const { size, unit } = object.spec;
  const spec = apiVersion.endsWith('v2')
    ? { size: Number(String(size).split(' ')[0]), unit: String(size).split(' ')[1] }
    : { size: `${size} ${unit}` };
  return { ...object, apiVersion, spec };
}

const version = (name: string, storage: boolean, properties: object, more: object = {}) => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
  ...more,
});

const v1 = (storage: boolean) => version('v1', storage, { size: { type: 'string' } }, { deprecated: true });
const v2 = (storage: boolean) =>
  version(
    'v2',
    storage,
    { size: { type: 'integer', minimum: 1 }, unit: { type: 'string' } },
    {
      selectableFields: [{ jsonPath: '.spec.unit' }],
    },
  );

function definition(versions: readonly object[], conversion: object) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crates.stock.example' },
    spec: {
      group: 'stock.example',
      names: { plural: 'crates', kind: 'Crate' },
      scope: 'Namespaced',
      versions,
      conversion,
    },
  };
}

const crate = (apiVersion: string, name: string, spec: object, labels: object = {}) => ({
  apiVersion: `stock.example/${apiVersion}`,
  kind: 'Crate',
  metadata: { name, labels },
  spec,
});

async function define({ call }: World, body: object): Promise<void> {
  const made = await call('POST', DEFINITIONS, { body });
  assert.equal(made.status, 201, made.text);
  await until(
    async () => {
      const { json } = await call('GET', `${DEFINITIONS}/crates.stock.example`);
      return (
        json.status?.conditions?.some((one: Json) => one.type === 'Established' && one.status === 'True') || undefined
      );
    },
    () => 'the definition to be established',
    10,
  );
}

async function changeVersions({ call }: World, versions: readonly object[]): Promise<Answer> {
  return call('PATCH', `${DEFINITIONS}/crates.stock.example`, { body: { spec: { versions } }, headers: MERGE });
}

test('a webhook converts objects between versions, in every read and write', async (t) => {
  const webhook = await startWebhook(t);
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const { call } = world;
  const { url, caBundle } = webhook;
  const conversion = {
    strategy: 'Webhook',
    webhook: { clientConfig: { url, caBundle }, conversionReviewVersions: ['v1'] },
  };
  await define(world, definition([v1(true), v2(false)], conversion));
  const specAt = async (path: string) => (await call('GET', path)).json.spec;

  await t.test('an object is read and written in each version', async () => {
    const made = await call('POST', V2, { body: crate('v2', 'a', { size: 3, unit: 'm' }) });
    assert.deepEqual(
      [made.status, made.json.apiVersion, made.json.spec],
      [201, 'stock.example/v2', { size: 3, unit: 'm' }],
      made.text,
    );
    const older = await call('GET', `${V1}/a`);
    assert.deepEqual(older.json.spec, { size: '3 m' });
    assert.match(String(older.headers['warning']), /stock\.example\/v1 Crate is deprecated/);
    assert.equal((await call('POST', V1, { body: crate('v1', 'b', { size: '7 ft' }) })).status, 201);
    assert.deepEqual(await specAt(`${V2}/b`), { size: 7, unit: 'ft' });
    const patched = await call('PATCH', `${V2}/b`, { body: { spec: { size: 8 } }, headers: MERGE });
    assert.deepEqual([patched.status, patched.json.spec], [200, { size: 8, unit: 'ft' }], patched.text);
    assert.deepEqual(await specAt(`${V1}/b`), { size: '8 ft' });
    const wrong = await call('PATCH', `${V2}/b`, { body: { spec: { size: 0 } }, headers: MERGE });
    assert.equal(wrong.status, 422, wrong.text);
    const same = await call('PATCH', `${V2}/b`, { body: { spec: { size: 8 } }, headers: MERGE });
    assert.equal(same.json.metadata.resourceVersion, patched.json.metadata.resourceVersion);
  });

  await t.test('an object is applied in each version, and owners of one version conflict', async () => {
    const apply = (version: string, manager: string, spec: object, query = '') =>
      call('PATCH', `${version === 'v1' ? V1 : V2}/e?fieldManager=${manager}${query}`, {
        body: crate(version, 'e', spec),
        headers: { 'content-type': 'application/apply-patch+yaml' },
      });
    const made = await apply('v2', 'one', { size: 3, unit: 'm' });
    assert.deepEqual([made.status, made.json.spec], [201, { size: 3, unit: 'm' }], made.text);
    const refused = await apply('v2', 'two', { size: 4 });
    assert.equal(refused.json.message, 'Apply failed with 1 conflict: conflict with "one": .spec.size');
    const older = await apply('v1', 'old', { size: '3 m' });
    assert.deepEqual([older.status, older.json.spec], [200, { size: '3 m' }], older.text);
    const managers = older.json.metadata.managedFields.map(({ manager }: Json) => manager);
    assert.deepEqual(managers.toSorted(), ['old', 'one']);
    const again = await apply('v2', 'one', { size: 3, unit: 'm' });
    assert.equal(again.json.metadata.resourceVersion, older.json.metadata.resourceVersion);
    assert.equal((await call('DELETE', `${V2}/e`)).status, 200);
  });

  await t.test('lists, selectors and watches are of the version that is asked for', async () => {
    const list = await call('GET', V2);
    assert.deepEqual(
      list.json.items.map(({ spec }: Json) => spec),
      [
        { size: 3, unit: 'm' },
        { size: 8, unit: 'ft' },
      ],
    );
    const selected = await call('GET', `${V2}?fieldSelector=spec.unit=ft`);
    assert.deepEqual(
      selected.json.items.map(({ metadata }: Json) => metadata.name),
      ['b'],
    );
    const watching = call(
      'GET',
      `${V2}?watch=1&resourceVersion=${list.json.metadata.resourceVersion}&timeoutSeconds=2&fieldSelector=spec.unit=m`,
    );
    await call('POST', V1, { body: crate('v1', 'c', { size: '1 m' }) });
    await call('PATCH', `${V1}/c`, { body: { spec: { size: '1 km' } }, headers: MERGE });
    const events = (await watching).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ type, object }) => [type, object.apiVersion, object.spec]),
      [
        ['ADDED', 'stock.example/v2', { size: 1, unit: 'm' }],
        ['DELETED', 'stock.example/v2', { size: 1, unit: 'm' }],
      ],
    );
    assert.equal((await call('DELETE', `${V2}/c`)).status, 200);
  });

  await t.test('many readers of one object ask the webhook once', async () => {
    await call('POST', V1, { body: crate('v1', 'd', { size: '1 m' }) });
    const before = webhook.asked.length;
    const answers = await Promise.all(Array.from({ length: 20 }, () => specAt(`${V2}/d`)));
    assert.ok(answers.every(({ unit }) => unit === 'm'));
    assert.equal(webhook.asked.length, before + 1);
    await call('DELETE', `${V1}/d`);
  });

  await t.test('answers that lie are refused with the object and the field', async () => {
    const cases: readonly (readonly [string, (review: Json) => unknown, RegExp])[] = [
      [
        'another name',
        spoilObject((object) => (object.metadata.name = 'other')),
        /object 0 \("a"\): its metadata\.name changed to "other"/,
      ],
      ['another uid', spoilObject((object) => (object.metadata.uid = 'u')), /its metadata\.uid changed to "u"/],
      [
        'another namespace',
        spoilObject((object) => (object.metadata.namespace = 'x')),
        /its metadata\.namespace changed to "x"/,
      ],
      [
        'another version',
        spoilObject((object) => (object.apiVersion = 'stock.example/v3')),
        /its apiVersion is "stock\.example\/v3", expected stock\.example\/v2/,
      ],
      ['another kind', spoilObject((object) => (object.kind = 'Box')), /its kind is "Box", expected Crate/],
      [
        'too few',
        (review) => ({ ...review, response: { ...review.response, convertedObjects: [] } }),
        /it returned 0 objects, expected 1/,
      ],
      [
        'another request',
        (review) => ({ ...review, response: { ...review.response, uid: 'x' } }),
        /its response is for uid "x"/,
      ],
      [
        'a failure',
        (review) => ({
          ...review,
          response: { ...review.response, result: { status: 'Failure', message: 'no size' } },
        }),
        /it failed: no size/,
      ],
      ['no JSON', () => 'sorry', /its answer is not JSON/],
      [
        'a value that is nested too deep',
        (review) => JSON.stringify(review).replace(/"size":1/, `"size":${'['.repeat(9_999)}${']'.repeat(9_999)}`),
        /object 0 \("a"\): .*nested deeper than \d+ levels/,
      ],
      [
        'annotations that nobody could write',
        spoilObject((object) => (object.metadata.annotations = { a: 'x'.repeat(300_000) })),
        /object 0 \("a"\): metadata\.annotations: Too long: must have at most 262144 bytes/,
      ],
      [
        'a label that nobody could write',
        spoilObject((object) => (object.metadata.labels = { 'a b': 'x' })),
        /object 0 \("a"\): metadata\.labels: Invalid value: "a b"/,
      ],
      [
        'too many values',
        spoilObject((object) => (object.spec.more = Array.from({ length: 10_001 }, () => 1))),
        /object 0 \("a"\): spec\.more has more than 10000 items/,
      ],
      ['nothing within the time', () => undefined, /it did not answer in 4 s/],
    ];
    await Promise.all(
      cases.map(async ([name], index) => {
        const made = await call('POST', V1, { body: crate('v1', `lie-${index}`, { size: '1 m' }) });
        assert.equal(made.status, 201, name);
      }),
    );
    for (const [index, [name, how, text]] of cases.entries()) {
      webhook.spoilWith(how);
      const { status, json } = await call('GET', `${V2}/lie-${index}`);
      assert.equal(status, 503, name);
      assert.match(json.message.replaceAll(`lie-${index}`, 'a'), text, name);
      assert.match(json.message, /conversion webhook of crates\.stock\.example/);
    }
    webhook.spoilWith((review) => review);
    for (const index of cases.keys()) await call('DELETE', `${V1}/lie-${index}`);
  });

  await t.test('labels may be changed by a conversion, other metadata is put back', async () => {
    webhook.spoilWith(
      spoilObject((object) => {
        object.metadata.labels = { from: 'webhook' };
        object.metadata.generation = 99;
        object.metadata.finalizers = ['x/y'];
      }),
    );
    await call('POST', V1, { body: crate('v1', 'labelled', { size: '1 m' }) });
    const { metadata } = (await call('GET', `${V2}/labelled`)).json;
    assert.deepEqual([metadata.labels, metadata.generation, metadata.finalizers], [{ from: 'webhook' }, 1, undefined]);
    webhook.spoilWith((review) => review);
    await call('DELETE', `${V1}/labelled`);
  });

  await t.test('the storage version moves, and no version goes in which objects are stored', async () => {
    assert.equal((await changeVersions(world, [v1(false), v2(true)])).status, 200);
    const storedVersions = async () =>
      (await call('GET', `${DEFINITIONS}/crates.stock.example`)).json.status.storedVersions;
    await until(
      async () => ((await storedVersions()).length === 2 ? true : undefined),
      () => 'two stored versions',
      5,
    );
    const refused = await changeVersions(world, [v2(true)]);
    assert.equal(refused.status, 422);
    assert.match(
      refused.json.message,
      /status\.storedVersions\[0\]: Invalid value: "v1": must appear in spec\.versions/,
    );
    // Each object is written again, in the version in which they are stored now.
    for (const { metadata } of (await call('GET', V2)).json.items) {
      const again = await call('PATCH', `${V2}/${metadata.name}`, { body: {}, headers: MERGE });
      assert.equal(again.status, 200, again.text);
    }
    const rows = await world.database.query<{ readonly body: string }>({
      text: `
        select c.body from backline.objects o join backline.changes c on c.version = o.version
        where o.kind = 'stock.example/Crate'`,
    });
    assert.deepEqual([...new Set(rows.map(({ body }) => JSON.parse(body).apiVersion))], ['stock.example/v2']);
    const wrong = await call('PATCH', `${DEFINITIONS}/crates.stock.example/status`, {
      body: { status: { storedVersions: ['v1'] } },
      headers: MERGE,
    });
    assert.equal(wrong.status, 422, wrong.text);
    assert.match(wrong.json.message, /must have the storage version v2/);
    const migrated = await call('PATCH', `${DEFINITIONS}/crates.stock.example/status`, {
      body: { status: { storedVersions: ['v2'] } },
      headers: MERGE,
    });
    assert.equal(migrated.status, 200, migrated.text);
    assert.equal((await changeVersions(world, [v2(true)])).status, 200);
    assert.equal((await call('GET', V1)).status, 404);
    assert.deepEqual(await specAt(`${V2}/a`), { size: 3, unit: 'm' });
  });
});

test('a process that does not write converts what it shows, and the one that writes what it stores', async (t) => {
  const webhook = await startWebhook(t);
  const world = await startWorld(t, { roles: ['api'] });
  const other = (await startOther(t, { dataDirectory: world.dataDirectory, databaseUrl: world.databaseUrl })).call;
  const { url, caBundle } = webhook;
  const conversion = {
    strategy: 'Webhook',
    webhook: { clientConfig: { url, caBundle }, conversionReviewVersions: ['v1'] },
  };
  await define(world, definition([v1(true), v2(false)], conversion));
  const made = await other('POST', V2, { body: crate('v2', 'a', { size: 3, unit: 'm' }) });
  assert.deepEqual([made.status, made.json.spec], [201, { size: 3, unit: 'm' }], made.text);
  assert.deepEqual((await world.call('GET', `${V1}/a`)).json.spec, { size: '3 m' });
  const patched = await other('PATCH', `${V2}/a`, { body: { spec: { unit: 'km' } }, headers: MERGE });
  assert.deepEqual([patched.status, patched.json.spec], [200, { size: 3, unit: 'km' }], patched.text);
  const applied = await other('PATCH', `${V2}/a?fieldManager=x&force=true`, {
    body: crate('v2', 'a', { size: 1, unit: 'cm' }),
    headers: { 'content-type': 'application/apply-patch+yaml' },
  });
  assert.deepEqual([applied.status, applied.json.spec], [200, { size: 1, unit: 'cm' }], applied.text);
  assert.deepEqual((await world.call('GET', `${V1}/a`)).json.spec, { size: '1 cm' });
  webhook.spoilWith(() => 'sorry');
  const failed = await other('PATCH', `${V2}/a`, { body: { spec: { unit: 'x' } }, headers: MERGE });
  assert.equal(failed.status, 503, failed.text);
  assert.match(failed.json.message, /its answer is not JSON/);
});

function spoilObject(change: (object: Json) => void): (review: Json) => unknown {
  return (review) => {
    for (const object of review.response.convertedObjects) change(object);
    return review;
  };
}

test('without a webhook only the apiVersion changes, and a version that is not served is not found', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const fields = { size: { type: 'integer' } };
  const served = [
    version('v1', true, fields),
    version('v1beta1', false, { ...fields, old: { type: 'string', default: 'x' } }),
  ];
  await define(
    world,
    definition([...served, { ...version('v1alpha1', false, fields), served: false }], { strategy: 'None' }),
  );
  const BETA = V1.replace('/v1/', '/v1beta1/');
  assert.equal((await call('POST', BETA, { body: crate('v1beta1', 'a', { size: 3 }) })).status, 201);
  assert.deepEqual((await call('GET', `${V1}/a`)).json.spec, { size: 3 });
  assert.deepEqual((await call('GET', `${BETA}/a`)).json.spec, { size: 3, old: 'x' });
  assert.equal((await call('GET', V1.replace('/v1/', '/v1alpha1/'))).status, 404);
  const group = (await call('GET', '/apis/stock.example')).json;
  assert.deepEqual(
    group.versions.map((one: Json) => one.version),
    ['v1', 'v1beta1'],
  );
  assert.equal(group.preferredVersion.version, 'v1');
});

test('a wrong webhook is refused when the definition is written', async (t) => {
  const { call } = await startWorld(t, { roles: ['api'] });
  const refusal = async (conversion: object) => {
    const { status, json } = await call('POST', DEFINITIONS, { body: definition([v2(true)], conversion) });
    assert.equal(status, 422);
    return json.message;
  };
  const withClient = (clientConfig: object, versions = ['v1']) => ({
    strategy: 'Webhook',
    webhook: { clientConfig, conversionReviewVersions: versions },
  });
  assert.match(await refusal({ strategy: 'Webhook' }), /spec\.conversion\.webhook: Required value/);
  assert.match(await refusal(withClient({ url: 'http://a.example' })), /'https' is the only allowed URL scheme/);
  assert.match(
    await refusal(withClient({ service: { name: 'a', namespace: 'b' } })),
    /there are no Services here: use url/,
  );
  assert.match(await refusal(withClient({ url: 'https://a.example/x?y=1' })), /query parameters are not permitted/);
  assert.match(await refusal(withClient({ url: 'https://a.example' }, ['v1beta1'])), /must include v1/);
});

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';

/** Puts a policy for one version of crates in force. */
async function guardCrates({ call }: World, name: string, match: object, validation: object): Promise<void> {
  const rule = {
    apiGroups: ['stock.example'],
    operations: ['*'],
    resources: ['crates'],
    apiVersions: ['v1'],
    ...match,
  };
  const { matchPolicy = 'Equivalent', ...resourceRule } = rule as Json;
  const matchConstraints = { matchPolicy, resourceRules: [resourceRule] };
  const policy = { metadata: { name }, spec: { matchConstraints, validations: [validation] } };
  const binding = { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'] } };
  const answers = [
    await call('POST', `${ADMISSION}/validatingadmissionpolicies`, { body: policy }),
    await call('POST', `${ADMISSION}/validatingadmissionpolicybindings`, { body: binding }),
  ];
  for (const { status, text } of answers) assert.equal(status, 201, text);
}

test('a policy for one version is for writes in each version, which it sees in its own', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const fields = { size: { type: 'integer' } };
  await define(world, definition([version('v1', true, fields), version('v2', false, fields)], { strategy: 'None' }));
  const message = "'size in ' + object.apiVersion + ' ' + request.kind.version";
  const small = { expression: "request.operation == 'DELETE' || object.spec.size < 5", messageExpression: message };
  await guardCrates(world, 'small', {}, small);
  const create = (path: string, v: string, size: number) =>
    call('POST', path, { body: crate(v, `c${size}`, { size }) }).then(({ status, json }) => json.message ?? status);
  const denialOf = (policy: string, text: string) =>
    `ValidatingAdmissionPolicy '${policy}' with binding '${policy}' denied request: ${text}`;
  assert.equal(await create(V1, 'v1', 9), denialOf('small', 'size in stock.example/v1 v1'));
  assert.equal(
    await create(V2, 'v2', 9),
    denialOf('small', 'size in stock.example/v1 v1'),
    'no way around it by a version',
  );
  await guardCrates(
    world,
    'three',
    { apiVersions: ['v2'] },
    { expression: 'object.spec.size != 3', messageExpression: message },
  );
  assert.equal(await create(V1, 'v1', 3), denialOf('three', 'size in stock.example/v2 v2'));
  await guardCrates(
    world,
    'exact',
    { apiVersions: ['v2'], matchPolicy: 'Exact' },
    { expression: 'object.spec.size != 4' },
  );
  assert.equal(await create(V1, 'v1', 4), 201);
  assert.equal(await create(V2, 'v2', 2), 201);
});

test('policies of other versions see what the webhook makes of each object of a change set', async (t) => {
  const webhook = await startWebhook(t);
  const world = await startWorld(t, { roles: ['api'] });
  const { url, caBundle } = webhook;
  const conversion = {
    strategy: 'Webhook',
    webhook: { clientConfig: { url, caBundle }, conversionReviewVersions: ['v1'] },
  };
  await define(world, definition([v1(true), v2(false)], conversion));
  await guardCrates(world, 'two', { apiVersions: ['v2'] }, { expression: 'object.spec.unit != "km"' });
  const older = await world.call('POST', V1, { body: crate('v1', 'a', { size: '3 km' }) });
  assert.match(older.json.message, /denied request: failed expression: object\.spec\.unit != "km"/);
  const before = webhook.asked.length;
  const objects = Array.from({ length: 12 }, (_, index) => ({
    ...crate('v2', `c${index}`, { size: index + 1, unit: 'm' }),
    metadata: { name: `c${index}`, namespace: 'default' },
  }));
  const set = await world.call('POST', CHANGE_SETS, { body: changeSet(...objects) });
  assert.equal(set.status, 201, set.text);
  const converted = webhook.asked.slice(before).flatMap(({ request }) => request.objects);
  assert.equal(converted.length, objects.length, 'each object is converted once');
});

/** A kind whose objects are stored in v1, and a webhook that converts them. */
async function startCrates(t: TestContext) {
  const webhook = await startWebhook(t);
  const world = await startWorld(t, { roles: ['api'] });
  const { url, caBundle } = webhook;
  const clientConfig = { url, caBundle };
  const conversion = { strategy: 'Webhook', webhook: { clientConfig, conversionReviewVersions: ['v1'] } };
  await define(world, definition([v1(true), v2(false)], conversion));
  const { call } = world;
  return {
    ...world,
    webhook,
    /** From now on no request reaches it. */
    cutOff: async () => {
      const port = await freePort();
      const patch = { spec: { conversion: { webhook: { clientConfig: { url: `https://127.0.0.1:${port}/` } } } } };
      const { status } = await call('PATCH', `${DEFINITIONS}/crates.stock.example`, { body: patch, headers: MERGE });
      assert.equal(status, 200);
      await until(
        async () => ((await call('GET', V2)).status === 503 ? true : undefined),
        () => 'the new address to be used',
        5,
      );
    },
    draft: async (name: string, objects: readonly object[]) => {
      const made = await call('POST', DRAFTS, { body: draftOf(name, objects) });
      assert.equal(made.status, 201, made.text);
      return made.json.metadata.uid as string;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const some = (...names: readonly string[]) => names.map((name) => crate('v2', name, { size: 3, unit: 'm' }));
const settings = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'default' },
  data: {},
};

test('drafts, change sets and reads of the past convert what they need', async (t) => {
  const { call, draft, webhook } = await startCrates(t);
  const set = await call('POST', CHANGE_SETS, { body: changeSet(...some('a', 'b', 'c')) });
  assert.equal(set.status, 201, set.text);
  const before = webhook.asked.length;
  const many = Array.from({ length: 300 }, (_, index) => `n${index}`);
  const wide = await call('POST', CHANGE_SETS, { body: changeSet(...some(...many)) });
  assert.equal(wide.status, 201, wide.text);
  assert.equal(webhook.asked.length, before + 2, 'objects of a change set are converted together, 200 at a time');
  const version = (await call('GET', V1)).json.metadata.resourceVersion;
  const asked = webhook.asked.length;
  const uid = await draft('one', some('d', 'e', 'f'));
  const found = await call('POST', `${DRAFTS}/one/validate`, { body: VALIDATION });
  assert.deepEqual([found.status, found.json.status.valid], [201, true], found.text);
  assert.equal(webhook.asked.length, asked + 1, 'all objects of a review are converted together');
  const published = await call('POST', `${DRAFTS}/one/publish`, { body: publicationOf({ uid }) });
  assert.equal(published.status, 201, published.text);
  assert.deepEqual((await call('GET', `${V1}/e`)).json.spec, { size: '3 m' });
  const patch = { spec: { size: 4 } };
  assert.equal((await call('PATCH', `${V2}/e`, { body: patch, headers: MERGE })).status, 200);
  for (const selector of ['', '&fieldSelector=spec.unit%3Dm']) {
    const past = await call('GET', `${V2}?asOf=${version}${selector}`);
    assert.equal(past.status, 200, past.text);
    assert.equal(past.json.items.length, 303);
    assert.deepEqual(past.json.items[0].spec, { size: 3, unit: 'm' });
  }
});

test('while a webhook does not answer, its definition is named, drafts stay, and nothing is half written', async (t) => {
  const { call, draft, cutOff } = await startCrates(t);
  assert.equal((await call('POST', V1, { body: crate('v1', 'a', { size: '1 m' }) })).status, 201);
  const version = (await call('GET', V1)).json.metadata.resourceVersion;
  const uid = await draft('one', [settings, ...some('b')]);
  await cutOff();
  const assertNamed = ({ status, json, text }: Answer): void => {
    assert.equal(status, 503, text);
    assert.match(json.message, /conversion webhook of crates\.stock\.example: it cannot be reached/);
    assert.match(json.message, /The version in which objects are stored needs none\.$/);
  };
  for (const path of [`${V2}/a`, V2, `${V2}?asOf=${version}`, `${V2}/a?asOf=${version}`])
    assertNamed(await call('GET', path));
  assertNamed(await call('GET', `${V2}?asOf=${version}&fieldSelector=spec.unit%3Dm`));
  assertNamed(await call('POST', V2, { body: crate('v2', 'b', { size: 1, unit: 'm' }) }));
  assertNamed(await call('POST', CHANGE_SETS, { body: changeSet(settings, ...some('b')) }));
  const found = await call('POST', `${DRAFTS}/one/validate`, { body: VALIDATION });
  assert.deepEqual([found.status, found.json.status.valid], [201, false], found.text);
  const [problem, ...others] = found.json.status.problems;
  assert.deepEqual([problem.name, others.length], ['b', 0]);
  assert.match(problem.message, /conversion webhook of crates\.stock\.example/);
  assertNamed(await call('POST', `${DRAFTS}/one/publish`, { body: publicationOf({ uid }) }));
  const maps = await call('GET', '/api/v1/namespaces/default/configmaps/settings');
  assert.equal(maps.status, 404);
  assert.equal((await call('GET', `${DRAFTS}/one`)).json.metadata.uid, uid);
  // The stored version is read, written and deleted as ever.
  for (const path of [V1, `${V1}?asOf=${version}`]) assert.equal((await call('GET', path)).json.items.length, 1);
  assert.equal((await call('POST', V1, { body: crate('v1', 'b', { size: '1 m' }) })).status, 201);
  assert.equal((await call('DELETE', `${V2}/b`)).status, 200);
});
