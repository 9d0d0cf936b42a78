import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Entry, Reader } from '#kernel/store/contract.ts';
import { ClusterRole, Role } from '../kinds/rbac.ts';
import { admission } from './admission.ts';
import { compileRules } from '../rules/rule-table.ts';
import type { PolicyRule } from '../rules/rules.ts';

const KINDS = kindRegistry([ConfigMap, Role, ClusterRole]);
const rbac = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'clusterroles'], verbs: ['*'] };
const readPlans = { apiGroups: ['products.backline.dev'], resources: ['plans'], verbs: ['get'] };

/** The result of a write by ann, who holds the given rules everywhere. */
function ask(
  held: readonly PolicyRule[],
  write: {
    kind?: Kind;
    verb: Operation['verb'];
    before?: Partial<ResourceObject>;
    after?: Partial<ResourceObject>;
    author?: Partial<Author>;
    isOfMany?: true;
  },
): string {
  const { kind = ConfigMap, verb, before, after = {}, author = {}, isOfMany } = write;
  const whole = (fields: Partial<ResourceObject>): ResourceObject => ({
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { name: 'x' },
    ...fields,
  });
  const table = compileRules(
    [{ kind: 'ClusterRole', namespace: '', name: 'held', rules: held }],
    [
      {
        namespace: '',
        name: 'held',
        role: { kind: 'ClusterRole', name: 'held' },
        subjects: [{ kind: 'User', name: 'ann' }],
      },
    ],
  );
  const caller = { groups: [], address: '', userAgent: '', verb };
  const asked = {
    operation: { verb, kind: kind.id, namespace: '', name: 'x', isOfMany } as Operation,
    kind,
    current: before === undefined ? undefined : storedEntry(kind, whole(before)),
    author: { user: 'ann', requestId: '1', caller, ...author },
    read: { get: () => undefined } as unknown as Reader,
    now: Temporal.Instant.fromEpochMilliseconds(0),
  };
  const { mayAsk, mayStore } = admission(() => table, KINDS);
  try {
    mayAsk(asked);
    mayStore({ ...asked, object: whole(after) });
    return 'stored';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** An object as it is stored. */
function storedEntry(kind: Kind, object: ResourceObject): Entry {
  const { namespace = '', name, labels = {} } = object.metadata;
  return { kind, namespace, name, labels, object: () => object } as unknown as Entry;
}

const maps = (...verbs: string[]) => [{ apiGroups: [''], resources: ['configmaps'], verbs }];

test('an object of a change set needs create where there is none, and update where there is one', () => {
  assert.equal(ask(maps('create'), { verb: 'apply' }), 'stored');
  assert.equal(ask(maps('update'), { verb: 'apply' }), 'access/forbidden');
  assert.equal(ask(maps('create'), { verb: 'apply', before: {} }), 'access/forbidden');
  assert.equal(ask(maps('update'), { verb: 'apply', before: {} }), 'stored');
});

test('each object of a deletecollection is checked against the rule when it is removed', () => {
  const held = maps('deletecollection').map((rule) => ({ ...rule, labelSelector: 'team=x' }));
  const removal = { verb: 'delete' as const, isOfMany: true as const };
  const ofTeam = (team: string) => ({ before: { metadata: { name: 'x', labels: { team } } } });
  assert.equal(ask(held, { ...removal, ...ofTeam('x') }), 'stored');
  assert.equal(ask(held, { ...removal, ...ofTeam('y') }), 'resources/not-found');
});

test('components of this program and system:masters grant any rights', () => {
  const write = {
    kind: ClusterRole,
    verb: 'create' as const,
    after: { rules: [{ verbs: ['*'], nonResourceURLs: ['*'] }] },
  };
  assert.equal(ask([], write), 'access/escalation');
  const { user, requestId } = { user: 'system:releases', requestId: '2' };
  const { mayAsk, mayStore } = admission(() => compileRules([], []), KINDS);
  const asked = {
    operation: { verb: 'apply', kind: ClusterRole.id, namespace: '', name: 'x' } as Operation,
    kind: ClusterRole,
    current: undefined,
    author: { user, requestId },
    read: { get: () => undefined } as unknown as Reader,
    now: Temporal.Instant.fromEpochMilliseconds(0),
  };
  mayAsk(asked);
  mayStore({ ...asked, object: { apiVersion: '', kind: '', metadata: { name: 'x' }, rules: write.after.rules } });
  const caller = { groups: ['system:masters'], address: '', userAgent: '', verb: 'create' };
  assert.equal(ask([], { ...write, author: { caller } }), 'stored');
});

test('an author without all rights cannot create a collecting role, nor label a role for one with rights they lack', () => {
  const collecting = { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } };
  const everything = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
  const create = { kind: ClusterRole, verb: 'create' as const, after: collecting };
  assert.equal(
    ask(
      [rbac, readPlans].map((rule) => ({ ...rule, verbs: ['create', 'get'] })),
      create,
    ),
    'access/escalation',
  );
  assert.equal(ask([...everything, { verbs: ['*'], nonResourceURLs: ['*'] }], create), 'stored');
  const labelRole = (rule: PolicyRule) => ({
    kind: ClusterRole,
    verb: 'update' as const,
    before: { rules: [rule] },
    after: { rules: [rule], metadata: { name: 'x', labels: { a: 'b' } } },
  });
  const editor = [{ ...rbac, verbs: ['update'] }, readPlans];
  assert.equal(ask(editor, labelRole(readPlans)), 'stored');
  assert.equal(ask(editor, labelRole({ ...readPlans, verbs: ['delete'] })), 'access/escalation');
  const role = { rules: [{ ...readPlans, verbs: ['delete'] }] };
  assert.equal(ask(editor, { kind: Role, verb: 'update', before: role, after: role }), 'stored');
});
