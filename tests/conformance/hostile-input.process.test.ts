import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { startWorld, type Answer } from '../support/backline.ts';
import { feature, market, plan, price } from '../support/catalogue.ts';

const base = '/apis/products.backline.dev/v1/namespaces/default';
const changeSets = '/apis/releases.backline.dev/v1/changesets';
const PATCHES = [
  'application/merge-patch+json',
  'application/json-patch+json',
  'application/strategic-merge-patch+json',
];

const seeds: [plural: string, object: object][] = [
  ['features', feature('offline')],
  ['markets', market('de', { channels: [{ name: 'web' }], notice: { days: 30 } })],
  [
    'plans',
    plan('premium', { entitlements: [{ feature: 'offline', limit: 'unlimited' }], roles: ['manager', 'child'] }),
  ],
  [
    'prices',
    price('premium-de', {
      plan: 'premium',
      market: 'de',
      timeline: [{ from: '2026-01-01', amount: '9.99', currency: 'EUR' }],
    }),
  ],
];

const nasty = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(
    null,
    '',
    0,
    -1,
    1e308,
    2 ** 53,
    [],
    {},
    [null],
    'x'.repeat(5_000),
    '__proto__',
    '\u0000',
    '\ud800',
    '9'.repeat(400),
    '2026-13-45',
    '-271821-04-20',
    '+275760-09-14T00:00:00Z',
    'P1M',
    '٣',
    'ＥＵＲ',
  ),
);

/** Every path that leads to a value of an object. */
function pathsOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, member]) =>
      pathsOf(member, [...path, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

function withValue(target: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  const copy = structuredClone(target) as Record<string | number, unknown>;
  copy[head] = withValue(copy[head], rest, value);
  return copy;
}

/** A valid object in which up to three places hold something that does not belong there. */
const mutated = fc.constantFrom(...seeds).chain(([plural, object]) =>
  fc
    .array(fc.tuple(fc.constantFrom(...pathsOf(object).slice(1)), nasty), { minLength: 1, maxLength: 3 })
    .map((changes) => {
      let result: unknown = object;
      for (const [path, value] of changes) {
        try {
          result = withValue(result, path, value);
        } catch {
          // An earlier change took the place away.
        }
      }
      return { plural, object: result };
    }),
);

function precise(answer: Answer, what: unknown): void {
  assert.ok(answer.status < 500, `${answer.status} for ${JSON.stringify(what)?.slice(0, 2_000)}: ${answer.text}`);
  if (answer.status >= 400) {
    assert.ok(answer.json.message !== undefined || answer.json.detail !== undefined, answer.text);
  }
}

/** Path elements and things that are none. */
const elements = fc.oneof(
  fc.constantFrom('f:spec', 'f:metadata', 'f:labels', 'f:title', '.', 'k:{"name":"web"}', 'k:{}', 'k:[', 'v:1', 'v:"'),
  fc.constantFrom('i:0', 'i:-1', 'f:__proto__', ''),
  fc.string({ maxLength: 5 }),
);
const { fields: hostileFields } = fc.letrec((tie) => ({
  fields: fc.oneof(
    { maxDepth: 3 },
    fc.constant({}),
    nasty,
    fc.dictionary(elements, tie('fields'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const hostileEntries = fc.array(
  fc.record(
    {
      manager: fc.oneof(fc.constant('one'), nasty),
      operation: fc.oneof(fc.constantFrom('Apply', 'Update'), nasty),
      apiVersion: fc.oneof(fc.constantFrom('products.backline.dev/v1', 'v9'), nasty),
      time: fc.oneof(fc.constant('2026-01-01T00:00:00Z'), nasty),
      fieldsType: fc.oneof(fc.constant('FieldsV1'), nasty),
      fieldsV1: hostileFields,
      subresource: fc.oneof(fc.constantFrom('', 'status'), nasty),
    },
    { requiredKeys: [], noNullPrototype: true },
  ),
  { maxLength: 3 },
);

test('no apply and no managers that a client can send end in a 5xx', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  for (const [plural, object] of seeds)
    assert.equal((await call('POST', `${base}/${plural}`, { body: object })).status, 201);
  const names = new Map(
    seeds.map(([plural, object]) => [plural, (object as { metadata: { name: string } }).metadata.name]),
  );
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const runs = { numRuns: 200, endOnFailure: true };
  await fc.assert(
    fc.asyncProperty(
      mutated,
      fc.constantFrom('one', 'two'),
      fc.constantFrom('', '&force=true', '&dryRun=All'),
      async ({ plural, object }, manager, query) => {
        const path = `${base}/${plural}/${names.get(plural)}?fieldManager=${manager}${query}`;
        precise(await call('PATCH', path, { body: object, headers }), object);
      },
    ),
    runs,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(hostileEntries, nasty),
      fc.constantFrom(...seeds),
      async (managedFields, [plural, object]) => {
        const path = `${base}/${plural}/${names.get(plural)}`;
        const patch = { 'content-type': 'application/merge-patch+json' };
        precise(await call('PATCH', path, { body: { metadata: { managedFields } }, headers: patch }), managedFields);
        const applied = await call('PATCH', `${path}?fieldManager=three&force=true`, { body: object, headers });
        assert.ok(applied.status < 300, `${JSON.stringify(managedFields)}: ${applied.text}`);
      },
    ),
    runs,
  );
});

test('no object, patch or question that a client can send ends in a 5xx or takes the server down', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  for (const [plural, object] of seeds)
    assert.equal((await call('POST', `${base}/${plural}`, { body: object })).status, 201);

  const runs = { numRuns: 250, endOnFailure: true };
  await fc.assert(
    fc.asyncProperty(
      mutated,
      fc.constantFrom('POST', 'PUT'),
      fc.constantFrom('', '?fieldValidation=Strict', '?dryRun=All'),
      async ({ plural, object }, method, query) => {
        const {
          metadata: { name },
        } = (seeds.find(([known]) => known === plural)?.[1] ?? { metadata: { name: '' } }) as {
          metadata: { name: string };
        };
        const path = method === 'POST' ? `${base}/${plural}` : `${base}/${plural}/${name}`;
        precise(await call(method, path + query, { body: object }), object);
      },
    ),
    runs,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(mutated, { minLength: 1, maxLength: 3 }), async (objects) => {
      const body = {
        apiVersion: 'releases.backline.dev/v1',
        kind: 'ChangeSet',
        metadata: {},
        spec: { objects: objects.map(({ object }) => object) },
      };
      precise(await call('POST', `${changeSets}?dryRun=All`, { body }), body);
    }),
    runs,
  );
  const operation = fc.record(
    {
      op: fc.oneof(fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'), nasty),
      path: fc.oneof(
        fc.constantFrom('/spec', '/metadata/name', '/metadata/labels/a', '/spec/__proto__/x', '', '/spec/timeline/-'),
        nasty,
      ),
      from: nasty,
      value: nasty,
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.constantFrom(...PATCHES),
      fc.oneof(
        fc.array(operation, { maxLength: 3 }),
        mutated.map(({ object }) => object),
        nasty,
      ),
      async ([plural, object], type, patch) => {
        const { name } = (object as { metadata: { name: string } }).metadata;
        precise(
          await call('PATCH', `${base}/${plural}/${name}?dryRun=All`, {
            body: JSON.stringify(patch),
            headers: { 'content-type': type },
          }),
          patch,
        );
      },
    ),
    runs,
  );
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 30 }),
    fc.constantFrom(
      'a=b',
      'a in (b',
      '!',
      'a!=b,,c',
      'metadata.name=x',
      '%',
      '%zz',
      '1e9',
      '99999999999999999999',
      'true',
    ),
  );
  const parameter = fc.constantFrom(
    'labelSelector',
    'fieldSelector',
    'limit',
    'continue',
    'resourceVersion',
    'resourceVersionMatch',
    'dryRun',
    'fieldValidation',
    'market',
    'plan',
    'feature',
    'at',
    'territory',
    'interval',
    'channel',
    'role',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(
        `${base}/plans`,
        `${base}/plans/premium`,
        '/api/v1/namespaces',
        '/v1/check',
        '/v1/prices',
        '/v1/explain',
        '/v1/entitlements',
        '/apis',
        '/openapi/v3',
        '/readyz',
      ),
      fc.array(fc.tuple(parameter, text), { maxLength: 4 }),
      async (path, parameters) => {
        const query = parameters
          .map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`)
          .join('&');
        precise(await call('GET', `${path}?${query}`), { path, query });
      },
    ),
    runs,
  );
  assert.equal((await call('GET', '/readyz')).status, 200);
  assert.ok((await call('GET', `${base}/plans/premium`)).status === 200);
});

test('a posted object that is not stored is checked against its schema, whichever kind it is', async (t) => {
  await using world = await startWorld(t);
  const release = '/apis/releases.backline.dev/v1/releases/none';
  const reviews = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const wrong: [path: string, spec: object, field: string][] = [
    ...['approve', 'pause', 'resume', 'promote', 'abort', 'rollback', 'pin', 'unpin', 'seal'].flatMap(
      (verb): [string, object, string][] => [
        [`${release}/${verb}`, { reason: 'x'.repeat(1_001) }, 'spec.reason'],
        [`${release}/${verb}`, { reason: { toString: 1 } }, 'spec.reason'],
        [`${release}/${verb}`, { reason: '' }, 'spec.reason'],
        [`${release}/${verb}`, { resaon: 'typed wrongly' }, 'spec.resaon'],
        [`${release}/${verb}`, { force: 'yes' }, 'spec.force'],
        [`${release}/${verb}`, { until: 'garbage' }, 'spec.until'],
      ],
    ),
    [`${release}/judgement`, { margin: 0 }, 'spec.margin'],
    [`${release}/judgement`, { merging: 2 }, 'spec.merging'],
    ['/apis/releases.backline.dev/v1/changesets', { objects: [] }, 'spec.objects'],
    ['/apis/releases.backline.dev/v1/changesets', { objects: [{}], default: 'x' }, 'spec.default'],
    ['/apis/events.backline.dev/v1/queries', { sql: 7 }, 'spec.sql'],
    ['/apis/events.backline.dev/v1/queries', { sql: 'select 1', timeout: 7 }, 'spec.timeout'],
    ['/apis/events.backline.dev/v1/erasures', { listener: 7 }, 'spec.listener'],
    ['/apis/events.backline.dev/v1/eventreplays', { types: 'all' }, 'spec.types'],
    [reviews, { resourceAttributes: 'all' }, 'spec.resourceAttributes'],
  ];
  for (const [path, spec, field] of wrong) {
    const { status, json, text } = await world.call('POST', path, { body: { spec } });
    assert.equal(status, 422, `${path} ${JSON.stringify(spec).slice(0, 100)}: ${text}`);
    const fields = (json.details.causes as { field: string }[]).map((cause) => cause.field);
    assert.ok(fields.includes(field), `${path}: ${fields.join(', ')} instead of ${field}`);
  }
  const newer = await world.call('POST', reviews, {
    body: { spec: { resourceAttributes: { verb: 'get', resource: 'plans', later: 1 } } },
  });
  assert.equal(newer.status, 201, 'a newer kubectl may ask with fields that came later');
  assert.match(String(newer.headers['warning']), /unknown field .*spec\.resourceAttributes\.later/);
});
