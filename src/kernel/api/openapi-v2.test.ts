import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { Refusal } from '#kernel/base/failures.ts';
import { Tally, decodeMessage } from './codec/protobuf/decode-message.ts';
import { list, message, one } from './codec/protobuf/message.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { openApiDocuments } from './openapi.ts';
import { openApiV2 } from './openapi-v2.ts';

const Plan = defineKind({
  group: 'products.example',
  version: 'v1',
  kind: 'Plan',
  plural: 'plans',
  scope: 'Namespaced',
  description: 'A plan.',
  spec: Type.Object({
    title: Type.String({ description: 'What it is called.', pattern: '^[a-z]+$', maxLength: 9 }),
    tier: Type.Enum(['free', 'paid'], { default: 'free' }),
    share: Type.Number({ exclusiveMinimum: 0.25 }),
    seats: Type.Union([Type.Integer(), Type.Null()]),
    price: Type.Union([Type.Object({ type: Type.Literal('fixed') }), Type.Object({ percent: Type.Number() })]),
    open: Type.Object({ known: Type.Optional(Type.String()) }, { 'x-kubernetes-preserve-unknown-fields': true }),
    labels: Type.Record(Type.String(), Type.String()),
    parts: Type.Array(Type.String()),
  }),
});

const answer = openApiV2(openApiDocuments([Plan], '0.1.0'), '0.1.0');
const { body: json } = await answer('application/json');
const document = JSON.parse(String(json));
const plan = document.definitions['example.products.v1.Plan'];

test('the older document says of a kind what it can, and nothing that only the newer form has', () => {
  assert.equal(document.swagger, '2.0');
  assert.equal(plan.description, 'A plan.');
  assert.deepEqual(plan['x-kubernetes-group-version-kind'], [
    { group: 'products.example', version: 'v1', kind: 'Plan' },
  ]);
  const { title, tier, share, seats, price, open, labels, parts } = plan.properties.spec.properties;
  assert.deepEqual(title, { description: 'What it is called.', type: 'string', pattern: '^[a-z]+$', maxLength: 9 });
  assert.deepEqual(tier, { type: 'string', enum: ['free', 'paid'] });
  assert.deepEqual(share, { type: 'number', minimum: 0.25, exclusiveMinimum: true });
  assert.deepEqual(seats, { type: 'integer' });
  assert.deepEqual(Object.keys(price.properties), ['type', 'percent']);
  assert.deepEqual(open, { type: 'object', 'x-kubernetes-preserve-unknown-fields': true });
  assert.deepEqual(labels, { type: 'object', additionalProperties: { type: 'string' } });
  assert.deepEqual(parts, { type: 'array', items: { type: 'string' } });
  assert.match(plan.properties.metadata.$ref, /^#\/definitions\/.*ObjectMeta$/);
  assert.doesNotMatch(String(json), /"(nullable|anyOf|oneOf|not|requestBody|content)":|components/);
});

test('every reference of the older document leads to a definition of it', () => {
  const references = [...String(json).matchAll(/"#\/definitions\/([^"]+)"/g)];
  assert.ok(references.length > 10);
  for (const [, name = ''] of references) assert.ok(name in document.definitions, name);
});

test('operations keep their parameters, with the body among them', () => {
  const item = document.paths['/apis/products.example/v1/namespaces/{namespace}/plans/{name}'];
  assert.deepEqual(Object.keys(item), ['get', 'put', 'patch', 'delete', 'parameters']);
  assert.deepEqual(item.parameters[0], {
    name: 'namespace',
    in: 'path',
    required: true,
    description: 'The namespace of the objects.',
    type: 'string',
  });
  const [body, ...queries] = item.put.parameters;
  assert.deepEqual(body, {
    name: 'body',
    in: 'body',
    required: true,
    schema: { $ref: '#/definitions/example.products.v1.Plan' },
  });
  assert.ok(queries.some(({ name }: { name: string }) => name === 'fieldValidation'));
  assert.equal(item.patch['x-kubernetes-action'], 'patch');
});

// The numbers of gnostic's OpenAPIv2.proto, as far as kubectl reads them, written down a second time.
const Any = message({ 2: one('yaml') });
const extension = message({ 1: one('name'), 2: one('value', Any) });
const Leaf = message({
  1: one('$ref'),
  2: one('format'),
  4: one('description'),
  13: one('pattern'),
  31: list('extensions', extension),
});
const properties = (Schema: typeof Leaf) =>
  message({ 1: list('entries', message({ 1: one('name'), 2: one('schema', Schema) })) });
const type = message({ 1: list('names') });
const Inner = message({
  ...Object.fromEntries(Leaf.fields),
  11: one('maxLength', 'int64'),
  20: list('enum', Any),
  22: one('type', type),
});
const Middle = message({
  ...Object.fromEntries(Leaf.fields),
  19: list('required'),
  22: one('type', type),
  25: one('properties', properties(Inner)),
});
const Outer = message({
  ...Object.fromEntries(Leaf.fields),
  22: one('type', type),
  25: one('properties', properties(Middle)),
});
const query = message({ 2: one('in'), 4: one('name'), 6: one('type') });
const Operation = message({
  8: list(
    'parameters',
    message({ 1: one('parameter', message({ 2: one('plain', message({ 3: one('query', query) })) })) }),
  ),
  13: list('extensions', extension),
});
const Document = message({
  1: one('swagger'),
  2: one('info', message({ 1: one('title'), 2: one('version') })),
  8: one(
    'paths',
    message({
      2: list('entries', message({ 1: one('name'), 2: one('item', message({ 8: one('patch', Operation) })) })),
    }),
  ),
  9: one('definitions', message({ 1: list('entries', message({ 1: one('name'), 2: one('schema', Outer) })) })),
});

test('the protobuf says the same as the JSON', async () => {
  const { contentType, body } = await answer('application/com.github.proto-openapi.spec.v2@v1.0+protobuf');
  assert.equal(contentType, 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
  assert.ok(typeof body !== 'string');
  const tally = new Tally({ valuesMax: Infinity, membersMax: Infinity, itemsMax: Infinity });
  // oxlint-disable-next-line typescript/no-explicit-any
  const read = decodeMessage(body, Document, tally) as any;
  assert.equal(read.swagger, '2.0');
  assert.deepEqual(read.info, document.info);
  assert.deepEqual(
    read.definitions.entries.map(({ name }: { name: string }) => name),
    Object.keys(document.definitions),
  );
  const { schema } = read.definitions.entries.find(({ name }: { name: string }) => name === 'example.products.v1.Plan');
  assert.equal(schema.description, 'A plan.');
  assert.deepEqual(schema.type.names, ['object']);
  assert.equal(schema.extensions[0].name, 'x-kubernetes-group-version-kind');
  assert.deepEqual(JSON.parse(schema.extensions[0].value.yaml), plan['x-kubernetes-group-version-kind']);
  const spec = schema.properties.entries.find(({ name }: { name: string }) => name === 'spec').schema;
  assert.deepEqual(spec.required, plan.properties.spec.required);
  const [title, tier] = spec.properties.entries;
  assert.deepEqual(title, {
    name: 'title',
    schema: { description: 'What it is called.', pattern: '^[a-z]+$', maxLength: 9, type: { names: ['string'] } },
  });
  assert.deepEqual(tier.schema.enum, [{ yaml: '"free"' }, { yaml: '"paid"' }]);
  const { item } = read.paths.entries.find(({ name }: { name: string }) => name.endsWith('/plans/{name}'));
  const names = item.patch.parameters.flatMap(
    ({ parameter }: { parameter: { plain?: { query?: { name: string } } } }) => parameter.plain?.query?.name ?? [],
  );
  assert.deepEqual(names, ['dryRun', 'fieldManager', 'fieldValidation', 'force']);
});

test('the client chooses the form, and gets 406 when it takes none', async () => {
  for (const accept of [undefined, '*/*', 'application/json', 'text/html, application/json;q=0.9']) {
    assert.equal((await answer(accept)).contentType, 'application/json');
  }
  const older = await answer('application/com.github.googleapis.gnostic.OpenAPIv2@68f4ded+protobuf');
  assert.match(older.contentType, /protobuf$/);
  assert.notEqual(older.etag, (await answer()).etag);
  await assert.rejects(answer('text/html'), (error) => error instanceof Refusal && error.status === 406);
});
