import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { applyPatch as applyWithLibrary, createPatch } from 'rfc6902';
import { Refusal } from '#kernel/base/failures.ts';
import { defineKind } from '../define-kind.ts';
import { applyPatch, patchTypeOf, type PatchType } from './patch.ts';

function refusal(type: PatchType, object: unknown, patch: unknown): string {
  try {
    applyPatch(type, structuredClone(object), patch);
  } catch (error) {
    if (error instanceof Refusal) return `${error.status} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

/** The test cases in the appendix of RFC 7386. */
const MERGES: readonly [target: unknown, patch: unknown, result: unknown][] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

for (const [target, patch, result] of MERGES) {
  test(`merge patch, RFC 7386: ${JSON.stringify(target)} + ${JSON.stringify(patch)}`, () => {
    const before = structuredClone(target);
    assert.deepEqual(applyPatch('merge', target, patch), result);
    assert.deepEqual(target, before);
  });
}

/** The examples in the appendix of RFC 6902, and traps. */
const JSON_PATCHES: readonly [object: unknown, patch: unknown, result: unknown][] = [
  [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
  [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
  [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
  [{ foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
  [{ baz: 'qux' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo' }],
  [{ foo: ['a', 'b'] }, [{ op: 'replace', path: '/foo/1', value: 'c' }], { foo: ['a', 'c'] }],
  [
    { foo: { bar: 'baz', waldo: 'fred' }, qux: {} },
    [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
    { foo: { bar: 'baz' }, qux: { thud: 'fred' } },
  ],
  [
    { foo: ['all', 'grass', 'cows', 'eat'] },
    [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
    { foo: ['all', 'cows', 'eat', 'grass'] },
  ],
  [
    { baz: 'qux', foo: ['a', 2] },
    [
      { op: 'test', path: '/baz', value: 'qux' },
      { op: 'test', path: '/foo/1', value: 2 },
    ],
    { baz: 'qux', foo: ['a', 2] },
  ],
  [
    { foo: 'bar' },
    [{ op: 'add', path: '/child', value: { grandchild: {} } }],
    { foo: 'bar', child: { grandchild: {} } },
  ],
  [{ '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
  [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }], { foo: ['bar', ['abc', 'def']] }],
  [
    { a: { b: 1 } },
    [
      { op: 'copy', from: '/a', path: '/c' },
      { op: 'replace', path: '/c/b', value: 2 },
    ],
    { a: { b: 1 }, c: { b: 2 } },
  ],
  [{ a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
  [{ '': { '': 1 } }, [{ op: 'test', path: '/', value: { '': 1 } }], { '': { '': 1 } }],
  [
    { a: null },
    [
      { op: 'test', path: '/a', value: null },
      { op: 'remove', path: '/a' },
    ],
    {},
  ],
  [{ a: { x: 1, y: 2 } }, [{ op: 'test', path: '/a', value: { y: 2, x: 1 } }], { a: { x: 1, y: 2 } }],
  [
    { data: {} },
    [
      { op: 'add', path: '/data/constructor', value: 'a' },
      { op: 'test', path: '/data/constructor', value: 'a' },
    ],
    { data: { constructor: 'a' } },
  ],
  [{ a: 1 }, [{ op: 'move', from: '/a', path: '/a' }], { a: 1 }],
];

for (const [object, patch, result] of JSON_PATCHES) {
  test(`JSON patch, RFC 6902: ${JSON.stringify(patch)}`, () => {
    const before = structuredClone(patch);
    assert.deepEqual(applyPatch('json', structuredClone(object), patch), result);
    assert.deepEqual(patch, before);
  });
}

const FAILURES: readonly [patch: unknown, message: RegExp][] = [
  [[{ op: 'test', path: '/a', value: 2 }], /^422 operation 1 of the patch \(test \/a\) failed: expected 2, found 1$/],
  [
    [
      { op: 'add', path: '/b', value: 1 },
      { op: 'remove', path: '/x~1y' },
    ],
    /^422 operation 2 of the patch \(remove \/x~1y\) failed: there is nothing at \/x~1y$/,
  ],
  [[{ op: 'replace', path: '/x', value: 1 }], /failed: there is nothing at \/x$/],
  [[{ op: 'add', path: '/x/y', value: 1 }], /failed: there is nothing at \/x$/],
  [[{ op: 'add', path: '/a/b', value: 1 }], /failed: \/a is neither an object nor a list$/],
  [[{ op: 'add', path: '/l/3', value: 1 }], /failed: the list has no index 3$/],
  [[{ op: 'add', path: '/l/01', value: 1 }], /failed: "01" is not an index of a list$/],
  [[{ op: 'remove', path: '/l/-' }], /failed: there is nothing at \/l\/-$/],
  [[{ op: 'replace', path: '/l/2', value: 1 }], /failed: the list has no index 2$/],
  [[{ op: 'test', path: '/constructor', value: 1 }], /failed: there is nothing at \/constructor$/],
  [[{ op: 'add', path: '/__proto__/polluted', value: 1 }], /failed: there is nothing at \/__proto__$/],
  [[{ op: 'move', from: '/o', path: '/o/p' }], /failed: a value cannot be moved into itself$/],
  [[{ op: 'remove', path: '' }], /failed: the whole document cannot be removed$/],
  [{}, /^400 The patch is malformed: it must be a list of operations\.$/],
  [['x'], /^400 .* operation 1 is not an object\.$/],
  [[{ op: 'add', path: '/a' }], /^400 .* operation 1 \(add\) needs a value\.$/],
  [[{ op: 'add', path: 'a', value: 1 }], /^400 .* operation 1 needs a path/],
  [[{ op: 'add', path: '/~2', value: 1 }], /^400 .* operation 1 needs a path/],
  [[{ op: 'move', path: '/a' }], /^400 .* operation 1 \(move\) needs from/],
  [[{ op: 'spin', path: '/a' }], /^400 .* operation 1 must have an op/],
  [Array.from({ length: 2_001 }, () => ({ op: 'test', path: '/a', value: 1 })), /^413 .* 2000, got 2001\.$/],
  [
    Array.from({ length: 60 }, (_, index) => ({ op: 'copy', from: '', path: `/c${index}` })),
    /moves, copies and compares more than 20000 values; send it in several parts$/,
  ],
  [
    Array.from({ length: 300 }, (_, index) => ({ op: 'add', path: '/d'.repeat(index + 1), value: {} })),
    /^400 (The body is nested deeper|The patch is malformed: operation 201)/,
  ],
];

for (const [patch, message] of FAILURES) {
  test(`a JSON patch that fails names the operation and the reason: ${String(message)}`, () => {
    assert.match(refusal('json', { a: 1, l: [1, 2], o: {} }, patch), message);
    assert.equal(Reflect.get({}, 'polluted'), undefined);
  });
}

const json = fc.jsonValue({ maxDepth: 4, stringUnit: fc.constantFrom('a', 'b', '/', '~', '0', '1') });

test('the difference of two documents, applied to the one, gives the other', () => {
  fc.assert(
    fc.property(json, json, (from, to) => {
      const [before, after]: unknown[] = [JSON.parse(JSON.stringify(from)), JSON.parse(JSON.stringify(to))];
      assert.deepEqual(applyPatch('json', structuredClone(before), createPatch(before, after)), after);
    }),
  );
});

test('every accepted patch gives the result of the reference library', () => {
  const pointer = fc
    .array(fc.constantFrom('a', 'b', '0', '1', '-'), { maxLength: 3 })
    .map((tokens) => tokens.map((token) => `/${token}`).join(''));
  const operation = fc.oneof(
    fc.record({
      op: fc.constantFrom('add' as const, 'replace' as const, 'test' as const),
      path: pointer,
      value: fc.constantFrom<unknown>(1, 'x', {}, [1], null),
    }),
    fc.record({ op: fc.constant('remove' as const), path: pointer }),
    fc.record({ op: fc.constant('copy' as const), path: pointer, from: pointer }),
  );
  const document = fc.constantFrom({ a: [1, { b: 2 }], b: { a: {} } }, { a: { a: 1 }, b: 5 });
  fc.assert(
    fc.property(document, operation, (object, patch) => {
      // The library is laxer: it sets fields of lists and finds characters in text. So only one direction is compared.
      if (refusal('json', object, [patch]) !== 'accepted') return;
      // It changes only what is below the document that it is given.
      const holder = { document: structuredClone<unknown>(object) };
      const below = (path: string): string => `/document${path}`;
      const moved = { ...patch, path: below(patch.path), ...('from' in patch ? { from: below(patch.from) } : {}) };
      const [failure] = applyWithLibrary(holder, [structuredClone(moved)]);
      assert.equal(failure, null);
      assert.deepEqual(applyPatch('json', structuredClone(object), [patch]), holder.document);
    }),
    { numRuns: 500 },
  );
});

const OWNER_A = { uid: 'a', name: 'a' };
const OWNER_B = { uid: 'b', name: 'b' };

const STRATEGIC: readonly [name: string, target: object, patch: object, result: object][] = [
  [
    'maps merge and null removes',
    { data: { a: '1', b: '2' } },
    { data: { b: null, c: '3' } },
    { data: { a: '1', c: '3' } },
  ],
  ['null is not kept in what is new', {}, { data: { a: null, b: '1' } }, { data: { b: '1' } }],
  ['plain lists are replaced', { items: [1, 2] }, { items: [3] }, { items: [3] }],
  ['a map is replaced on demand', { data: { a: '1' } }, { data: { $patch: 'replace', b: '2' } }, { data: { b: '2' } }],
  ['a map is deleted on demand', { data: { a: '1' }, x: 1 }, { data: { $patch: 'delete' } }, { x: 1 }],
  [
    'only named keys are retained',
    { data: { a: '1', b: '2' } },
    { data: { $retainKeys: ['b', 'c'], c: '3' } },
    { data: { b: '2', c: '3' } },
  ],
  [
    'finalizers are a set',
    { metadata: { finalizers: ['a', 'b'] } },
    { metadata: { finalizers: ['b', 'c'] } },
    { metadata: { finalizers: ['a', 'b', 'c'] } },
  ],
  [
    'finalizers are removed',
    { metadata: { finalizers: ['a', 'b'] } },
    { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
    { metadata: { finalizers: ['b'] } },
  ],
  [
    'finalizers take the order of the patch',
    { metadata: { finalizers: ['a', 'b', 'c'] } },
    { metadata: { '$setElementOrder/finalizers': ['d', 'b', 'a'], finalizers: ['d'] } },
    { metadata: { finalizers: ['d', 'b', 'a', 'c'] } },
  ],
  [
    'owners merge by uid',
    { metadata: { ownerReferences: [OWNER_A, OWNER_B] } },
    { metadata: { ownerReferences: [{ uid: 'b', controller: true }, { uid: 'c' }] } },
    { metadata: { ownerReferences: [OWNER_A, { ...OWNER_B, controller: true }, { uid: 'c' }] } },
  ],
  [
    'an owner is removed',
    { metadata: { ownerReferences: [OWNER_A, OWNER_B] } },
    { metadata: { ownerReferences: [{ $patch: 'delete', uid: 'a' }] } },
    { metadata: { ownerReferences: [OWNER_B] } },
  ],
  [
    'all owners are replaced',
    { metadata: { ownerReferences: [OWNER_A] } },
    { metadata: { ownerReferences: [{ $patch: 'replace' }, OWNER_B] } },
    { metadata: { ownerReferences: [OWNER_B] } },
  ],
  [
    'owners take the order of the patch, others stay before what followed them',
    { metadata: { ownerReferences: [OWNER_A, OWNER_B] } },
    { metadata: { '$setElementOrder/ownerReferences': [{ uid: 'b' }] } },
    { metadata: { ownerReferences: [OWNER_A, OWNER_B] } },
  ],
];

for (const [name, target, patch, result] of STRATEGIC) {
  test(`strategic merge patch: ${name}`, () => {
    const before = structuredClone(target);
    assert.deepEqual(applyPatch('strategic', target, patch), result);
    assert.deepEqual(target, before);
  });
}

for (const [patch, message] of [
  [[], /it must be an object/],
  [{ data: { $patch: 'spin' } }, /\$patch must be merge, replace or delete, not "spin"/],
  [{ data: { $retainKeys: 1 } }, /\$retainKeys must be a list/],
  [{ metadata: { ownerReferences: [{ name: 'a' }] } }, /an item of metadata\.ownerReferences has no uid/],
  [{ metadata: { ownerReferences: ['a'] } }, /the items of metadata\.ownerReferences must be objects/],
] as const) {
  test(`a malformed strategic merge patch is refused: ${String(message)}`, () => {
    const text = refusal('strategic', {}, patch);
    assert.match(text, /^400 The patch is malformed: /);
    assert.match(text, message);
  });
}

test('patches that nest too deep are refused', () => {
  let deep: unknown = 1;
  for (let level = 0; level < 10_000; level++) deep = { a: deep };
  for (const type of ['merge', 'strategic'] as const)
    assert.match(refusal(type, {}, deep), /^400 The body is nested deeper/);
  assert.match(refusal('json', {}, [{ op: 'add', path: '/a', value: deep }]), /^400 The body is nested deeper/);
});

test('the content type selects the form of a patch; the refusal of an unknown one lists those accepted', () => {
  const common = { version: 'v1', description: '', scope: 'Namespaced' } as const;
  const ConfigMap = defineKind({ ...common, group: '', kind: 'ConfigMap', plural: 'configmaps' });
  const Plan = defineKind({ ...common, group: 'products.backline.dev', kind: 'Plan', plural: 'plans' });
  assert.equal(patchTypeOf('application/merge-patch+json; charset=utf-8', Plan), 'merge');
  assert.equal(patchTypeOf('application/json-patch+json', Plan), 'json');
  assert.equal(patchTypeOf('application/strategic-merge-patch+json', ConfigMap), 'strategic');
  for (const [type, kind, accepted] of [
    [
      'application/strategic-merge-patch+json',
      Plan,
      'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/apply-patch+cbor',
    ],
    [
      'application/json',
      ConfigMap,
      'application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml, application/apply-patch+cbor',
    ],
    [
      undefined,
      Plan,
      'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/apply-patch+cbor',
    ],
  ] as const) {
    assert.throws(
      () => patchTypeOf(type, kind),
      (error) => error instanceof Refusal && error.status === 415 && error.message.endsWith(`include: ${accepted}`),
    );
  }
});

test('the steps of one JSON patch are limited', () => {
  const data = Object.fromEntries(Array.from({ length: 8_000 }, (_, index) => [`k${index}`, 'v']));
  const text = 'x'.repeat(700_000);
  const list = Array.from({ length: 500_000 }, () => 0);
  const patches: Record<string, [object: unknown, operations: unknown[]]> = {
    moves: [
      { data },
      [
        { op: 'move', from: '/data', path: '/x' },
        { op: 'move', from: '/x', path: '/data' },
      ],
    ],
    tests: [{ data }, [{ op: 'test', path: '/data', value: data }]],
    'copies of a long text': [{ text }, [{ op: 'copy', from: '/text', path: '/c' }]],
    replaces: [{ data }, [{ op: 'replace', path: '/data', value: data }]],
    'insertions at the front': [{ list }, [{ op: 'add', path: '/list/0', value: 1 }]],
    'removals at the front': [{ list }, [{ op: 'remove', path: '/list/0' }]],
    'deep paths': [nest(190), [{ op: 'test', path: '/d'.repeat(190), value: {} }]],
  };
  for (const [name, [object, operations]] of Object.entries(patches)) {
    assert.equal(refusal('json', object, operations), 'accepted', name);
    // As many as a body of 3 MiB holds.
    const times = Math.min(2_000 / operations.length, (3 * 1024 * 1024) / JSON.stringify(operations).length);
    const repeated = Array.from({ length: Math.floor(times) }, () => operations).flat();
    assert.throws(() => applyPatch('json', object, repeated), /more than 20000 values/, name);
  }
});

test('a strategic merge patch orders and merges long lists in linear time', () => {
  const items = Array.from({ length: 300_000 }, (_, index) => index);
  const ordered = applyPatch('strategic', {}, { x: items, '$setElementOrder/x': items.toReversed() });
  assert.deepEqual(ordered, { x: items.toReversed() });
  const owners = items.map((uid) => ({ uid: String(uid) }));
  const named = applyPatch(
    'strategic',
    { metadata: { ownerReferences: owners } },
    { metadata: { ownerReferences: owners.map((owner) => ({ ...owner, name: 'n' })) } },
  );
  assert.deepEqual(named, { metadata: { ownerReferences: owners.map((owner) => ({ ...owner, name: 'n' })) } });
});

function nest(levels: number): object {
  let value = {};
  for (let level = 0; level < levels; level++) value = { d: value };
  return value;
}
