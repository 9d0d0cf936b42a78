import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { GROUP_LABEL } from '../kinds/identity.ts';
import { policySpec } from '../kinds/release-policy.ts';
import type { NamedPolicy, ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseState } from '../kinds/release-status.ts';
import { LISTENERS } from '../testing/listeners.ts';
import { Fragile } from '../testing/fragile.ts';
import { Node } from '../testing/node.ts';
import type { Trail } from './declarations.ts';
import {
  formRelease,
  groupOf,
  isLive,
  planHash,
  specOf,
  type FormationResult,
  type OpenRelease,
  type PendingChange,
} from './form.ts';
import type { State } from './same-side.ts';

const ORIGIN = { write: 40, user: 'ann', version: 41 };
const KINDS = kindRegistry([Node, Audience, Fragile]);
const GROUPED = { [GROUP_LABEL]: 'g' };

interface Side {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  readonly needs?: readonly string[];
}

/** An object from one value to another; undefined is no object. */
function change(name: string, live: Side | undefined, wanted: Side | undefined): PendingChange {
  const side = (given: Side | undefined): PendingChange['live'] => {
    if (given === undefined) return undefined;
    const { value, labels = {}, namespace = '', needs = [] } = given;
    const spec = { needs, value, neighbourMax: 9 };
    return { object: { kind: Node.id, namespace, name, labels, spec, revision: `r${value}` }, generation: value };
  };
  return { kind: Node, name, live: side(live), wanted: side(wanted) };
}

const from1to2 = (name: string, more: Omit<Side, 'value'> = {}) =>
  change(name, { value: 1, ...more }, { value: 2, ...more });

const NO_TRAIL: Trail = { steps: [], isWhole: true };

interface Facts {
  /** Objects beside those that changed. */
  readonly others?: readonly PendingChange[];
  readonly policies?: readonly NamedPolicy[];
  readonly trails?: Readonly<Record<string, Trail>>;
  readonly kinds?: typeof KINDS;
}

function worldOf(changed: readonly PendingChange[], { others = [], policies = [], trails = {}, kinds = KINDS }: Facts) {
  return {
    kinds,
    targets: [LISTENERS],
    policies,
    look: ({ name }: { readonly name: string }) =>
      [...changed, ...others].find((one) => one.name === name) ?? change(name, undefined, undefined),
    trail: (one: PendingChange) => trails[one.name] ?? NO_TRAIL,
  };
}

function form(changed: readonly PendingChange[], open: readonly OpenRelease[], facts: Facts = {}): FormationResult {
  return formRelease(ORIGIN, changed, open, worldOf(changed, facts));
}

const EXPOSING: ReleaseState = { at: 'exposing', stage: 0, sinceMs: 0, heldMs: 0 };

/** An open release of these changes. */
function open(
  name: string,
  changed: readonly PendingChange[],
  state: ReleaseState = EXPOSING,
  more: Partial<ReleaseSpec> = {},
): OpenRelease {
  const spec = specOf(
    { write: 30, user: 'bob', version: 31 },
    changed.map(({ kind, name, live, wanted }) => ({
      kind: kind.id,
      name,
      ...(live === undefined ? {} : { from: sideOf(live) }),
      ...(wanted === undefined ? {} : { to: sideOf(wanted) }),
    })),
    worldOf(changed, {}),
  );
  return { name, spec: { ...spec, ...more }, standing: { state, approvals: [] } };
}

function sideOf({ object, generation }: NonNullable<PendingChange['live']>) {
  const { revision, namespace, labels } = object;
  return { revision, generation, namespace, labels, refs: [] };
}

const policy = (name: string, more: object = {}): NamedPolicy => ({
  name,
  spec: policySpec({ spec: { selector: { matchLabels: { by: name } }, ...more } }),
});

const queueing = (queue: string) => ({ policy: policy('p', { queue }) });

/** The release that begins, those that are superseded, and those that collect: names of objects, with `*` for collecting. */
function outline({ begin, displaced, collecting }: FormationResult) {
  const names = (spec: ReleaseSpec) => spec.objects.map(({ name }) => name).join();
  return [
    begin === undefined ? '' : `${names(begin.spec)}${begin.collects ? '*' : ''}`,
    displaced.map(({ name }) => name).join(),
    collecting.map(({ name, spec }) => `${name}:${names(spec)}`).join(),
  ];
}

test('a change begins a release of all that was declared together, sorted, and nothing when it is live', () => {
  const gone = change('c', { value: 1 }, undefined);
  const added = change('a', undefined, { value: 1, needs: ['y', 'x', 'y'], namespace: 'n' });
  const { begin } = form([from1to2('b'), gone, added], []);
  assert.deepEqual(begin?.spec, {
    number: 41,
    authors: ['ann'],
    changeSet: '40',
    objects: [
      {
        kind: Node.id,
        name: 'a',
        to: { revision: 'r1', generation: 1, namespace: 'n', labels: {}, refs: [`${Node.id} x`, `${Node.id} y`] },
      },
      {
        kind: Node.id,
        name: 'b',
        from: { revision: 'r1', generation: 1, namespace: '', labels: {}, refs: [] },
        to: { revision: 'r2', generation: 2, namespace: '', labels: {}, refs: [] },
      },
      { kind: Node.id, name: 'c', from: { revision: 'r1', generation: 1, namespace: '', labels: {}, refs: [] } },
    ],
    planHash: planHash(begin?.spec.objects ?? [], []),
    open: true,
  });
  const fragile = form([{ ...from1to2('f'), kind: Fragile }], []).begin?.spec.objects[0];
  assert.deepEqual([fragile?.kind, fragile?.to?.refs], [Fragile.id, []], 'a kind that refers to nothing');
  const same = change('a', { value: 1 }, { value: 1 });
  assert.deepEqual(form([same], []), { displaced: [], collecting: [] });
  assert.deepEqual(outline(form([same, from1to2('b')], [])), ['b', '', '']);
  assert.deepEqual(
    [isLive(same), isLive(gone), isLive(added), isLive(change('d', undefined, undefined))],
    [true, false, false, true],
  );
});

test('a change takes the place of the release of its object, with its other objects, where that may be', () => {
  const others = [from1to2('y'), change('z', { value: 2 }, { value: 2 })];
  const both = [from1to2('x'), ...others];
  const again = change('x', { value: 1 }, { value: 3 });
  const takes = (one: OpenRelease) => outline(form([again], [one], { others }));
  const taken = ['x,y', 'r', ''];
  const waits = ['x', '', ''];
  assert.deepEqual(takes(open('r', both)), taken);
  assert.deepEqual(takes(open('r', both, { at: 'waiting', for: 'turn' }, queueing('supersede'))), taken);
  assert.deepEqual(takes(open('r', both, EXPOSING, queueing('queue'))), waits);
  assert.deepEqual(takes(open('r', both, EXPOSING, queueing('reject'))), waits);
  assert.deepEqual(takes(open('r', both, EXPOSING, { rollbackOf: 'q' })), waits);
  assert.deepEqual(takes(open('r', both, { at: 'promoting' })), waits);
  const retracting = { at: 'retracting', end: 'aborted', because: '', by: '', shown: true } as const;
  assert.deepEqual(takes(open('r', both, retracting)), waits);
  const unknown = [...open('r', both).spec.objects, { kind: 'gone.example/Gone', name: 'g' }];
  assert.deepEqual(takes(open('r', both, EXPOSING, { objects: unknown })), waits, 'one of an unknown kind');
  assert.deepEqual(takes(open('r', others)), waits, 'a release of other objects');
  const ofOtherKind = open('r', [{ ...from1to2('x'), kind: Fragile }]);
  assert.deepEqual(takes(ofOtherKind), waits, 'a release of another kind');
  const back = change('x', { value: 1 }, { value: 1 });
  assert.deepEqual(outline(form([back], [open('r', [from1to2('x')])])), ['', 'r', ''], 'back to what is live');
  assert.deepEqual(outline(form([back], [open('r', both)], { others })), ['y', 'r', '']);
  assert.deepEqual(
    outline(form([back], [open('r', both, EXPOSING, queueing('queue'))])),
    ['', '', ''],
    'nothing to approve yet',
  );
  assert.deepEqual(
    outline(form([back, from1to2('w')], [open('r', both, EXPOSING, queueing('queue'))])),
    ['w,x', '', ''],
    'behind another release a change back is a change',
  );
  const two = [open('r', [from1to2('x')]), open('s', [from1to2('x'), from1to2('y')], EXPOSING, queueing('queue'))];
  assert.deepEqual(outline(form([again], two, { others })), ['x', 'r', '']);
});

test('changes of a group are collected, each group in the namespaces that were written together', () => {
  const collecting = { at: 'collecting' } as const;
  const inGroup = (name: string, namespace = '') => from1to2(name, { labels: GROUPED, namespace });
  const collector = (name: string, changed: readonly PendingChange[], group = 'g') =>
    open(name, changed, collecting, { group });
  assert.deepEqual(outline(form([inGroup('x')], [])), ['x*', '', '']);
  assert.equal(form([inGroup('x')], []).begin?.spec.group, 'g');
  assert.deepEqual(outline(form([inGroup('x')], [collector('c', [inGroup('a')])])), ['', '', 'c:a,x']);
  assert.deepEqual(
    outline(form([inGroup('x', 'n')], [collector('c', [inGroup('a')])])),
    ['x*', '', ''],
    'another namespace',
  );
  assert.deepEqual(
    outline(form([inGroup('x')], [collector('c', [inGroup('a')], 'h')])),
    ['x*', '', ''],
    'another group',
  );
  assert.deepEqual(
    outline(form([inGroup('x')], [open('c', [inGroup('a')], EXPOSING, { group: 'g' })])),
    ['x*', '', ''],
    'a sealed one',
  );
  const two = [collector('c', [inGroup('a')]), collector('d', [inGroup('x')])];
  assert.deepEqual(outline(form([inGroup('x')], two)), ['', '', 'd:x'], 'the one that has it');
  const back = change('x', { value: 1, labels: GROUPED }, { value: 1, labels: GROUPED });
  assert.deepEqual(
    outline(form([back], [collector('c', [inGroup('a'), inGroup('x')])])),
    ['', '', 'c:a'],
    'it is live again',
  );
  const without = change('x', { value: 1 }, { value: 3 });
  assert.deepEqual(
    outline(form([without], [collector('c', [inGroup('a'), inGroup('x')])])),
    ['x', '', 'c:a'],
    'it left the group',
  );
  assert.deepEqual(
    outline(form([without], [collector('c', [inGroup('x')])])),
    ['x', 'c', ''],
    'nothing is left of the group',
  );
  assert.deepEqual(outline(form([inGroup('b')], [collector('c', [inGroup('b')]), open('r', [inGroup('b')])])), [
    '',
    '',
    'c:b',
  ]);
  const changedBeside = form([without, from1to2('w')], [collector('c', [inGroup('a'), inGroup('x')])]);
  assert.deepEqual(outline(changedBeside), ['w,x', '', 'c:a'], 'beside a change without a group');
  assert.deepEqual(
    outline(form([from1to2('w'), inGroup('x')], [])),
    ['w,x*', '', ''],
    'one in a group takes the others along',
  );
  const twoOfGroup = [inGroup('x'), inGroup('y')];
  assert.deepEqual(outline(form(twoOfGroup, [collector('c', [inGroup('a'), inGroup('x')])])), ['', '', 'c:a,x,y']);
  assert.deepEqual(outline(form(twoOfGroup, two)), ['', '', 'd:x,y'], 'the one that has one of them');
  const wide = collector('c', [inGroup('a'), inGroup('b', 'n')]);
  assert.deepEqual(outline(form([inGroup('x', 'n')], [wide])), ['', '', 'c:a,b,x'], 'one of its namespaces');
  const otherGroup = change('y', { value: 1 }, { value: 2, labels: { [GROUP_LABEL]: 'h' }, namespace: 'n' });
  assert.deepEqual(
    outline(form([inGroup('x'), otherGroup], [collector('c', [inGroup('b', 'n')])])),
    ['x,y*', '', ''],
    'namespaces count for their own group',
  );
  const moved = [change('x', { value: 1 }, { value: 3, labels: { [GROUP_LABEL]: 'h' } })];
  assert.deepEqual(outline(form(moved, [collector('c', [inGroup('x')]), collector('d', [inGroup('e')], 'h')])), [
    '',
    'c',
    'd:e,x',
  ]);
  const partial = { a: { steps: [], isWhole: false } };
  const byEve = open('c', [inGroup('a'), inGroup('x')], collecting, {
    group: 'g',
    authors: ['eve'],
    ...queueing('queue'),
  });
  for (const one of [without, inGroup('y')]) {
    const facts = { trails: partial, others: [inGroup('a'), inGroup('x')], policies: [policy('p')] };
    assert.equal(form([one], [byEve], facts).collecting[0]?.spec.policy?.name, 'p', 'the history of a is not known');
  }
  const kept = form([without], [collector('c', [inGroup('a'), inGroup('x')])]).collecting[0]?.spec;
  assert.deepEqual([kept?.group, kept?.number, kept?.changeSet, kept?.authors], ['g', 31, '30', ['bob']]);
  const grown = form([inGroup('x')], [collector('c', [inGroup('a')])]).collecting[0]?.spec;
  assert.deepEqual([grown?.group, grown?.number], ['g', 41]);
});

test('the group of a deleted object is that of its last declaration, or of what is live', () => {
  const state = (group: string | undefined): State => ({
    revision: 'r',
    namespace: 'n',
    labels: group === undefined ? {} : { [GROUP_LABEL]: group },
  });
  const step = (of: State | undefined) => ({
    version: 1,
    write: 1,
    user: 'ann',
    writers: [],
    isUnattended: false,
    state: of,
  });
  const trail = (...states: readonly (State | undefined)[]): Trail => ({ steps: states.map(step), isWhole: true });
  const gone = change('x', { value: 1, labels: { [GROUP_LABEL]: 'live' } }, undefined);
  assert.deepEqual(groupOf(gone, trail(state('old'), state('last'), undefined)), { name: 'last', namespace: 'n' });
  assert.deepEqual(groupOf(gone, trail(state(undefined), undefined)), { name: 'live', namespace: '' });
  assert.deepEqual(groupOf(gone, trail()), { name: 'live', namespace: '' });
  assert.equal(groupOf(change('x', undefined, undefined), trail()), undefined);
  assert.equal(groupOf(from1to2('x'), trail(state('old'))), undefined, 'the declaration counts');
});

test('authors and policies are those of every state since the live one, or of an earlier release', () => {
  const withLabel = (by: string) => ({ labels: { by } });
  const step = (writers: readonly string[], by = '', isUnattended = false) => ({
    version: 1,
    write: 1,
    user: writers[0] ?? '',
    writers,
    isUnattended,
    state: { revision: 'r', namespace: '', ...withLabel(by) },
  });
  const policies = [policy('a', { priority: 1 }), policy('b', { priority: 2 }), policy('c'), policy('d')];
  const choose = (one: PendingChange, trail: Trail, before: readonly OpenRelease[] = []) => {
    const spec = form([one], before, { policies, trails: { x: trail } }).begin?.spec;
    const names = [spec?.policy, ...(spec?.otherPolicies ?? [])].map((named) => named?.name);
    return [names.join(), spec?.authors.join(), spec?.unattended];
  };
  const x = change('x', { value: 1, ...withLabel('a') }, { value: 2, ...withLabel('c') });
  assert.deepEqual(choose(x, NO_TRAIL), ['a,c', 'ann', undefined]);
  const trail: Trail = { steps: [step(['cyd', 'bob'], 'b'), step(['bob'], '', true)], isWhole: true };
  assert.deepEqual(choose(x, trail), ['b,a,c', 'bob,cyd', true]);
  assert.deepEqual(choose(from1to2('x'), NO_TRAIL), ['', 'ann', undefined]);
  const earlierOf = (name: string, more: Partial<ReleaseSpec> = {}) =>
    open('r', [from1to2(name)], EXPOSING, {
      authors: ['eve'],
      unattended: true,
      ...queueing('queue'),
      otherPolicies: [policy('d')],
      ...more,
    });
  const partial: Trail = { steps: [step(['cyd'])], isWhole: false };
  assert.deepEqual(choose(from1to2('x'), partial, [earlierOf('x')]), ['d', 'cyd,eve', true]);
  assert.deepEqual(choose(from1to2('x'), partial, [earlierOf('x', { unattended: false })]), [
    'd',
    'cyd,eve',
    undefined,
  ]);
  assert.deepEqual(choose(from1to2('x'), partial, [earlierOf('y')]), ['', 'cyd', undefined], 'of another object');
  const ofBoth = open('r', [from1to2('x'), from1to2('y')], EXPOSING, { authors: ['eve'], ...queueing('queue') });
  assert.deepEqual(choose(from1to2('x'), partial, [ofBoth])[1], 'cyd,eve', 'of this and another object');
  const ofOtherKind = open('r', [{ ...from1to2('x'), kind: Fragile }, from1to2('y')], EXPOSING, { authors: ['eve'] });
  assert.deepEqual(choose(from1to2('x'), partial, [ofOtherKind])[1], 'cyd', 'of another kind');
  const alone = specOf(ORIGIN, open('r', [from1to2('x')]).spec.objects, worldOf([], { trails: { x: partial } }));
  assert.deepEqual(alone.authors, ['cyd'], 'without an earlier release');
  const planned = form([x], [], { policies }).begin?.spec;
  const both = policies
    .filter(({ name }) => name === 'a' || name === 'c')
    .sort((a, b) => b.spec.priority - a.spec.priority);
  assert.equal(planned?.planHash, planHash(planned?.objects ?? [], both));
  assert.deepEqual(
    choose(from1to2('x'), { ...partial, isWhole: true }, [earlierOf('x')]),
    ['', 'cyd', undefined],
    'the history is known',
  );
});

test('a release relies on the audiences of its stages and on what these refer to, as far as they are live', () => {
  const spec = { anyOf: [{ allOf: [{ audience: 'base' }] }] };
  const object = { kind: Audience.id, namespace: '', name: 'vip', labels: {}, spec, revision: 'r' };
  const vip: PendingChange = { kind: Audience, name: 'vip', live: { object, generation: 1 }, wanted: undefined };
  const policies = [policy('a', { stages: [{ name: 'few', listeners: { audience: 'vip', percent: 1 } }] })];
  const x = from1to2('x', { labels: { by: 'a' } });
  const relies = (audience: PendingChange) => form([x], [], { policies, others: [audience] }).begin?.spec.relies;
  assert.deepEqual(relies(vip), [`${Audience.id} base`, `${Audience.id} vip`]);
  assert.deepEqual(relies({ ...vip, live: undefined }), [`${Audience.id} vip`]);
});

test('a plan is its changes and policies, without notifications', () => {
  const objects = open('r', [from1to2('x')]).spec.objects;
  const notify = [{ secret: { namespace: 'n', name: 's' }, on: ['paused'] }];
  const plain = planHash(objects, [policy('p')]);
  assert.equal(planHash(objects, [policy('p', { notify })]), plain);
  assert.notEqual(planHash(objects, [policy('p', { priority: 1 })]), plain);
  assert.notEqual(planHash(objects, [policy('q')]), plain);
  assert.notEqual(planHash(objects, []), plain);
  const [first] = objects;
  assert.ok(first?.to !== undefined);
  const { to: _to, ...deleted } = first;
  const { from: _from, ...created } = first;
  const others = [
    deleted,
    created,
    { ...first, name: 'y' },
    { ...first, kind: 'other' },
    ...[{ revision: 'r9' }, { namespace: 'n' }, { labels: { a: 'b' } }].map((more) => ({
      ...first,
      to: { ...first.to, ...more },
    })),
  ];
  assert.equal(
    new Set([plain, ...others.map((one) => planHash([one as typeof first], [policy('p')]))]).size,
    others.length + 1,
  );
  const { generation: _, ...rest } = first.to;
  assert.equal(planHash([{ ...first, to: { ...rest, generation: 9 } }], [policy('p')]), plain);
});
