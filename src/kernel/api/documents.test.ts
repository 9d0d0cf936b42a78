import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { negotiate } from './codec/accept.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { getOwn, isObject } from '#kernel/kinds/schema/own.ts';
import { discoveryAnswer, discoveryDocuments } from './discovery.ts';
import type { ApiDocument } from './document.ts';
import { openApiDocuments } from './openapi.ts';

const Namespace = defineKind({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  scope: 'Cluster',
  description: 'A namespace.',
});
const Plan = defineKind({
  group: 'products.backline.dev',
  version: 'v1',
  kind: 'Plan',
  plural: 'plans',
  categories: ['business'],
  scope: 'Namespaced',
  description: 'A plan.',
  spec: Type.Object(
    {
      title: Type.String({ description: 'What it is called.' }),
      tier: Type.Enum(['free', 'paid'], { default: 'free' }),
      amount: Type.Integer({ exclusiveMinimum: 0 }),
      price: Type.Union([
        Type.Object({ type: Type.Literal('fixed'), amount: Type.Integer() }),
        Type.Object({ type: Type.Literal('percent'), percent: Type.Number() }),
      ]),
      labels: Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()])),
      free: Type.Unknown(),
    },
    { description: 'What is wanted.' },
  ),
  status: Type.Object({ seen: Type.Boolean() }),
});
const Question = defineKind({
  group: 'releases.backline.dev',
  version: 'v1',
  kind: 'Question',
  plural: 'questions',
  scope: 'Cluster',
  description: 'A question.',
  verbs: ['create'],
});

const KINDS = [Namespace, Plan, Question];
const discovery = discoveryDocuments(KINDS, '0.1.0');
async function madeDocuments(version: string): Promise<ReadonlyMap<string, ApiDocument>> {
  const documents = [...openApiDocuments(KINDS, version)];
  return new Map(await Promise.all(documents.map(async ([path, make]) => [path, await make()] as const)));
}

const openapi = await madeDocuments('0.1.0');

function content(document: ApiDocument | undefined): unknown {
  assert.ok(document);
  return JSON.parse(document.body);
}

const discover = (path: string, accept?: string): unknown =>
  content(discoveryAnswer(discovery, path, negotiate(accept)));

/** The value at a path of keys and indexes. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  let here = value;
  for (const segment of path)
    here = Array.isArray(here) ? here[Number(segment)] : isObject(here) ? getOwn(here, String(segment)) : undefined;
  return here;
}

const EVERY_VERB = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

test('discovery in its plain form names groups, versions, kinds and subresources', () => {
  assert.deepEqual(at(discover('/api'), 'versions'), ['v1']);
  assert.deepEqual(at(discover('/apis'), 'groups', 0), {
    name: 'products.backline.dev',
    versions: [{ groupVersion: 'products.backline.dev/v1', version: 'v1' }],
    preferredVersion: { groupVersion: 'products.backline.dev/v1', version: 'v1' },
  });
  assert.equal(at(discover('/apis/products.backline.dev'), 'kind'), 'APIGroup');
  assert.deepEqual(discover('/apis/products.backline.dev/v1/'), {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: 'products.backline.dev/v1',
    resources: [
      {
        name: 'plans',
        singularName: 'plan',
        namespaced: true,
        kind: 'Plan',
        verbs: EVERY_VERB,
        categories: ['business'],
      },
      { name: 'plans/status', singularName: '', namespaced: true, kind: 'Plan', verbs: ['get', 'patch', 'update'] },
    ],
  });
  assert.deepEqual(at(discover('/api/v1'), 'resources', 0, 'shortNames'), ['ns']);
  assert.deepEqual(at(discover('/apis/releases.backline.dev/v1'), 'resources', 0, 'verbs'), ['create']);
});

for (const version of ['v2', 'v2beta1']) {
  test(`aggregated discovery ${version} holds everything and says in its type what it is`, () => {
    const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`;
    const document = discoveryAnswer(discovery, '/apis', negotiate(accept));
    assert.equal(document?.contentType, `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);
    const list = content(document);
    assert.equal(at(list, 'apiVersion'), `apidiscovery.k8s.io/${version}`);
    assert.deepEqual(at(list, 'items', 0, 'versions', 0), {
      version: 'v1',
      freshness: 'Current',
      resources: [
        {
          resource: 'plans',
          responseKind: { group: 'products.backline.dev', version: 'v1', kind: 'Plan' },
          scope: 'Namespaced',
          singularResource: 'plan',
          verbs: EVERY_VERB,
          categories: ['business'],
          subresources: [
            {
              subresource: 'status',
              responseKind: { group: 'products.backline.dev', version: 'v1', kind: 'Plan' },
              verbs: ['get', 'patch', 'update'],
            },
          ],
        },
      ],
    });
    assert.equal(at(discover('/api', accept), 'items', 0, 'metadata', 'name'), '');
    assert.equal(at(discover('/api/v1', accept), 'kind'), 'APIResourceList');
  });
}

test('the version says which Kubernetes this is like, and which Backline it is', () => {
  assert.equal(at(discover('/version'), 'gitVersion'), 'v1.33.0+backline-0.1.0');
  assert.equal(at(discover('/version'), 'minor'), '33');
});

test('the root lists the documents, with or without a slash behind their paths', () => {
  const root = discoveryAnswer(discovery, '/', { as: 'json' });
  const { paths } = JSON.parse(String(root?.body)) as { paths: string[] };
  assert.ok(paths.includes('/version') && paths.includes('/apis/products.backline.dev/v1'), paths.join());
  for (const path of paths.filter((one) => !one.startsWith('/openapi'))) {
    assert.ok(discoveryAnswer(discovery, `${path}/`, { as: 'json' }) !== undefined, path);
  }
});

test('other paths are no discovery documents', () => {
  for (const path of [
    '/metrics',
    '/apis/x',
    '/apis/products.backline.dev/v2',
    '/api/v1/namespaces',
    '/apis/constructor',
  ]) {
    assert.equal(discoveryAnswer(discovery, path, { as: 'json' }), undefined);
    assert.equal(openapi.get(path), undefined);
  }
});

test('every OpenAPI document is found where the root says, under a hash that follows its content', async () => {
  const paths = at(content(openapi.get('/openapi/v3')), 'paths');
  assert.ok(isObject(paths));
  assert.deepEqual(Object.keys(paths), ['api/v1', 'apis/products.backline.dev/v1', 'apis/releases.backline.dev/v1']);
  for (const [path, entry] of Object.entries(paths)) {
    const url = new URL(String(at(entry, 'serverRelativeURL')), 'http://backline');
    const document = openapi.get(url.pathname);
    assert.equal(url.pathname, `/openapi/v3/${path}`);
    assert.equal(`"${url.searchParams.get('hash')}"`, document?.etag);
  }
  const later = await madeDocuments('0.2.0');
  assert.notEqual(later.get('/openapi/v3/api/v1')?.etag, openapi.get('/openapi/v3/api/v1')?.etag);
});

const plans = content(openapi.get('/openapi/v3/apis/products.backline.dev/v1'));
const schemaAt = (...path: (string | number)[]): unknown =>
  at(plans, 'components', 'schemas', 'dev.backline.products.v1.Plan', ...path);

test('the schema of a kind says what kubectl explain shows', () => {
  assert.equal(schemaAt('description'), 'A plan.');
  assert.deepEqual(schemaAt('x-kubernetes-group-version-kind'), [
    { group: 'products.backline.dev', version: 'v1', kind: 'Plan' },
  ]);
  assert.deepEqual(schemaAt('required'), ['spec']);
  assert.deepEqual(schemaAt('properties', 'metadata', 'allOf'), [
    { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' },
  ]);
  // A field with a default is not required.
  assert.deepEqual(schemaAt('properties', 'spec', 'required'), ['title', 'amount', 'price', 'labels', 'free']);
  assert.deepEqual(schemaAt('properties', 'spec', 'properties', 'tier'), {
    type: 'string',
    enum: ['free', 'paid'],
    default: 'free',
  });
  assert.deepEqual(schemaAt('properties', 'spec', 'properties', 'amount'), {
    type: 'integer',
    minimum: 0,
    exclusiveMinimum: true,
  });
  assert.deepEqual(schemaAt('properties', 'spec', 'properties', 'labels', 'additionalProperties'), {
    type: 'string',
    nullable: true,
  });
  assert.deepEqual(schemaAt('properties', 'spec', 'properties', 'free'), {
    'x-kubernetes-preserve-unknown-fields': true,
  });
});

test('the fields of all alternatives are in one place, the rules of each stay its own', () => {
  const price = schemaAt('properties', 'spec', 'properties', 'price');
  assert.deepEqual(at(price, 'properties', 'type'), { type: 'string', enum: ['fixed', 'percent'] });
  assert.deepEqual(at(price, 'properties', 'percent'), { type: 'number' });
  assert.equal(at(price, 'required'), undefined);
  assert.deepEqual(at(price, 'anyOf', 1, 'required'), ['type', 'percent']);
});

test('kubectl finds that the server validates fields itself: PATCH has fieldValidation, kind and action', () => {
  const patch = at(plans, 'paths', '/apis/products.backline.dev/v1/namespaces/{namespace}/plans/{name}', 'patch');
  assert.equal(at(patch, 'x-kubernetes-action'), 'patch');
  assert.deepEqual(at(patch, 'x-kubernetes-group-version-kind'), {
    group: 'products.backline.dev',
    version: 'v1',
    kind: 'Plan',
  });
  const parameters = at(patch, 'parameters');
  assert.ok(Array.isArray(parameters) && parameters.some((parameter) => at(parameter, 'name') === 'fieldValidation'));
});

test('only what a kind allows has an operation', () => {
  const paths = at(content(openapi.get('/openapi/v3/apis/releases.backline.dev/v1')), 'paths');
  assert.ok(isObject(paths));
  assert.deepEqual(
    Object.entries(paths).map(([path, operations]) => [path, Object.keys(operations as object)]),
    [['/apis/releases.backline.dev/v1/questions', ['post']]],
  );
});

test('every reference within a document leads to a schema of it', () => {
  for (const { body } of openapi.values()) {
    const document: unknown = JSON.parse(body);
    for (const [, name = ''] of body.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(isObject(at(document, 'components', 'schemas', name)), name);
    }
  }
});
