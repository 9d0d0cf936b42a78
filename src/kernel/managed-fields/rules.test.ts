import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSchema } from '#kernel/kinds/schema/schema-node.ts';
import { fieldsOf, parseFieldsV1, pathText } from './field-set.ts';
import { fieldTypeOf } from './schema-field-type.ts';
import { applyObject, updateManagers, type Managers, type Versions } from './transitions.ts';

const text = { type: 'string' };
const SCHEMA = {
  type: 'object',
  properties: {
    replicas: { type: 'integer' },
    image: text,
    labels: { type: 'object', additionalProperties: text },
    selector: { type: 'object', additionalProperties: text, 'x-kubernetes-map-type': 'atomic' },
    args: { type: 'array', items: text },
    finalizers: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
    ports: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['port', 'protocol'],
      items: {
        type: 'object',
        properties: { port: { type: 'integer' }, protocol: { ...text, default: 'TCP' }, name: text, note: text },
      },
    },
    template: { type: 'object', properties: { image: text, command: text } },
    free: { 'x-kubernetes-preserve-unknown-fields': true },
    size: { 'x-kubernetes-int-or-string': true },
  },
};

const TYPE = fieldTypeOf(readSchema(SCHEMA));
const VERSIONS: Versions = { typeOf: (version) => (version === 'v1' ? TYPE : undefined), convert: (object) => object };

type Step = readonly ['apply' | 'force' | 'update', string, object];

interface Rule {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly live: object;
  /** The fields of each manager at the end. */
  readonly owners: Readonly<Record<string, readonly string[]>>;
  /** Of the last step, which is then refused. */
  readonly conflicts?: readonly string[];
}

const RULES: readonly Rule[] = [
  {
    name: 'two managers that apply the same value share it',
    steps: [
      ['apply', 'a', { replicas: 1 }],
      ['apply', 'b', { replicas: 1 }],
    ],
    live: { replicas: 1 },
    owners: { a: ['.replicas'], b: ['.replicas'] },
  },
  {
    name: 'another value is a conflict with each owner',
    steps: [
      ['apply', 'a', { replicas: 1 }],
      ['update', 'u', { replicas: 2 }],
      ['apply', 'b', { replicas: 3 }],
    ],
    live: { replicas: 2 },
    owners: { u: ['.replicas'] },
    conflicts: ['u .replicas'],
  },
  {
    name: 'force takes only what changes',
    steps: [
      ['apply', 'a', { replicas: 1, image: 'x' }],
      ['force', 'b', { replicas: 2, image: 'x' }],
    ],
    live: { replicas: 2, image: 'x' },
    owners: { a: ['.image'], b: ['.image', '.replicas'] },
  },
  {
    name: 'an owner of a shared field may change it only by force',
    steps: [
      ['apply', 'a', { replicas: 1 }],
      ['apply', 'b', { replicas: 1 }],
      ['apply', 'a', { replicas: 2 }],
    ],
    live: { replicas: 1 },
    owners: { a: ['.replicas'], b: ['.replicas'] },
    conflicts: ['b .replicas'],
  },
  {
    name: 'a field that its only applier drops is removed',
    steps: [
      ['apply', 'a', { replicas: 1, image: 'x' }],
      ['apply', 'a', { image: 'x' }],
    ],
    live: { image: 'x' },
    owners: { a: ['.image'] },
  },
  {
    name: 'a field that one of two appliers drops stays',
    steps: [
      ['apply', 'a', { replicas: 1 }],
      ['apply', 'b', { replicas: 1 }],
      ['apply', 'a', {}],
    ],
    live: { replicas: 1 },
    owners: { b: ['.replicas'] },
  },
  {
    name: 'a field that an updater took from its applier stays when the applier drops it',
    steps: [
      ['apply', 'a', { replicas: 1 }],
      ['update', 'u', { replicas: 2 }],
      ['apply', 'a', {}],
    ],
    live: { replicas: 2 },
    owners: { u: ['.replicas'] },
  },
  {
    name: 'a field that an updater removes is nobody’s',
    steps: [
      ['apply', 'a', { replicas: 1, image: 'x' }],
      ['update', 'u', { image: 'x' }],
    ],
    live: { image: 'x' },
    owners: { a: ['.image'] },
  },
  {
    name: 'an updater owns the structs that it makes',
    steps: [['update', 'u', { template: { image: 'x' } }]],
    live: { template: { image: 'x' } },
    owners: { u: ['.template', '.template.image'] },
  },
  {
    name: 'an applier owns only the leaves of structs',
    steps: [['apply', 'a', { template: { image: 'x' } }]],
    live: { template: { image: 'x' } },
    owners: { a: ['.template.image'] },
  },
  {
    name: 'a struct goes with its last owned field',
    steps: [
      ['apply', 'a', { template: { image: 'x' } }],
      ['apply', 'a', {}],
    ],
    live: {},
    owners: {},
  },
  {
    name: 'a struct keeps the fields of others',
    steps: [
      ['apply', 'a', { template: { image: 'x' } }],
      ['apply', 'b', { template: { command: 'y' } }],
      ['apply', 'a', {}],
    ],
    live: { template: { command: 'y' } },
    owners: { b: ['.template.command'] },
  },
  {
    name: 'entries of maps have owners of their own',
    steps: [
      ['apply', 'a', { labels: { x: '1' } }],
      ['apply', 'b', { labels: { y: '2' } }],
      ['apply', 'a', { labels: {} }],
    ],
    live: { labels: { y: '2' } },
    owners: { a: ['.labels'], b: ['.labels.y'] },
  },
  {
    name: 'an atomic map has one owner',
    steps: [
      ['apply', 'a', { selector: { x: '1' } }],
      ['apply', 'b', { selector: { x: '1', y: '2' } }],
    ],
    live: { selector: { x: '1' } },
    owners: { a: ['.selector'] },
    conflicts: ['a .selector'],
  },
  {
    name: 'an atomic list is replaced as a whole',
    steps: [
      ['apply', 'a', { args: ['x', 'y'] }],
      ['force', 'b', { args: ['z'] }],
    ],
    live: { args: ['z'] },
    owners: { b: ['.args'] },
  },
  {
    name: 'the order of an atomic list is a difference',
    steps: [
      ['apply', 'a', { args: ['x', 'y'] }],
      ['apply', 'b', { args: ['y', 'x'] }],
    ],
    live: { args: ['x', 'y'] },
    owners: { a: ['.args'] },
    conflicts: ['a .args'],
  },
  {
    name: 'the order of a set is no difference',
    steps: [
      ['apply', 'a', { finalizers: ['x', 'y'] }],
      ['apply', 'b', { finalizers: ['y', 'x'] }],
    ],
    live: { finalizers: ['x', 'y'] },
    owners: { a: ['.finalizers[="x"]', '.finalizers[="y"]'], b: ['.finalizers[="x"]', '.finalizers[="y"]'] },
  },
  {
    name: 'items of a set come and go with their appliers',
    steps: [
      ['apply', 'a', { finalizers: ['x', 'y'] }],
      ['apply', 'b', { finalizers: ['y', 'z'] }],
      ['apply', 'a', { finalizers: ['x'] }],
      ['apply', 'b', { finalizers: ['z'] }],
    ],
    live: { finalizers: ['x', 'z'] },
    owners: { a: ['.finalizers[="x"]'], b: ['.finalizers[="z"]'] },
  },
  {
    name: 'an applied empty list stays, without the items that it had',
    steps: [
      ['apply', 'a', { finalizers: ['x'] }],
      ['apply', 'a', { finalizers: [] }],
    ],
    live: { finalizers: [] },
    owners: { a: ['.finalizers'] },
  },
  {
    name: 'an item is found by its keys, and a key may have a default',
    steps: [
      ['apply', 'a', { ports: [{ port: 80, name: 'web' }] }],
      ['apply', 'b', { ports: [{ port: 80, protocol: 'TCP', name: 'x' }] }],
    ],
    live: { ports: [{ port: 80, name: 'web' }] },
    owners: {
      a: [
        '.ports[port=80,protocol="TCP"]',
        '.ports[port=80,protocol="TCP"].name',
        '.ports[port=80,protocol="TCP"].port',
      ],
    },
    conflicts: ['a .ports[port=80,protocol="TCP"].name'],
  },
  {
    name: 'items with other keys are added in the order in which they are applied',
    steps: [
      ['apply', 'a', { ports: [{ port: 80 }, { port: 82 }] }],
      ['apply', 'b', { ports: [{ port: 83 }] }],
      ['apply', 'a', { ports: [{ port: 80 }, { port: 81 }, { port: 82 }] }],
    ],
    live: { ports: [{ port: 80 }, { port: 81 }, { port: 82 }, { port: 83 }] },
    owners: {
      a: [80, 81, 82].flatMap((port) => [
        `.ports[port=${port},protocol="TCP"]`,
        `.ports[port=${port},protocol="TCP"].port`,
      ]),
      b: ['.ports[port=83,protocol="TCP"]', '.ports[port=83,protocol="TCP"].port'],
    },
  },
  {
    name: 'an applied item takes the place of all that have its keys',
    steps: [
      ['update', 'u', { ports: [{ port: 80, name: 'x' }, { port: 81 }, { port: 80, name: 'y' }] }],
      ['force', 'a', { ports: [{ port: 80, name: 'z' }] }],
    ],
    live: { ports: [{ port: 80, name: 'z' }, { port: 81 }] },
    owners: {
      a: [
        '.ports[port=80,protocol="TCP"]',
        '.ports[port=80,protocol="TCP"].name',
        '.ports[port=80,protocol="TCP"].port',
      ],
      u: ['.ports', '.ports[port=81,protocol="TCP"]', '.ports[port=81,protocol="TCP"].port'],
    },
  },
  {
    name: 'managers own fields of one item',
    steps: [
      ['apply', 'a', { ports: [{ port: 80, name: 'web' }] }],
      ['apply', 'b', { ports: [{ port: 80, note: 'x' }] }],
      ['apply', 'a', { ports: [{ port: 80 }] }],
    ],
    live: { ports: [{ port: 80, note: 'x' }] },
    owners: {
      a: ['.ports[port=80,protocol="TCP"]', '.ports[port=80,protocol="TCP"].port'],
      b: [
        '.ports[port=80,protocol="TCP"]',
        '.ports[port=80,protocol="TCP"].note',
        '.ports[port=80,protocol="TCP"].port',
      ],
    },
  },
  {
    name: 'an item goes with its last owner, and with all that it has',
    steps: [
      ['apply', 'a', { ports: [{ port: 80 }, { port: 81 }] }],
      ['update', 'u', { ports: [{ port: 80, note: 'x' }, { port: 81 }] }],
      ['apply', 'a', { ports: [{ port: 81 }] }],
    ],
    live: { ports: [{ port: 81 }] },
    owners: { a: ['.ports[port=81,protocol="TCP"]', '.ports[port=81,protocol="TCP"].port'] },
  },
  {
    name: 'a null is a field, and what it takes the place of is nobody’s',
    steps: [
      ['apply', 'a', { template: { image: 'x' } }],
      ['update', 'u', { template: null }],
      ['apply', 'a', {}],
      ['apply', 'b', { template: null }],
    ],
    live: { template: null },
    owners: { b: ['.template'] },
  },
  {
    name: 'an entry that others own keeps its place when all that it had goes',
    steps: [
      ['apply', 'a', { free: { x: { y: 1 } } }],
      ['apply', 'b', { free: { x: {} } }],
      ['apply', 'a', {}],
    ],
    live: { free: { x: null } },
    owners: { b: ['.free.x'] },
  },
  {
    name: 'a list that loses its last item goes with its owner',
    steps: [
      ['apply', 'a', { ports: [{ port: 80 }], labels: { x: '1' } }],
      ['apply', 'a', { labels: {} }],
    ],
    live: { labels: {} },
    owners: { a: ['.labels'] },
  },
  {
    name: 'items that nobody applies stay, though their keys repeat',
    steps: [
      [
        'update',
        'u',
        {
          ports: [
            { port: 80, name: 'x' },
            { port: 80, name: 'y' },
          ],
        },
      ],
      ['apply', 'a', { replicas: 1 }],
    ],
    live: {
      ports: [
        { port: 80, name: 'x' },
        { port: 80, name: 'y' },
      ],
      replicas: 1,
    },
    owners: { a: ['.replicas'], u: ['.ports', '.ports[port=80,protocol="TCP"]'] },
  },
  {
    name: 'values without a schema: maps have parts, lists are atomic',
    steps: [
      ['apply', 'a', { free: { x: { y: 1 }, list: [1] } }],
      ['apply', 'b', { free: { x: { z: 2 } } }],
      ['apply', 'c', { free: { list: [2] } }],
    ],
    live: { free: { x: { y: 1, z: 2 }, list: [1] } },
    owners: { a: ['.free.list', '.free.x', '.free.x.y'], b: ['.free.x', '.free.x.z'] },
    conflicts: ['a .free.list'],
  },
  {
    name: 'a map that becomes a scalar takes the fields below with it',
    steps: [
      ['apply', 'a', { free: { x: { y: 1 } } }],
      ['force', 'b', { free: { x: 1 } }],
    ],
    live: { free: { x: 1 } },
    owners: { b: ['.free.x'] },
  },
  {
    name: 'a number and its text are two values of one leaf',
    steps: [
      ['apply', 'a', { size: 1 }],
      ['apply', 'b', { size: '1' }],
    ],
    live: { size: 1 },
    owners: { a: ['.size'] },
    conflicts: ['a .size'],
  },
];

for (const { name, steps, live, owners, conflicts } of RULES) {
  test(name, () => {
    let state: { readonly object: unknown; readonly managers: Managers } = { object: {}, managers: new Map() };
    let refused: string[] | undefined;
    for (const [step, manager, object] of steps) {
      const write = { live: state.object, object, version: 'v1', manager, managers: state.managers };
      if (step === 'update') {
        state = { object, managers: updateManagers(write, VERSIONS).managers };
        continue;
      }
      const result = applyObject(write, step === 'force', VERSIONS);
      if ('object' in result) state = result;
      else {
        refused = result.conflicts.flatMap((conflict) =>
          [...fieldsOf(conflict.fields)].map((path) => `${conflict.manager} ${pathText(path)}`),
        );
      }
    }
    assert.deepEqual(state.object, live);
    const owned = [...state.managers].map(([id, { fields }]) => [id, [...fieldsOf(fields)].map(pathText)]);
    assert.deepEqual(Object.fromEntries(owned), owners);
    assert.deepEqual(refused, conflicts);
  });
}

test('fields below what has become atomic are the atomic field', () => {
  const managers: Managers = new Map([
    ['a', { version: 'v1', isApplier: true, fields: parseFieldsV1({ 'f:selector': { 'f:x': {} }, 'f:image': {} }) }],
  ]);
  const write = {
    live: { selector: { x: '1' }, image: 'x' },
    object: { selector: { y: '2' } },
    version: 'v1',
    manager: 'b',
  };
  const refused = applyObject({ ...write, managers }, false, VERSIONS);
  assert.ok('conflicts' in refused);
  assert.deepEqual(
    refused.conflicts.map(({ fields }) => [...fieldsOf(fields)].map(pathText)),
    [['.selector']],
  );
  const forced = applyObject({ ...write, managers }, true, VERSIONS);
  assert.ok('object' in forced);
  assert.deepEqual([...fieldsOf(forced.managers.get('a')?.fields ?? parseFieldsV1({}))].map(pathText), ['.image']);
});

test('managers of versions that are no longer served are dropped, and what they applied stays', () => {
  const fields = parseFieldsV1({ 'f:replicas': {}, 'f:image': {} });
  const managers: Managers = new Map([
    ['a', { version: 'v0', isApplier: true, fields }],
    ['b', { version: 'v0', isApplier: false, fields }],
  ]);
  const write = { live: { replicas: 1, image: 'x' }, object: { image: 'y' }, version: 'v1', manager: 'a', managers };
  const result = applyObject(write, false, VERSIONS);
  assert.ok('object' in result);
  assert.deepEqual(result.object, { replicas: 1, image: 'y' });
  assert.deepEqual([...result.managers.keys()], ['a']);
});
