import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { AuditRecord } from '../kinds/audit-record.ts';
import { ClusterRole, ClusterRoleBinding, rulesOf } from '../kinds/rbac.ts';
import { defaultObjects, missingDefaults } from './default-objects.ts';

const base = { group: 'games.example', version: 'v1', scope: 'Namespaced', description: 'x' } as const;
const Game = defineKind({ ...base, kind: 'Game', plural: 'games', spec: Type.Object({}), released: true });
const posted = { ...base, verbs: ['create'] } as const;
const Question = defineKind({ ...posted, kind: 'Question', plural: 'questions', postedBy: 'everyone' });
const Report = defineKind({ ...posted, kind: 'Report', plural: 'reports', postedBy: 'editors' });
const Order = defineKind({ ...posted, kind: 'Order', plural: 'orders' });
const Rules = defineKind({
  ...base,
  kind: 'Rules',
  plural: 'rules',
  spec: Type.Object({}),
  writtenBy: 'administrators',
});
const Match = defineKind({
  ...base,
  kind: 'Match',
  plural: 'matches',
  verbs: ['get', 'list', 'watch'],
  subresources: { start: Order, stop: Order },
});
const App = defineKind({ ...base, kind: 'App', plural: 'apps', spec: Type.Object({}), actsEverywhere: true });
const KINDS = [Game, Question, Report, Order, Rules, Match, App, AuditRecord, ClusterRole];
const PATHS = [
  { path: '/v1/scores', access: 'catalogue' },
  { path: '/v1/scores/*', access: 'insight' },
  { path: '/v1/players', access: 'records' },
  { path: '/v1/moves', access: 'write' },
  { path: '/v1/log', access: 'ingest' },
] as const;
const DEFAULTS = defaultObjects(KINDS, PATHS);

/** Reads from the given objects. */
function reader(objects: readonly ResourceObject[]) {
  return {
    get: (kind: { kind: string }, _namespace: string, name: string) => {
      const found = objects.find((object) => object.kind === kind.kind && object.metadata.name === name);
      return found === undefined ? undefined : ({ object: () => structuredClone(found) } as unknown as Entry);
    },
  };
}

const rules = (name: string) => {
  const role = DEFAULTS.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === name);
  assert.ok(role !== undefined, name);
  return rulesOf(role);
};
const about = (name: string, resource: string) =>
  rules(name).filter(({ resources = [] }) => resources.includes(resource));

test('the default objects are valid', () => {
  for (const object of DEFAULTS) {
    const kind = object.kind === 'ClusterRole' ? ClusterRole : ClusterRoleBinding;
    assert.deepEqual(structureOf(kind).validate(object), []);
    assert.deepEqual(kind.validateObject?.(object, undefined), []);
  }
});

test('edit writes the kinds of every domain but not their status, and view reads both', () => {
  assert.deepEqual(about('system:aggregate-to-view', 'games')[0]?.verbs, ['get', 'list', 'watch']);
  assert.equal(about('system:aggregate-to-view', 'games/status').length, 1);
  assert.equal(about('system:aggregate-to-edit', 'games')[0]?.verbs.includes('patch'), true);
  assert.equal(about('system:aggregate-to-edit', 'games/status').length, 0);
  assert.equal(about('system:aggregate-to-view', 'secrets').length, 0);
  assert.deepEqual(
    about('system:aggregate-to-edit', 'games').map(({ verbs }) => verbs.includes('refer')),
    [false, true],
  );
  assert.deepEqual(
    DEFAULTS.filter((object) => JSON.stringify(object).includes('"apps"')).map(({ metadata }) => metadata.name),
    ['client-admin'],
    'kinds that act everywhere are in no role that is granted in a namespace',
  );
  for (const name of ['system:aggregate-to-view', 'system:aggregate-to-edit', 'system:aggregate-to-admin']) {
    assert.equal(about(name, 'auditrecords').length, 0, 'the audit record is for administrators');
  }
});

test('edit gives the commands of every domain, also where its holder cannot write the objects', () => {
  const [rule] = about('system:aggregate-to-edit', 'matches/start');
  assert.deepEqual(rule, {
    verbs: ['create'],
    apiGroups: ['games.example'],
    resources: ['matches/start', 'matches/stop'],
  });
  assert.equal(about('system:aggregate-to-edit', 'matches').length, 0);
  assert.equal(about('system:aggregate-to-view', 'matches/start').length, 0);
  assert.equal(about('system:aggregate-to-edit', 'games/start').length, 0);
});

test('kinds of administrators are readable for all roles, and written by no editor', () => {
  assert.deepEqual(
    ['view', 'edit', 'admin'].map((name) => about(`system:aggregate-to-${name}`, 'rules').map(({ verbs }) => verbs)),
    [[['get', 'list', 'watch']], [], [['create', 'delete', 'deletecollection', 'patch', 'update']]],
  );
});

test('posted kinds are in the roles that the kind names, and else for administrators alone', () => {
  const posting = (resource: string) =>
    DEFAULTS.filter(({ rules }) =>
      ((rules ?? []) as { resources?: string[] }[]).some(({ resources = [] }) => resources.includes(resource)),
    ).map(({ metadata }) => metadata.name);
  assert.deepEqual(posting('questions'), ['system:basic-user']);
  assert.deepEqual(posting('reports'), ['system:aggregate-to-edit']);
  assert.deepEqual(posting('orders'), []);
});

test('the paths beside the resource API are in roles that no user has by default', () => {
  const held = DEFAULTS.filter(({ kind }) => kind === 'ClusterRole').map(
    (object) =>
      [
        object.metadata.name,
        rulesOf(object).flatMap(({ verbs, nonResourceURLs = [] }) => [...verbs, ...nonResourceURLs]),
      ] as const,
  );
  assert.deepEqual(
    held.filter(([, words]) => words.some((word) => word.startsWith('/v1/'))),
    [
      ['decision-reader', ['get', '/v1/scores', 'get', '/v1/scores/*']],
      ['records-reader', ['get', '/v1/players']],
      ['records-editor', ['get', '/v1/players', 'post', '/v1/moves']],
      ['event-writer', ['post', '/v1/log']],
    ],
  );
  const bound = DEFAULTS.filter(({ kind }) => kind === 'ClusterRoleBinding').map(({ roleRef }) => roleRef);
  assert.ok(!JSON.stringify(bound).match(/decision|records|event/));
});

test('missing objects are created, changed ones stay, and unchanged ones are updated', () => {
  const names = (objects: readonly ResourceObject[], defaults = DEFAULTS) =>
    missingDefaults(defaults, reader(objects)).map(({ name }) => name);
  assert.equal(names([]).length, DEFAULTS.length);
  assert.deepEqual(names(DEFAULTS), []);
  assert.deepEqual(names(DEFAULTS.filter(({ kind }) => kind === 'ClusterRole')).sort(), [
    'cluster-admin',
    'system:basic-user',
    'system:discovery',
    'system:public-info-viewer',
    'system:service-account-issuer-discovery',
  ]);
  const newer = defaultObjects([...KINDS, { ...Game, plural: 'players' }], PATHS);
  assert.deepEqual(names(DEFAULTS, newer).sort(), ['system:aggregate-to-edit', 'system:aggregate-to-view']);
  const changed = DEFAULTS.map((object) =>
    object.metadata.name === 'system:aggregate-to-edit' ? { ...object, rules: [] } : object,
  );
  assert.deepEqual(names(changed), []);
  assert.deepEqual(names(changed, newer), ['system:aggregate-to-view']);
  const collected = DEFAULTS.map((object) =>
    object['aggregationRule'] === undefined ? object : { ...object, rules: [{ verbs: ['get'] }] },
  );
  assert.deepEqual(names(collected), [], 'collected rules are nobody’s change');
});
