import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allKinds } from '#planes/catalogue.ts';
import { startWorld } from '../support/backline.ts';
import { until, type Json } from '../support/installation.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const OTHER_GROUP = 'exported.example.com';

test('every exported kind is a CustomResourceDefinition that a server of Kubernetes takes, and so is its example', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const { json: list } = await call('GET', '/schemas/definitions.json');
  const written = allKinds().all.filter(
    ({ group, verbs }) => group.endsWith('.backline.dev') && verbs.includes('update'),
  );
  assert.equal(list.items.length, written.length);
  const refused: string[] = [];
  for (const exported of list.items) {
    const { spec } = exported;
    const names = { ...spec.names, plural: `${spec.names.plural}x${spec.group.split('.')[0]}` };
    const body = {
      ...exported,
      metadata: { name: `${names.plural}.${OTHER_GROUP}` },
      spec: {
        ...spec,
        group: OTHER_GROUP,
        names: { plural: names.plural, kind: `${names.kind}X${spec.group.split('.')[0]}` },
      },
    };
    const answer = await call('POST', DEFINITIONS, { body });
    if (answer.status !== 201) refused.push(`${exported.metadata.name}: ${answer.json.message}`);
  }
  assert.deepEqual(refused, []);
  const unfit: string[] = [];
  for (const kind of written) {
    if (kind.example === undefined) continue;
    const { name, spec, fields } = kind.example;
    const plural = `${kind.plural}x${kind.group.split('.')[0]}`;
    const at = `/apis/${OTHER_GROUP}/${kind.version}${kind.namespaced ? '/namespaces/default' : ''}/${plural}`;
    const body = {
      apiVersion: `${OTHER_GROUP}/${kind.version}`,
      kind: `${kind.kind}X${kind.group.split('.')[0]}`,
      metadata: { name },
      ...(spec === undefined ? {} : { spec }),
      ...fields,
    };
    const answer = await until(
      async () => {
        const { status, text } = await call('POST', `${at}?fieldValidation=Strict`, { body });
        return status === 404 ? undefined : { status, text };
      },
      () => `${at} to be served`,
    );
    if (answer.status !== 201) unfit.push(`${kind.id}: ${answer.text}`);
  }
  assert.deepEqual(unfit, []);
});

test('editors find the schema of each kind, and of kinds that are defined while the server runs', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const index = async (): Promise<readonly Json[]> => (await call('GET', '/schemas')).json.kinds;
  const plan = (await index()).find(({ kind }) => kind === 'Plan');
  const { json: schema, headers } = await call('GET', plan.schema);
  assert.equal(headers['content-type'], 'application/schema+json');
  assert.equal(schema.properties.kind.const, 'Plan');
  assert.ok(schema.properties.spec.properties.rank.description.length > 0);
  const names = { plural: 'shows', kind: 'Show' };
  const properties = { spec: { type: 'object', properties: { episodes: { type: 'integer' } } } };
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: 'object', properties } },
  };
  const spec = { group: 'example.com', names, scope: 'Namespaced', versions: [version] };
  const made = await call('POST', DEFINITIONS, { body: { metadata: { name: 'shows.example.com' }, spec } });
  assert.equal(made.status, 201, made.text);
  const shown = await until(
    async () => (await index()).find(({ kind }) => kind === 'Show'),
    () => 'the kind to be served',
  );
  assert.equal((await call('GET', shown.schema)).json.properties.spec.properties.episodes.type, 'integer');
  assert.equal((await call('GET', '/schemas/nothing.json')).status, 404);
  assert.equal((await call('GET', '/schemas', { token: '' })).status, 401);
});
