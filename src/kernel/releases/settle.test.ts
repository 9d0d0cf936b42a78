import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects, liveKey } from '#kernel/snapshots/live-objects.ts';
import { settle, type Candidate } from './settle.ts';
import { Node, Tenant, type NodeSpec } from './testing/node.ts';

const kinds = kindRegistry([Node, Tenant]);

function node(name: string, spec: NodeSpec): LiveObject {
  return { kind: Node.id, namespace: 'n', name, labels: {}, spec, revision: JSON.stringify(spec) };
}

function candidate(name: string, spec?: NodeSpec): Candidate {
  return { kind: Node.id, name, wanted: spec === undefined ? undefined : node(name, spec) };
}

const plain = (...needs: string[]): NodeSpec => ({ needs, value: 0, neighbourMax: 9 });

function heldNames(live: LiveObjects, candidates: Candidate[]): string[] {
  return [...settle(live, candidates, kinds).keys()].map((key) => key.split(' ')[1] ?? '').sort();
}

test('objects that need each other go live together, whatever their order', () => {
  const live = new LiveObjects(kinds);
  assert.deepEqual(
    heldNames(live, [candidate('a', plain('b')), candidate('b', plain('a', 'c')), candidate('c', plain())]),
    [],
  );
});

test('an object of the program itself is live: references to it resolve', () => {
  const known = kindRegistry([Node, Tenant], [node('own', plain())]);
  const live = new LiveObjects(known);
  assert.deepEqual([...settle(live, [candidate('a', plain('own'))], known).keys()], []);
  assert.deepEqual(heldNames(live, [candidate('a', plain('own'))]), ['a']);
});

test('an object with a dangling reference is held, with all that need it, and nothing else', () => {
  const live = new LiveObjects(kinds);
  const candidates = [candidate('a', plain('b')), candidate('b', plain('missing')), candidate('c', plain())];
  assert.deepEqual(heldNames(live, candidates), ['a', 'b']);
  const reasons = settle(live, candidates, kinds).get(liveKey(Node.id, 'b'));
  assert.deepEqual(reasons, [
    { path: ['spec', 'needs', 0], reason: 'FieldValueNotFound', detail: 'there is no live Node "missing"' },
  ]);
});

test('a deletion waits until nothing live needs the object any more', () => {
  const live = new LiveObjects(kinds, [node('a', plain('b')), node('b', plain())]);
  assert.match(
    settle(live, [candidate('b')], kinds).get(liveKey(Node.id, 'b'))?.[0]?.detail ?? '',
    /still needed by Node "a"/,
  );
  assert.deepEqual(heldNames(live, [candidate('b'), candidate('a', plain())]), []);
});

test('of two objects with one name, that is kept which is needed in its own namespace', () => {
  const tenant = (namespace: string, name: string, spec: NodeSpec): LiveObject => {
    return { ...node(`${namespace}/${name}`, spec), kind: Tenant.id, namespace };
  };
  const live = new LiveObjects(kinds, [
    ...['n1', 'n2'].map((namespace) => tenant(namespace, 'a', plain())),
    tenant('n1', 'b', plain('a')),
  ]);
  const gone = ['n2/a', 'n1/a'].map((name): Candidate => ({ kind: Tenant.id, name, wanted: undefined }));
  assert.deepEqual(heldNames(live, gone), ['n1/a']);
});

test('a change that would break what is live is held, and names what it would break', () => {
  const live = new LiveObjects(kinds, [node('a', plain('b')), node('b', plain())]);
  const held = settle(live, [candidate('b', { needs: [], value: 10, neighbourMax: 9 })], kinds);
  assert.match(held.get(liveKey(Node.id, 'b'))?.[0]?.detail ?? '', /would break Node "a": b is above 9/);
});

test('the reason of a hold names objects of its own namespace alone', () => {
  const elsewhere = { ...node('a', plain('b')), namespace: 'other' };
  const live = new LiveObjects(kinds, [elsewhere, node('b', plain())]);
  for (const [wanted, says] of [
    [undefined, 'it is still needed by a Node of another namespace'],
    [{ needs: [], value: 10, neighbourMax: 9 }, 'it would break a Node of another namespace'],
  ] as const) {
    const [problem] = settle(live, [candidate('b', wanted)], kinds).get(liveKey(Node.id, 'b')) ?? [];
    assert.equal(problem?.detail, says);
    assert.equal(JSON.stringify(problem).includes('"a'), false);
  }
});

const names = ['a', 'b', 'c', 'd', 'e'];
const shape = fc.record({
  needs: fc.uniqueArray(fc.constantFrom(...names, 'missing'), { maxLength: 2 }),
  value: fc.integer({ min: 0, max: 3 }),
  neighbourMax: fc.integer({ min: 0, max: 3 }),
});

/** The oracle: looks at every object of a world, with no index and no order. */
function isWhole(objects: ReadonlyMap<string, LiveObject>): boolean {
  return [...objects.values()].every((object) => {
    const { needs, neighbourMax } = object.spec as NodeSpec;
    return needs.every((name) => {
      const found = objects.get(name)?.spec as NodeSpec | undefined;
      return found !== undefined && found.value <= neighbourMax;
    });
  });
}

function after(before: ReadonlyMap<string, LiveObject>, changes: readonly Candidate[]): Map<string, LiveObject> {
  const result = new Map(before);
  for (const { name, wanted } of changes) {
    if (wanted === undefined) result.delete(name);
    else result.set(name, wanted);
  }
  return result;
}

test('the world stays whole, all goes live that can together, and no held object could have gone live alone', () => {
  const world = fc.dictionary(fc.constantFrom(...names), shape);
  const changes = fc.dictionary(fc.constantFrom(...names), fc.option(shape, { nil: undefined }));
  fc.assert(
    fc.property(world, changes, (start, wanted) => {
      // Only whole worlds are ever live: build one by settling the start against nothing.
      const first = Object.entries(start).map(([name, spec]) => candidate(name, spec));
      const heldFirst = settle(new LiveObjects(kinds), first, kinds);
      const begin = after(
        new Map(),
        first.filter(({ name }) => !heldFirst.has(liveKey(Node.id, name))),
      );
      assert.ok(isWhole(begin));

      const live = new LiveObjects(kinds, begin.values());
      const candidates = Object.entries(wanted).map(([name, spec]) => candidate(name, spec));
      const held = settle(live, candidates, kinds);
      const isHeld = ({ name }: Candidate) => held.has(liveKey(Node.id, name));
      const end = after(
        begin,
        candidates.filter((one) => !isHeld(one)),
      );
      assert.ok(isWhole(end));
      if (isWhole(after(begin, candidates))) assert.equal(held.size, 0);
      for (const one of candidates.filter(isHeld))
        assert.ok(!isWhole(after(end, [one])), `${one.name} could have gone live`);
      for (const reasons of held.values()) assert.ok(reasons.length > 0);
    }),
    { numRuns: 2_000 },
  );
});
