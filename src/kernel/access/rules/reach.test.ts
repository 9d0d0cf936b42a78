import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import fc from 'fast-check';
import type { SelectableObject } from '#kernel/api/authority.ts';
import { listPage } from '#kernel/api/list.ts';
import type { Query, RequestTarget } from '#kernel/api/request.ts';
import { eventFor, narrow, selectionOf, type Selection } from '#kernel/api/selection.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { Store } from '#kernel/store/contract.ts';
import { stampEntry, type StoredChange } from '#kernel/store/entry.ts';
import { Memory } from '#kernel/store/memory.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { authorize, compileRules, selectorsOf } from './rule-table.ts';

const Campaign = defineKind({
  group: 'adverts.example',
  version: 'v1',
  kind: 'Campaign',
  plural: 'campaigns',
  scope: 'Namespaced',
  description: 'What an account wants to be shown.',
  spec: Type.Object({ account: Type.String(), tier: Type.Integer() }),
  selectableFields: { 'spec.account': ['spec', 'account'], 'spec.tier': ['spec', 'tier'] },
  indexes: { account: ({ account }) => [account] },
  fieldIndexes: { 'spec.account': 'account' },
});

/** An object in plain words. */
interface Plain {
  readonly namespace: string;
  readonly name: string;
  readonly account: string;
  readonly tier: number;
  readonly team: string;
}

/** Selectors, with what they mean. */
const SELECTORS: readonly (readonly [field: string, label: string, means: (object: Plain) => boolean])[] = [
  ['spec.account=a', '', ({ account }) => account === 'a'],
  ['spec.account=b', '', ({ account }) => account === 'b'],
  ['spec.account=a,spec.tier!=1', '', ({ account, tier }) => account === 'a' && tier !== 1],
  ['spec.tier=1', '', ({ tier }) => tier === 1],
  ['spec.account!=a', '', ({ account }) => account !== 'a'],
  ['metadata.name=x1', '', ({ name }) => name === 'x1'],
  ['metadata.name=x2,spec.account=b', '', ({ name, account }) => name === 'x2' && account === 'b'],
  ['', 'team=red', ({ team }) => team === 'red'],
  ['spec.account=c', 'team!=red', ({ account, team }) => account === 'c' && team !== 'red'],
];
const NAMESPACES = ['n', 'm'];

const selector = fc.constantFrom(...SELECTORS);
const rule = fc.record({
  selector: fc.option(selector, { freq: 9, nil: undefined }),
  verbs: fc.subarray(['get', 'list', 'watch'], { minLength: 1 }),
  namespace: fc.constantFrom('', ...NAMESPACES),
});
type Rule = typeof rule extends fc.Arbitrary<infer Value> ? Value : never;
const place = { namespace: fc.constantFrom(...NAMESPACES), name: fc.constantFrom('x1', 'x2', 'x3', 'x4', 'x5') };
const write = fc.record({
  ...place,
  account: fc.constantFrom('a', 'b', 'c'),
  tier: fc.constantFrom(1, 2),
  team: fc.constantFrom('red', 'blue'),
  removes: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});
const query = fc.option(selector, { nil: undefined });

/** The store, and beside it every state that it ever had. */
class World {
  readonly memory = new Memory({
    kinds: [Campaign],
    version: 0,
    floor: 0,
    limits: { changes: 1_000, characters: 1_000_000 },
  });
  readonly states: ReadonlyMap<string, Plain>[] = [new Map()];

  write({ removes, ...plain }: Plain & { readonly removes: boolean }): void {
    const { namespace, name, account, tier, team } = plain;
    const key = `${namespace}/${name}`;
    const state = new Map(this.states.at(-1));
    const before = this.memory.get(Campaign, namespace, name);
    if (removes && before === undefined) return;
    if (removes) state.delete(key);
    else state.set(key, plain);
    const version = this.states.length;
    this.states.push(state);
    const object = removes
      ? before?.object()
      : {
          apiVersion: Campaign.apiVersion,
          kind: Campaign.kind,
          metadata: { namespace, name, uid: key, labels: { team } },
          spec: { account, tier },
        };
    assert.ok(object !== undefined);
    const entry = stampEntry(Campaign, object, version);
    const type = removes ? 'DELETED' : before === undefined ? 'ADDED' : 'MODIFIED';
    this.memory.publish([{ version, type, entry, before } satisfies StoredChange]);
  }

  /** In the order of a list. */
  at(version: number): readonly Plain[] {
    return [...(this.states[version] ?? new Map<string, Plain>()).values()].sort((a, b) =>
      a.namespace + a.name < b.namespace + b.name ? -1 : 1,
    );
  }

  get store(): Store<Operation> {
    const { memory } = this;
    const reads: Pick<Store<Operation>, 'version' | 'find' | 'list' | 'count' | 'changesSince'> = {
      version: () => memory.version,
      find: (kind, index, value) => memory.find(kind, index, value),
      list: (kind, options) => memory.list(kind, options),
      count: (kind) => memory.count(kind),
      changesSince: (from, kind) => memory.changesSince(from, kind),
    };
    return reads as Store<Operation>;
  }
}

const USER = { name: 'ann', groups: [] };

function tableOf(rules: readonly Rule[]) {
  return compileRules(
    rules.map(({ selector: [fieldSelector, labelSelector] = ['', ''], verbs }, index) => ({
      kind: 'ClusterRole',
      namespace: '',
      name: `r${index}`,
      rules: [{ verbs, apiGroups: [Campaign.group], resources: [Campaign.plural], fieldSelector, labelSelector }],
    })),
    rules.map(({ namespace }, index) => ({
      namespace,
      name: `b${index}`,
      role: { kind: 'ClusterRole', name: `r${index}` },
      subjects: [{ kind: 'User', name: USER.name }],
    })),
  );
}

/** By the words of the documentation: a rule of everywhere or of this namespace, without a selector or with one that selects. */
function mayNaively(rules: readonly Rule[], verb: string, within: string, object: Plain): boolean {
  return rules.some(
    ({ selector: chosen, verbs, namespace }) =>
      verbs.includes(verb) && ['', within].includes(namespace) && (chosen?.[2](object) ?? true),
  );
}

const attributesOf = (verb: string, namespace: string, name = '') => ({
  verb,
  group: Campaign.group,
  resource: Campaign.plural,
  subresource: '',
  namespace,
  name,
});

/** The selection of a collection that the user gets; undefined where it is refused. */
function allowedSelection(
  rules: readonly Rule[],
  verb: string,
  namespace: string,
  [fieldSelector, labelSelector]: readonly [string, string, unknown] = ['', '', undefined],
): Selection | undefined {
  const asked = selectionOf(Campaign, { fieldSelector, labelSelector });
  const { allowed, partly } = authorize(tableOf(rules), USER, { ...attributesOf(verb, namespace), selection: asked });
  if (allowed) return asked;
  return partly.length === 0 ? undefined : narrow(Campaign, asked, [...selectorsOf(partly).values()]);
}

const selectable = (world: World, { namespace, name }: Plain): SelectableObject => {
  const entry = world.memory.get(Campaign, namespace, name);
  assert.ok(entry !== undefined);
  return entry;
};

test('one object may be read where a rule selects it, and none that is not there', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 5 }), fc.array(write, { maxLength: 15 }), (rules, writes) => {
      const world = new World();
      for (const one of writes) world.write(one);
      const table = tableOf(rules);
      for (const object of world.at(world.memory.version)) {
        const { namespace, name } = object;
        const asked = { ...attributesOf('get', namespace, name), object: selectable(world, object) };
        assert.equal(authorize(table, USER, asked).allowed, mayNaively(rules, 'get', namespace, object));
        const isForAll = rules.some(
          (one) => one.selector === undefined && one.verbs.includes('get') && ['', namespace].includes(one.namespace),
        );
        assert.equal(authorize(table, USER, attributesOf('get', namespace, name)).allowed, isForAll);
      }
    }),
    { numRuns: 500 },
  );
});

test('the pages of a list together are what the user may list of what they select, as it was at the first page', () => {
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 5 }),
      query,
      fc.constantFrom('', ...NAMESPACES),
      fc.array(write, { minLength: 5, maxLength: 25 }),
      fc.array(fc.array(write, { maxLength: 8 }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 3 }),
      (...[rules, asked, namespace, first, batches, limit]) => {
        const world = new World();
        const later = [...batches];
        for (const one of first) world.write(one);
        const selection = allowedSelection(rules, 'list', namespace, asked);
        const ofSome = rules.filter((one) => one.verbs.includes('list') && ['', namespace].includes(one.namespace));
        assert.equal(selection === undefined, ofSome.length === 0);
        if (selection === undefined) return;
        const version = world.memory.version;
        const expected = world
          .at(version)
          .filter(
            (object) =>
              (namespace === '' || object.namespace === namespace) &&
              (asked?.[2](object) ?? true) &&
              mayNaively(rules, 'list', namespace, object),
          )
          .map((object) => `${object.namespace}/${object.name} ${object.account}`);
        const target = { kind: Campaign, namespace, name: undefined, part: 'main' } as RequestTarget;
        const got: string[] = [];
        let continueToken = '';
        do {
          const page = listPage(world.store, target, { limit, continueToken, watch: false } as Query, selection);
          assert.equal(page.version, version);
          for (const entry of page.entries) {
            const { account } = entry.object().spec as { readonly account: string };
            got.push(`${entry.namespace}/${entry.name} ${account}`);
          }
          assert.ok(got.length <= expected.length, 'it ends');
          const left = page.remaining ?? expected.length - got.length;
          assert.equal(left, expected.length - got.length, 'what others have is not counted');
          continueToken = page.continueToken ?? '';
          // A token names only what its reader has seen.
          if (continueToken !== '') {
            const [, , where, name] = JSON.parse(Buffer.from(continueToken, 'base64url').toString());
            assert.ok(got.at(-1)?.startsWith(`${where}/${name} `));
          }
          for (const one of later.shift() ?? []) world.write(one);
        } while (continueToken !== '');
        assert.deepEqual(got, expected);
      },
    ),
    { numRuns: 1_500 },
  );
});

test('a watch keeps a copy of what the user may watch, and shows nothing else, wherever objects move', () => {
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 5 }),
      query,
      fc.array(write, { maxLength: 10 }),
      fc.array(write, { maxLength: 20 }),
      (rules, asked, first, later) => {
        const world = new World();
        for (const one of first) world.write(one);
        const selection = allowedSelection(rules, 'watch', '', asked);
        if (selection === undefined) return;
        const may = (object: Plain) => (asked?.[2](object) ?? true) && mayNaively(rules, 'watch', '', object);
        const version = world.memory.version;
        const copy = new Map(
          world
            .at(version)
            .filter(may)
            .map((object) => [`${object.namespace}/${object.name}`, object.account]),
        );
        for (const one of later) world.write(one);
        for (const change of world.memory.changesSince(version, Campaign)) {
          const event = eventFor(change, selection.matches);
          if (event === undefined) continue;
          const { metadata, spec, apiVersion: _apiVersion, kind: _kind } = event.entry.object();
          const { namespace = '', name, labels } = metadata;
          const { account, tier } = spec as { readonly account: string; readonly tier: number };
          const shown = { namespace, name, account, tier, team: labels?.['team'] ?? '' };
          assert.ok(may(shown), `${event.type} shows ${JSON.stringify(shown)}`);
          const key = `${namespace}/${name}`;
          assert.equal(event.type === 'ADDED', !copy.has(key), 'what was not seen before is ADDED');
          if (event.type === 'DELETED') copy.delete(key);
          else copy.set(key, account);
        }
        const expected = world.at(world.memory.version).filter(may);
        assert.deepEqual(
          [...copy].sort(),
          expected.map(({ namespace, name, account }) => [`${namespace}/${name}`, account]).sort(),
        );
      },
    ),
    { numRuns: 1_500 },
  );
});
