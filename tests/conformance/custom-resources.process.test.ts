import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld, type World } from '../support/backline.ts';
import { until } from '../support/installation.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 9 },
        color: { type: 'string', default: 'red' },
        replicas: { type: 'integer', default: 1 },
        port: { 'x-kubernetes-int-or-string': true },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        template: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          'x-kubernetes-preserve-unknown-fields': true,
        },
      },
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
  },
};

const VERSION = {
  name: 'v1',
  served: true,
  storage: true,
  schema: { openAPIV3Schema: SCHEMA },
  subresources: {
    status: {},
    scale: {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    },
  },
  additionalPrinterColumns: [
    { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  selectableFields: [{ jsonPath: '.spec.color' }],
};

const NAMES = { plural: 'widgets', kind: 'Widget', shortNames: ['wd'], categories: ['all'] };

function definition(spec: object = {}, name = 'widgets.stock.example') {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: { group: 'stock.example', names: NAMES, scope: 'Namespaced', versions: [VERSION], ...spec },
  };
}

const WIDGETS = '/apis/stock.example/v1/namespaces/default/widgets';
const widget = (name: string, spec: object = { size: 3 }, more: object = {}) => ({
  apiVersion: 'stock.example/v1',
  kind: 'Widget',
  metadata: { name },
  spec,
  ...more,
});

async function establish({ call }: Pick<World, 'call'>, body: ReturnType<typeof definition> = definition()) {
  const made = await call('POST', DEFINITIONS, { body });
  assert.equal(made.status, 201, made.text);
  await untilCondition({ call }, body.metadata.name, 'Established', 'True');
}

async function untilCondition({ call }: Pick<World, 'call'>, name: string, type: string, status: string) {
  return until(
    async () => {
      const { json } = await call('GET', `${DEFINITIONS}/${name}`);
      const found = json.status?.conditions?.find((one: { type: string }) => one.type === type);
      return found?.status === status ? found : undefined;
    },
    () => `${name} to be ${type} ${status}`,
    10,
  );
}

test('a kind is defined by an object, and its objects are kept to its schema', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const { call } = world;
  assert.equal((await call('GET', WIDGETS)).status, 404);
  await establish(world);

  await t.test('objects are checked, pruned and filled with defaults', async () => {
    const made = await call('POST', `${WIDGETS}?fieldValidation=Ignore`, {
      body: widget(
        'a',
        { size: 3, unknown: 1, port: '80%', free: { any: [1] }, template: { apiVersion: 'v1', kind: 'X', other: 1 } },
        { status: { replicas: 9 } },
      ),
    });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(made.json.spec, {
      size: 3,
      port: '80%',
      free: { any: [1] },
      template: { apiVersion: 'v1', kind: 'X', other: 1 },
      color: 'red',
      replicas: 1,
    });
    assert.equal(made.json.status, undefined);
    const strict = await call('POST', `${WIDGETS}?fieldValidation=Strict`, {
      body: widget('b', { size: 1, unknown: 1 }),
    });
    assert.equal(strict.status, 400);
    assert.match(strict.json.message, /strict decoding error: unknown field "spec\.unknown"/);
    const wrong = await call('POST', WIDGETS, { body: widget('b', { size: 10, port: true }) });
    assert.equal(wrong.status, 422);
    assert.deepEqual(wrong.json.details.causes.map(({ field }: { field: string }) => field).sort(), [
      'spec.port',
      'spec.size',
    ]);
  });
  await t.test('status and scale are written by themselves', async () => {
    const before = (await call('GET', `${WIDGETS}/a`)).json;
    const status = await call('PUT', `${WIDGETS}/a/status`, {
      body: { ...before, spec: { size: 1 }, status: { replicas: 2, selector: 'a=b' } },
    });
    assert.deepEqual(
      [status.json.spec.size, status.json.status, status.json.metadata.generation],
      [3, { replicas: 2, selector: 'a=b' }, 1],
    );
    const scale = (await call('GET', `${WIDGETS}/a/scale`)).json;
    assert.deepEqual(
      [scale.kind, scale.apiVersion, scale.spec, scale.status],
      ['Scale', 'autoscaling/v1', { replicas: 1 }, { replicas: 2, selector: 'a=b' }],
    );
    const scaled = await call('PUT', `${WIDGETS}/a/scale`, { body: { ...scale, spec: { replicas: 5 } } });
    assert.deepEqual([scaled.status, scaled.json.spec], [200, { replicas: 5 }], scaled.text);
    assert.equal((await call('PUT', `${WIDGETS}/a/scale`, { body: scale })).status, 409);
    const patched = await call('PATCH', `${WIDGETS}/a/scale`, {
      body: { spec: { replicas: 6 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    assert.deepEqual([patched.status, patched.json.spec], [200, { replicas: 6 }], patched.text);
    assert.equal((await call('GET', `${WIDGETS}/a`)).json.spec.replicas, 6);
    const applied = await call('PATCH', `${WIDGETS}/a/scale?fieldManager=hpa`, {
      body: { ...scale, spec: { replicas: 7 } },
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
    assert.equal(applied.status, 415, applied.text);
    assert.match(applied.json.message, /accepted media types include: [^,]*json-patch\+json, [^,]*merge-patch\+json$/);
    const negative = await call('PATCH', `${WIDGETS}/a/scale`, {
      body: { spec: { replicas: -1 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    assert.equal(negative.status, 422);
  });
  await t.test('selectors know the declared fields, tables the declared columns', async () => {
    await call('POST', WIDGETS, { body: widget('green', { size: 1, color: 'green' }) });
    const names = async (selector: string) =>
      (await call('GET', `${WIDGETS}?fieldSelector=${selector}`)).json.items.map(
        ({ metadata }: { metadata: { name: string } }) => metadata.name,
      );
    assert.deepEqual(await names('spec.color=green'), ['green']);
    assert.deepEqual(await names('spec.color!=green'), ['a']);
    assert.equal((await call('GET', `${WIDGETS}?fieldSelector=spec.size=1`)).status, 400);
    const table = await call('GET', WIDGETS, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
    assert.deepEqual(
      table.json.columnDefinitions.map(({ name }: { name: string }) => name),
      ['Name', 'Size', 'Age'],
    );
    assert.deepEqual(
      table.json.rows.map(({ cells }: { cells: unknown[] }) => cells.slice(0, 2)),
      [
        ['a', 3],
        ['green', 1],
      ],
    );
  });
  await t.test('another schema applies to later writes, and to what is read', async () => {
    const current = (await call('GET', `${DEFINITIONS}/widgets.stock.example`)).json;
    const schema = structuredClone(SCHEMA);
    Object.assign(schema.properties.spec.properties, {
      weight: { type: 'integer', default: 7 },
      size: { type: 'integer', maximum: 2 },
    });
    const versions = [
      {
        ...VERSION,
        schema: { openAPIV3Schema: schema },
        selectableFields: [{ jsonPath: '.spec.color' }, { jsonPath: '.spec.weight' }],
      },
    ];
    const changed = await call('PUT', `${DEFINITIONS}/widgets.stock.example`, {
      body: { ...current, spec: { ...current.spec, versions } },
    });
    assert.equal(changed.status, 200, changed.text);
    await until(
      async () => ((await call('GET', `${WIDGETS}/a`)).json.spec.weight === 7 ? true : undefined),
      () => 'the default',
      5,
    );
    assert.deepEqual((await call('GET', `${WIDGETS}?fieldSelector=spec.weight=7`)).json.items.length, 2);
    assert.equal((await call('POST', WIDGETS, { body: widget('large', { size: 3 }) })).status, 422);
    const label = await call('PATCH', `${WIDGETS}/a`, {
      body: { metadata: { labels: { x: 'y' } } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    assert.equal(label.status, 200, label.text);
    const grown = await call('PATCH', `${WIDGETS}/a`, {
      body: { spec: { size: 4 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    assert.equal(grown.status, 422, grown.text);
  });
  await t.test('after a restart it is served before the process is ready', async () => {
    await world.restart();
    assert.equal((await call('GET', WIDGETS)).json.items.length, 2);
    assert.equal((await call('GET', `${WIDGETS}?fieldSelector=spec.color=green`)).json.items.length, 1);
  });
  await t.test('a deleted definition takes its objects along', async () => {
    const gone = await call('DELETE', `${DEFINITIONS}/widgets.stock.example`);
    assert.equal(gone.status, 200, gone.text);
    await until(
      async () => ((await call('GET', `${DEFINITIONS}/widgets.stock.example`)).status === 404 ? true : undefined),
      () => 'the definition to be gone',
      10,
    );
    assert.equal((await call('GET', WIDGETS)).status, 404);
    await establish(world);
    assert.deepEqual((await call('GET', WIDGETS)).json.items, []);
  });
});

test('names go to the definition that came first, and to the next when it is gone', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  await establish(world);
  const names = { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', shortNames: ['wd'] };
  const second = definition({ names }, 'gadgets.stock.example');
  assert.equal((await call('POST', DEFINITIONS, { body: second })).status, 201);
  const refused = await untilCondition(world, 'gadgets.stock.example', 'NamesAccepted', 'False');
  assert.deepEqual([refused.reason, refused.message], ['ShortNamesConflict', '"wd" is already in use']);
  await untilCondition(world, 'gadgets.stock.example', 'Established', 'False');
  assert.equal((await call('GET', '/apis/stock.example/v1/gadgets')).status, 404);
  await call('DELETE', `${DEFINITIONS}/widgets.stock.example`);
  await untilCondition(world, 'gadgets.stock.example', 'Established', 'True');
  assert.equal((await call('GET', '/apis/stock.example/v1/gadgets')).status, 200);
});

test('an object with a finalizer holds its definition, and nothing new comes meanwhile', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  await establish(world);
  const held = { ...widget('held'), metadata: { name: 'held', finalizers: ['stock.example/hold'] } };
  assert.equal((await call('POST', WIDGETS, { body: held })).status, 201);
  await call('DELETE', `${DEFINITIONS}/widgets.stock.example`);
  const late = await call('POST', WIDGETS, { body: widget('late') });
  assert.equal(late.status, 405, late.text);
  await untilCondition(world, 'widgets.stock.example', 'Terminating', 'True');
  const { metadata } = (await call('GET', `${WIDGETS}/held`)).json;
  assert.ok(metadata.deletionTimestamp !== undefined);
  const released = await call('PATCH', `${WIDGETS}/held`, {
    body: { metadata: { finalizers: null } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(released.status, 200, released.text);
  await until(
    async () => ((await call('GET', `${DEFINITIONS}/widgets.stock.example`)).status === 404 ? true : undefined),
    () => 'the definition to be gone',
    10,
  );
});

test('a wrong definition is refused with the path and the rule', async (t) => {
  const { call } = await startWorld(t, { roles: ['api'] });
  const refusalOf = async (spec: object, name?: string): Promise<string> => {
    const { status, text, json } = await call('POST', DEFINITIONS, { body: definition(spec, name) });
    assert.equal(status, 422, text);
    return json.message;
  };
  const withSchema = (openAPIV3Schema: object) => ({ versions: [{ ...VERSION, schema: { openAPIV3Schema } }] });
  const field = (schema: object) => withSchema({ ...SCHEMA, properties: { ...SCHEMA.properties, extra: schema } });
  assert.match(
    await refusalOf({}, 'other.stock.example'),
    /metadata\.name: Invalid value: "other\.stock\.example": must be spec\.names\.plural/,
  );
  assert.match(await refusalOf({ group: 'apps.k8s.io' }, 'widgets.apps.k8s.io'), /spec\.group: Forbidden/);
  assert.match(
    await refusalOf({ group: 'products.backline.dev' }, 'widgets.products.backline.dev'),
    /spec\.group: Forbidden/,
  );
  assert.match(
    await refusalOf(field({})),
    /properties\.extra\.type: Required value: must not be empty for specified object fields/,
  );
  assert.match(
    await refusalOf(field({ type: 'integer', default: 'x' })),
    /properties\.extra\.default: Invalid value: "string"/,
  );
  assert.match(
    await refusalOf(field({ type: 'object', properties: {}, default: { a: 1 } })),
    /extra\.default\.a: .*must not have unknown fields/,
  );
  assert.match(
    await refusalOf({ versions: [{ ...VERSION, storage: false }] }),
    /exactly one version marked as storage version/,
  );
  assert.match(
    await refusalOf({ versions: [{ ...VERSION, selectableFields: [{ jsonPath: '.spec.none' }] }] }),
    /does not refer to a valid field/,
  );
  let deep: object = { type: 'string' };
  for (let level = 0; level < 70; level++) deep = { type: 'object', properties: { a: deep } };
  assert.match(await refusalOf(field(deep)), /nested deeper than 64 levels/);
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`p${index}`, { type: 'string' }]));
  const large = await call('POST', DEFINITIONS, { body: definition(field({ type: 'object', properties: wide })) });
  assert.ok(large.status >= 400 && large.status < 500, large.text);
  assert.match(
    await refusalOf(field({ type: 'string', pattern: '(' })),
    /extra\.pattern: Invalid value: .*is not one of RE2/,
  );
  assert.match(await refusalOf(field({ type: 'string', pattern: '(?=a)' })), /is not one of RE2/);
  const filled = Object.fromEntries(
    Array.from({ length: 1_001 }, (_, index) => [`d${index}`, { type: 'string', default: '' }]),
  );
  assert.match(await refusalOf(field({ type: 'object', properties: filled })), /a version has at most 1000 defaults/);
  const megabytes = field({ type: 'string', description: 'x'.repeat(3 * 1024 * 1024) });
  assert.equal((await call('POST', DEFINITIONS, { body: definition(megabytes) })).status, 413);
});

test('rules in CEL hold at every write, and one that does not compile is refused with its place', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const rules = (...all: object[]) => ({ 'x-kubernetes-validations': all });
  const withRules = (spec: object, status: object = {}) => ({
    versions: [
      {
        ...VERSION,
        schema: {
          openAPIV3Schema: {
            ...SCHEMA,
            properties: {
              spec: { ...SCHEMA.properties.spec, ...spec },
              status: { ...SCHEMA.properties.status, ...status },
            },
          },
        },
      },
    ],
  });
  const wrong = await call('POST', DEFINITIONS, { body: definition(withRules(rules({ rule: 'self.sise < 5' }))) });
  assert.equal(wrong.status, 422, wrong.text);
  assert.match(
    wrong.json.message,
    /rule: Invalid value: "self\.sise < 5": compilation failed: 1:6: undefined field 'sise'/,
  );
  const costly = rules({
    rule: 'self.color.matches("(a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p)*") && self.color.replace("", self.color) != ""',
  });
  const refusal = await call('POST', DEFINITIONS, { body: definition(withRules(costly)) });
  assert.match(refusal.json.message, /estimated rule cost exceeds budget by factor of/);
  await establish(
    world,
    definition(
      withRules(
        rules(
          { rule: 'self.replicas <= self.size', message: 'a replica for each size at most', fieldPath: '.replicas' },
          { rule: 'self.color == oldSelf.color', message: 'the color stays' },
        ),
        rules({ rule: 'self.replicas < 3' }),
      ),
    ),
  );
  const made = await call('POST', WIDGETS, { body: widget('a', { size: 2, replicas: 3 }) });
  assert.equal(made.status, 422, made.text);
  assert.deepEqual(made.json.details.causes, [
    {
      reason: 'FieldValueInvalid',
      field: 'spec.replicas',
      message: 'Invalid value: "object": a replica for each size at most',
    },
  ]);
  assert.equal((await call('POST', WIDGETS, { body: widget('a', { size: 2 }) })).status, 201);
  const patch = async (path: string, body: object) => {
    const { status, json } = await call('PATCH', `${WIDGETS}/a${path}`, {
      body,
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    return [status, json.message ?? ''];
  };
  assert.match(
    String(await patch('', { spec: { color: 'blue' } })),
    /^422,.*spec: Invalid value: "object": the color stays/,
  );
  assert.match(String(await patch('/scale', { spec: { replicas: 3 } })), /^422,.*a replica for each size/);
  assert.match(
    String(await patch('/status', { status: { replicas: 3 } })),
    /^422,.*status: .*failed rule: self\.replicas < 3/,
  );
  assert.deepEqual(await patch('', { spec: { size: 4, replicas: 3 } }), [200, '']);
});

test('a policy for scales sees a Scale, wherever the kind keeps its number', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const paths = { ...VERSION.subresources.scale, specReplicasPath: '.spec.size' };
  await establish(
    world,
    definition({ versions: [{ ...VERSION, subresources: { ...VERSION.subresources, scale: paths } }] }),
  );
  const rule = { apiGroups: ['*'], apiVersions: ['*'], operations: ['UPDATE'], resources: ['*/scale'] };
  const expression = "request.kind.kind == 'Scale' && object.spec.replicas - oldObject.spec.replicas < 3";
  const admission = '/apis/admissionregistration.k8s.io/v1';
  await call('POST', `${admission}/validatingadmissionpolicies`, {
    body: {
      metadata: { name: 'slow' },
      spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression }] },
    },
  });
  await call('POST', `${admission}/validatingadmissionpolicybindings`, {
    body: { metadata: { name: 'slow' }, spec: { policyName: 'slow', validationActions: ['Deny'] } },
  });
  assert.equal((await call('POST', WIDGETS, { body: widget('a', { size: 2 }) })).status, 201);
  const scaleTo = async (replicas: number) =>
    (
      await call('PATCH', `${WIDGETS}/a/scale`, {
        body: { spec: { replicas } },
        headers: { 'content-type': 'application/merge-patch+json' },
      })
    ).status;
  assert.deepEqual([await scaleTo(4), await scaleTo(7)], [200, 422]);
});

test('defaults make no object larger than a client could send it', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const withDefaults = (count: number) => ({
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          list: {
            type: 'array',
            items: {
              type: 'object',
              properties: Object.fromEntries(
                Array.from({ length: count }, (_, at) => [`f${at}`, { type: 'string', default: 'x'.repeat(1_000) }]),
              ),
            },
          },
        },
      },
    },
  });
  const versionOf = (count: number) => ({
    ...VERSION,
    selectableFields: [],
    schema: { openAPIV3Schema: withDefaults(count) },
  });
  await establish(world, definition({ versions: [versionOf(10)] }));
  const create = (name: string, items: number) =>
    call('POST', WIDGETS, { body: widget(name, { list: Array.from({ length: items }, () => ({})) }) });
  const small = await create('small', 200);
  assert.deepEqual([small.status, small.json.spec?.list[199].f9.length], [201, 1_000]);
  const large = await create('large', 9_000);
  assert.equal(large.status, 413, large.text.slice(0, 300));
  assert.match(large.json.message, /more than 3145728 characters/);
  // Objects that are stored get the defaults of a later definition: they are shown as far as they may be that large.
  const changed = await call('PATCH', `${DEFINITIONS}/widgets.stock.example`, {
    body: { spec: { versions: [versionOf(100)] } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(changed.status, 200, changed.text.slice(0, 300));
  const shown = await until(
    async () => {
      const answer = await call('GET', `${WIDGETS}/small`);
      return answer.json.spec.list[0].f99 === undefined ? undefined : answer;
    },
    () => 'the new defaults',
    5,
  );
  assert.ok(shown.text.length < 2 * 3_145_728, String(shown.text.length));
  assert.equal((await call('DELETE', `${WIDGETS}/small`)).status, 200);
});

test('a hostile pattern or list holds up nobody', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const text = { type: 'string', pattern: '^(a+)+$' };
  const properties = { text, many: { type: 'array', items: { type: 'string', pattern: '^(a?){900}$' } } };
  const schema = { type: 'object', properties: { spec: { type: 'object', properties } } };
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } };
  await establish(world, definition({ versions: [version] }));
  const slow = await call('POST', WIDGETS, { body: widget('a', { text: `${'a'.repeat(50_000)}!` }) });
  assert.equal(slow.status, 422, 'a pattern of JavaScript would take for ever');
  const many = await call('POST', WIDGETS, {
    body: widget('b', { many: Array.from({ length: 9_000 }, () => 'aaaa') }),
  });
  assert.equal(many.status, 422);
  assert.match(many.json.message, /cannot be held against its pattern: the object has too much text for that/);
});

test('alternatives multiply with the items of a list up to a limit', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const list = { type: 'array', items: { type: 'object', properties: { x: { type: 'string' } } } };
  const anyOf = Array.from({ length: 2_000 }, (_, at) => ({
    properties: { list: { items: { properties: { x: { minLength: 10 + at } } } } },
  }));
  const spec = { type: 'object', properties: { list }, anyOf };
  const schema = { type: 'object', properties: { spec } };
  await establish(
    world,
    definition({ versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }] }),
  );
  const create = (count: number) =>
    call('POST', WIDGETS, { body: widget('a', { list: Array.from({ length: count }, () => ({ x: 'a' })) }) });
  assert.match((await create(2)).json.message, /must validate at least one schema \(anyOf\)/);
  const before = process.cpuUsage();
  const large = await create(9_000);
  const { user, system } = process.cpuUsage(before);
  assert.equal(large.status, 422);
  assert.match(large.json.message, /it takes more than 300000 steps to hold it against its schema/);
  assert.ok((user + system) / 1_000 < 5_000, 'it took 20 s');
});

test('old problems that are let be hide no new one', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const versionOf = (text: object) => ({
    name: 'v1',
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', properties: { list: { type: 'array', items: text }, one: text } },
        },
      },
    },
  });
  await establish(world, definition({ versions: [versionOf({ type: 'string' })] }));
  const list = Array.from({ length: 60 }, () => 'too long');
  assert.equal((await call('POST', WIDGETS, { body: widget('a', { list, one: 'ok' }) })).status, 201);
  const patch = (path: string, body: unknown, type = 'merge-patch+json') =>
    call('PATCH', path, { body, headers: { 'content-type': `application/${type}` } });
  const changed = await patch(`${DEFINITIONS}/widgets.stock.example`, {
    spec: { versions: [versionOf({ type: 'string', maxLength: 5 })] },
  });
  assert.equal(changed.status, 200, changed.text);
  await until(
    async () => ((await patch(`${WIDGETS}/a`, { spec: { one: 'too long' } })).status === 422 ? true : undefined),
    () => 'the new value to be refused',
    5,
  );
  assert.equal((await patch(`${WIDGETS}/a`, { spec: { one: 'fine' } })).status, 200);
  const copied = await patch(
    `${WIDGETS}/a`,
    [{ op: 'copy', from: '/spec/list/0', path: '/spec/one' }],
    'json-patch+json',
  );
  assert.equal(copied.status, 422, copied.text);
});

test('the managers of an object weigh nothing: who reads it can write it back', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const items = { type: 'object', required: ['a'], properties: { a: { type: 'string' }, b: { type: 'string' } } };
  const list = { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['a'], items };
  const spec = { type: 'object', properties: { list, color: { type: 'string' } } };
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
  await establish(world, definition({ versions: [{ name: 'v1', served: true, storage: true, schema }] }));
  const apply = (manager: string, fields: object) =>
    call('PATCH', `${WIDGETS}/a?fieldManager=${manager}`, {
      body: widget('a', fields),
      headers: { 'content-type': 'application/apply-patch+yaml' },
    });
  const many = { list: Array.from({ length: 6_000 }, (_, at) => ({ a: `k${at}`, b: 'x' })) };
  assert.equal((await apply('one', many)).status, 201);
  assert.equal((await apply('two', many)).status, 200);
  const applied = await apply('three', { color: 'red' });
  assert.equal(applied.status, 200, applied.text.slice(0, 300));
  const read = (await call('GET', `${WIDGETS}/a`)).json;
  const written = await call('PUT', `${WIDGETS}/a`, { body: { ...read, spec: { ...read.spec, color: 'blue' } } });
  assert.equal(written.status, 200, written.text.slice(0, 300));
  assert.equal(written.json.metadata.managedFields.length, 3);
  const statuses: number[] = [];
  for (let at = 0; at < 8; at += 1) statuses.push((await apply(`more-${at}`, many)).status);
  assert.equal(statuses.at(-1), 413, 'each applier adds all its fields: there is an end to it');
});

test('a definition that was written before a crash is established after it', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const made = await call('POST', DEFINITIONS, { body: definition() });
  assert.equal(made.status, 201);
  await world.restart();
  await untilCondition(world, 'widgets.stock.example', 'Established', 'True');
  assert.equal((await call('GET', WIDGETS)).status, 200);
});

test('of definitions that come at once with the same names one gets them', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const names = ['widgets', 'gadgets', 'gizmos', 'gears'];
  const made = await Promise.all(
    names.map((plural) => {
      const body = definition({ names: { plural, kind: 'Widget', shortNames: ['wd'] } }, `${plural}.stock.example`);
      return call('POST', DEFINITIONS, { body });
    }),
  );
  assert.ok(made.every(({ status }) => status === 201));
  const established = await until(
    async () => {
      const { items } = (await call('GET', DEFINITIONS)).json;
      const decided = items.map(({ status }: { status?: { conditions?: { type: string; status: string }[] } }) =>
        status?.conditions?.find(({ type }) => type === 'Established'),
      );
      return decided.includes(undefined) ? undefined : decided.map((one: { status: string }) => one.status);
    },
    () => 'all to be decided',
    10,
  );
  assert.deepEqual(established.toSorted(), ['False', 'False', 'False', 'True']);
});

test('a heavy definition is checked in a thread: what is right is served, and what is wrong is named', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const fields = (count: number, pattern: (index: number) => string) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`f${index}`, { type: 'string', pattern: pattern(index) }]),
    );
  const heavy = (properties: object) => {
    const openAPIV3Schema = { type: 'object', properties: { spec: { type: 'object', properties } } };
    return {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'heavies.stock.example' },
      spec: {
        group: 'stock.example',
        names: { plural: 'heavies', kind: 'Heavy' },
        scope: 'Namespaced',
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
      },
    };
  };
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const few = (index: number) => `^a${index % 100}$`;
  const refused = await call('POST', path, {
    body: heavy({ ...fields(300, few), bad: { type: 'string', pattern: '(' } }),
  });
  assert.equal(refused.status, 422, refused.text);
  assert.match(
    refused.json.message,
    /spec\.versions\[0\]\.schema\.openAPIV3Schema\.properties\.spec\.properties\.bad\.pattern/,
  );
  const many = await call('POST', path, { body: heavy(fields(300, (index) => `^a${index}$`)) });
  assert.match(many.json.message, /a version has at most 256 different patterns/);
  const set = await call('POST', '/apis/releases.backline.dev/v1/changesets', {
    body: {
      apiVersion: 'releases.backline.dev/v1',
      kind: 'ChangeSet',
      metadata: {},
      spec: { objects: [heavy(fields(300, few))] },
    },
  });
  assert.equal(set.status, 201, set.text);
  const again = await call('PATCH', `${path}/heavies.stock.example`, {
    body: { metadata: { labels: { team: 'a' } } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(again.status, 200, again.text);
});
