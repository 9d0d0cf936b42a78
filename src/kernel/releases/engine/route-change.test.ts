import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GROUP_LABEL } from '../kinds/identity.ts';
import { policySpec } from '../kinds/release-policy.ts';
import type { ReleaseState } from '../kinds/release-status.ts';
import { Node } from '../testing/node.ts';
import type { Trail } from './declarations.ts';
import type { PendingChange, OpenRelease, Origin } from './form.ts';
import type { Origins } from './group-by-write.ts';
import { divideByRoute, isCarriedAsIs, needsRelease, statusInReleases, type RoutedItem } from './route-change.ts';
import type { State } from './same-side.ts';

const SPEC = { needs: [], value: 0, neighbourMax: 9 };
const WAITING: ReleaseState = { at: 'waiting', for: 'turn' };
const retracting = (end: 'aborted' | 'superseded'): ReleaseState => {
  return { at: 'retracting', end, because: 'It is.', by: 'ann', shown: true };
};

/** A state of the Node `a`. */
function state(revision: string, labels: State['labels'] = {}): State {
  return { revision, namespace: '', labels };
}

function changeOf(live: State | undefined, wanted: State | undefined): PendingChange {
  const side = (one: State | undefined) =>
    one && { object: { kind: Node.id, name: 'a', spec: SPEC, ...one }, generation: 1 };
  return { kind: Node, name: 'a', live: side(live), wanted: side(wanted) };
}

function trail(...states: (State | undefined)[]): Trail {
  const steps = states.map((one, at) => {
    return { version: at + 1, write: at + 1, user: 'ann', writers: ['ann'], isUnattended: false, state: one };
  });
  return { steps, isWhole: true };
}

function release(name: string, number: number, to: State | undefined, at: ReleaseState = WAITING): OpenRelease {
  const side = to && { ...to, generation: 1, refs: [] };
  const objects = [{ kind: Node.id, name: 'a', ...(side === undefined ? {} : { to: side }) }];
  const spec = { number, authors: ['ann'], changeSet: '1', objects, planHash: 'p', open: true };
  return { name, spec, standing: { state: at, approvals: [] } };
}

/** Selects Nodes with the label `tier: gold`. */
const GOLD = {
  name: 'gold',
  spec: policySpec({ spec: { selector: { matchLabels: { tier: 'gold' } } } }),
};
const gold = { tier: 'gold' };
const group = { [GROUP_LABEL]: 'spring' };

interface Row {
  readonly title: string;
  readonly change: PendingChange;
  readonly steps?: Trail;
  readonly carriers?: readonly OpenRelease[];
  readonly isOnTakenBack?: boolean;
  readonly needs: boolean;
}

const TABLE: readonly Row[] = [
  { title: 'no policy selects any state', change: changeOf(state('1'), state('2')), needs: false },
  { title: 'a policy selects what is declared', change: changeOf(state('1'), state('2', gold)), needs: true },
  { title: 'a policy selects what is live', change: changeOf(state('1', gold), state('2')), needs: true },
  { title: 'a policy selects what is deleted', change: changeOf(state('1', gold), undefined), needs: true },
  {
    title: 'a policy selects a state in between',
    change: changeOf(state('1'), state('3')),
    steps: trail(state('2', gold), state('3')),
    needs: true,
  },
  { title: 'it is live as it is declared', change: changeOf(state('1', gold), state('1', gold)), needs: false },
  { title: 'it belongs to a group', change: changeOf(state('1'), state('2', group)), needs: true },
  {
    title: 'it is deleted, and belonged to a group',
    change: changeOf(undefined, undefined),
    steps: trail(state('2', group), undefined),
    needs: false,
  },
  {
    title: 'it is deleted, and was last declared in a group',
    change: changeOf(state('1'), undefined),
    steps: trail(state('2', group), undefined),
    needs: true,
  },
  {
    title: 'a release carries it',
    change: changeOf(state('1'), state('2')),
    carriers: [release('r', 1, state('2'))],
    needs: true,
  },
  {
    title: 'it is declared back while a release carries it',
    change: changeOf(state('1'), state('1')),
    carriers: [release('r', 1, state('2'))],
    needs: true,
  },
  {
    title: 'it is declared back while the only release takes it back',
    change: changeOf(state('1'), state('1')),
    carriers: [release('r', 1, state('2'), retracting('aborted'))],
    needs: false,
  },
  {
    title: 'it is declared on top of what was taken back',
    change: changeOf(state('1'), state('2')),
    isOnTakenBack: true,
    needs: true,
  },
];

for (const {
  title,
  change,
  steps = trail(change.wanted?.object),
  carriers = [],
  isOnTakenBack = false,
  needs,
} of TABLE) {
  test(`a change ${needs ? 'needs a release' : 'goes live at once'}: ${title}`, () => {
    const facts = { carriers, trail: () => steps, policies: () => [GOLD], isOnTakenBack: () => isOnTakenBack };
    assert.equal(needsRelease(change, facts), needs);
  });
}

test('the latest release decides whether an object is carried as it is declared', () => {
  const change = changeOf(state('1'), state('3'));
  const second = release('r-2', 2, state('2'));
  const third = release('r-3', 3, state('3'));
  assert.equal(isCarriedAsIs(change, []), false);
  assert.equal(isCarriedAsIs(change, [third, second]), true);
  assert.equal(isCarriedAsIs(change, [third, release('r-4', 4, state('2'))]), false);
  assert.equal(isCarriedAsIs(change, [release('r-3', 3, state('3'), retracting('superseded'))]), false);
  assert.equal(isCarriedAsIs(change, [release('r-3', 3, state('3'), retracting('aborted'))]), true);
  assert.equal(isCarriedAsIs(changeOf(state('1'), undefined), [release('r-5', 5, undefined)]), true);
});

test('the status names the last release that carries an object, or why it is held behind releases', () => {
  const carriers = [release('r-2', 2, state('2')), release('r-3', 3, state('3'))];
  assert.equal(statusInReleases(changeOf(state('1'), state('3')), []), undefined);
  assert.deepEqual(statusInReleases(changeOf(state('1'), state('3')), carriers), { is: 'carried', release: 'r-3' });
  const back = statusInReleases(changeOf(state('1'), state('1')), carriers);
  assert.match(
    back?.is === 'held' ? (back.reasons[0]?.detail ?? '') : '',
    /the declared state is live, but r-2, r-3 changes it first/,
  );
  const behind = [...carriers, release('r-4', 4, state('1'))];
  assert.deepEqual(statusInReleases(changeOf(state('1'), state('1')), behind), { is: 'carried', release: 'r-4' });
});

const origin = (write: number): Origin => ({ write, version: write, user: 'ann' });
const originsOf = (first: number, ...others: number[]): Origins => [origin(first), ...others.map(origin)];

test('an object declared together with one that needs a release joins it, and its write is not the origin', () => {
  const { groups, atOnce } = divideByRoute([
    { item: 'a', route: 'atOnce', origins: originsOf(1, 9) },
    { item: 'b', route: 'release', origins: originsOf(1) },
    { item: 'c', route: 'atOnce', origins: originsOf(2) },
    { item: 'd', route: 'alone' },
  ]);
  assert.deepEqual(
    groups.map((one) => [one.origin.version, one.items]),
    [[1, ['b', 'a']]],
  );
  assert.deepEqual(atOnce, ['c', 'd']);
});

test('every change goes one way, and what goes at once shares no write with a release', () => {
  const origins = fc
    .array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 2 })
    .map((writes) => writes.map(origin) as unknown as Origins);
  const routes = fc.array(fc.tuple(fc.constantFrom('release', 'atOnce', 'alone'), origins), { maxLength: 10 });
  fc.assert(
    fc.property(routes, (rows) => {
      const routed = rows.map(([route, all], item): RoutedItem<number> =>
        route === 'alone' ? { item, route } : { item, route, origins: all },
      );
      const { groups, atOnce } = divideByRoute(routed);
      const ways = [...groups.flatMap(({ items }) => items), ...atOnce];
      assert.deepEqual(
        ways.toSorted((a, b) => a - b),
        routed.map(({ item }) => item),
      );
      const released = new Set(
        routed.flatMap((one) => (one.route === 'release' ? one.origins.map(({ write }) => write) : [])),
      );
      for (const one of routed) {
        const isAtOnce = atOnce.includes(one.item);
        const isJoined = one.route !== 'alone' && one.origins.some(({ write }) => released.has(write));
        assert.equal(isAtOnce, one.route === 'alone' || (one.route === 'atOnce' && !isJoined));
      }
    }),
  );
});
