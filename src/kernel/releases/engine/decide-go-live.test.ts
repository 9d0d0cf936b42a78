import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects, liveKey } from '#kernel/snapshots/live-objects.ts';
import { problemsIn, type Candidate, type HoldCause, type HoldReasons } from '../settle.ts';
import { Node, type NodeSpec } from '../testing/node.ts';
import { decideGoLive, holdReasons, type HoldFacts } from './decide-go-live.ts';

const NOTHING: HoldFacts = { failed: undefined, pinned: undefined, stopped: undefined, inTheWay: [], byTarget: [] };
const FAILED: HoldReasons = [{ path: ['spec'], reason: 'FieldValueInvalid', detail: 'broken', cause: 'BackOff' }];

const HOLDS: readonly (readonly [title: string, facts: Partial<HoldFacts>, reason: RegExp, cause: HoldCause])[] = [
  ['the engine failed with it', { failed: FAILED, pinned: 'pinned', stopped: 'stopped' }, /^broken$/, 'BackOff'],
  [
    'a pin refuses it',
    { pinned: 'Node "a" is pinned', stopped: 'stopped', inTheWay: ['r'] },
    /^Node "a" is pinned$/,
    'Pinned',
  ],
  [
    'every release is stopped',
    { stopped: 'incident', inTheWay: ['r'] },
    /^Every release is stopped: incident$/,
    'Stopped',
  ],
  [
    'a release changes it',
    { inTheWay: ['r', 's'], byTarget: ['t'] },
    /^release r, s is in progress with it/,
    'WaitsForRelease',
  ],
  [
    'a release goes out target by target',
    { byTarget: ['t'] },
    /^release t is in progress .* target by target$/,
    'WaitsForRelease',
  ],
];

for (const [title, facts, reason, cause] of HOLDS) {
  test(`a change is held: ${title}`, () => {
    const [hold] = holdReasons({ ...NOTHING, ...facts }) ?? [];
    assert.match(hold?.detail ?? '', reason);
    assert.equal(hold?.cause, cause);
  });
}

test('a change that nothing holds is free', () => {
  assert.equal(holdReasons(NOTHING), undefined);
});

const kinds = kindRegistry([Node]);
const plain = (...needs: string[]): NodeSpec => ({ needs, value: 0, neighbourMax: 9 });

function node(name: string, spec: NodeSpec): LiveObject {
  return { kind: Node.id, namespace: '', name, labels: {}, spec, revision: JSON.stringify(spec) };
}

function change(name: string, spec?: NodeSpec): Candidate {
  return { kind: Node.id, name, wanted: spec === undefined ? undefined : node(name, spec) };
}

/** No two have the same number. */
const Seat = defineKind({
  group: 'test.backline.dev',
  version: 'v1',
  kind: 'Seat',
  plural: 'seats',
  scope: 'Cluster',
  description: 'A seat.',
  released: true,
  spec: Type.Object({ number: Type.Integer() }),
  check: ({ number }, world, name) =>
    Array.from(world.list('test.backline.dev/Seat'))
      .filter((other) => other.name !== name && (other.spec as { number: number }).number === number)
      .map((other) => ({
        path: ['spec', 'number'],
        reason: 'FieldValueInvalid' as const,
        detail: `seat ${number} is taken by ${other.name}`,
      })),
});
const seats = kindRegistry([Seat]);

function seat(name: string, number: number): Candidate {
  const wanted = { kind: Seat.id, namespace: '', name, labels: {}, spec: { number }, revision: `${number}` };
  return { kind: Seat.id, name, wanted };
}

const key = (name: string) => liveKey(Node.id, name);
const namesIn = (map: ReadonlyMap<string, unknown>) => [...map.keys()].map((one) => one.split(' ')[1]).sort();

test('a held object holds those that need it, and nothing else', () => {
  const live = new LiveObjects(kinds);
  const changes = [change('a', plain('b')), change('b', plain()), change('c', plain())];
  const { going, held } = decideGoLive(changes, new Map([[key('b'), FAILED]]), [], { live, kinds });
  assert.deepEqual(namesIn(going), ['c']);
  assert.deepEqual(namesIn(held), ['a', 'b']);
  assert.deepEqual(held.get(key('b')), FAILED);
});

test('a change that does not fit what the cohort of a release is shown is held', () => {
  const live = new LiveObjects(seats);
  const changes = [seat('a', 1), seat('b', 2)];
  assert.deepEqual(namesIn(decideGoLive(changes, new Map(), [], { live, kinds: seats }).going), ['a', 'b']);
  const { going, held } = decideGoLive(changes, new Map(), [seat('c', 1)], { live, kinds: seats });
  assert.deepEqual(namesIn(going), ['b']);
  assert.match(held.get(liveKey(Seat.id, 'a'))?.[0]?.detail ?? '', /seat 1 is taken by c/);
});

test('the live state is the declared one, or the object is taken away', () => {
  const live = new LiveObjects(kinds, [node('b', plain())]);
  const { going } = decideGoLive([change('a', plain()), change('b')], new Map(), [], { live, kinds });
  assert.deepEqual(
    [...going],
    [
      [key('a'), node('a', plain())],
      [key('b'), undefined],
    ],
  );
});

test('every change goes live or is held with a reason, and the world is whole then', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const spec = fc.record({
    needs: fc.uniqueArray(name, { maxLength: 2 }),
    value: fc.integer({ min: 0, max: 3 }),
    neighbourMax: fc.integer({ min: 0, max: 3 }),
  });
  const changes = fc.uniqueArray(
    fc.tuple(name, fc.option(spec, { nil: undefined })).map(([one, to]) => change(one, to)),
    { selector: (one) => one.name },
  );
  fc.assert(
    fc.property(changes, changes, fc.uniqueArray(name), (first, second, holds) => {
      const empty = new LiveObjects(kinds);
      const before = [...decideGoLive(first, new Map(), [], { live: empty, kinds }).going.values()];
      const live = new LiveObjects(
        kinds,
        before.flatMap((one) => one ?? []),
      );
      const holding = new Map(holds.map((one) => [key(one), FAILED] as const));
      const { going, held } = decideGoLive(second, holding, [], { live, kinds });
      for (const one of second) {
        const reasons = held.get(key(one.name)) ?? [];
        assert.equal(reasons.length === 0, going.has(key(one.name)), 'one or the other');
        if (holding.has(key(one.name))) assert.deepEqual(reasons, FAILED);
      }
      assert.ok([...going.keys()].every((one) => second.some((each) => key(each.name) === one)));
      const after = new LiveObjects(kinds, [...live.list(Node.id)]);
      for (const [one, object] of going) {
        if (object === undefined) after.delete(Node.id, one.split(' ')[1] ?? '');
        else after.set(object);
      }
      for (const object of after.list(Node.id)) {
        assert.deepEqual(problemsIn(after, kinds, object), []);
      }
    }),
  );
});
