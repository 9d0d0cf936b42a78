import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Attributes } from '#kernel/api/authority.ts';
import {
  authorize,
  ChangingRules,
  compileRules,
  heldRules,
  mayWriteSomething,
  type Binding,
  type RoleRules,
  type Subject,
} from './rule-table.ts';
import type { PolicyRule } from './rules.ts';

const among = (...values: string[]) => fc.constantFrom(...values);
const some = (...values: string[]) => fc.subarray(values, { minLength: 1 });

const NAMESPACES = ['growth', 'catalogue'] as const;
const RULE: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record({
    verbs: some('get', 'list', 'update', '*', 'approve'),
    apiGroups: some('', 'products.backline.dev', '*'),
    resources: some('plans', 'plans/status', '*', '*/status', 'secrets', 'plan'),
    resourceNames: fc.oneof(fc.constant([]), some('premium', 'free')),
  }),
  fc.record({ verbs: some('get', 'post', '*'), nonResourceURLs: some('*', '/apis', '/apis/*', '/api*', '/healthz') }),
);
const ROLE: fc.Arbitrary<RoleRules> = fc
  .record({ name: among('a', 'b', 'c'), namespace: among('', ...NAMESPACES), rules: fc.array(RULE, { maxLength: 3 }) })
  .map(({ name, namespace, rules }) => ({ kind: namespace === '' ? 'ClusterRole' : 'Role', name, namespace, rules }));
const SUBJECT: fc.Arbitrary<Subject> = fc.oneof(
  fc.record({ kind: among('User'), name: among('ann', 'bob', 'system:serviceaccount:growth:robot') }),
  fc.record({ kind: among('Group'), name: among('editors', 'system:masters', 'system:authenticated') }),
  fc.record({ kind: fc.constant('ServiceAccount'), name: among('robot', 'ann'), namespace: among(...NAMESPACES) }),
);
const BINDING: fc.Arbitrary<Binding> = fc
  .record({
    name: among('x', 'y', 'z'),
    namespace: among('', ...NAMESPACES),
    role: fc.record({ kind: among('Role', 'ClusterRole'), name: among('a', 'b', 'c', 'gone') }),
    subjects: fc.array(SUBJECT, { maxLength: 3 }),
  })
  .filter(({ namespace, role }) => namespace !== '' || role.kind === 'ClusterRole');
/** As in a store there is one of a name. */
const ROLES = fc.uniqueArray(ROLE, { maxLength: 6, selector: ({ namespace, name }) => `${namespace}/${name}` });
const BINDINGS = fc.uniqueArray(BINDING, { maxLength: 6, selector: ({ namespace, name }) => `${namespace}/${name}` });
const USER = fc.record({
  name: among('ann', 'bob', 'system:serviceaccount:growth:robot', 'editors'),
  groups: fc.subarray(['editors', 'system:authenticated', 'others']),
});
const WANTED: fc.Arbitrary<Attributes> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      verb: among('get', 'list', 'update', 'delete', 'approve'),
      group: among('', 'products.backline.dev', 'other'),
      resource: among('plans', 'secrets'),
      subresource: among('', 'status', 'token'),
      namespace: among('', ...NAMESPACES),
      name: among('', 'premium', 'basic'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ verb: among('get', 'post'), path: among('/apis', '/apis/x', '/api', '/healthz', '/') }),
  },
);

/** Walks every binding, role, subject and rule, as the documentation of RBAC describes it. */
function naive(
  roles: readonly RoleRules[],
  bindings: readonly Binding[],
  user: { name: string; groups: readonly string[] },
  wanted: Attributes,
  everywhereOnly: ReadonlySet<string>,
): boolean {
  const concerns = (subject: Subject) => {
    if (subject.kind === 'User') return subject.name === user.name;
    if (subject.kind === 'Group') return user.groups.includes(subject.name);
    return user.name === `system:serviceaccount:${subject.namespace}:${subject.name}`;
  };
  const hasOrAll = (list: readonly string[] | undefined, value: string) =>
    (list ?? []).some((item) => item === '*' || item === value);
  const allows = (rule: PolicyRule) => {
    if (!hasOrAll(rule.verbs, wanted.verb)) return false;
    if ('path' in wanted) {
      return (rule.nonResourceURLs ?? []).some((url) =>
        url.endsWith('*') ? wanted.path.startsWith(url.slice(0, -1)) : url === wanted.path,
      );
    }
    const full = wanted.subresource === '' ? wanted.resource : `${wanted.resource}/${wanted.subresource}`;
    const named = (rule.resources ?? []).some(
      (item) => item === '*' || item === full || (wanted.subresource !== '' && item === `*/${wanted.subresource}`),
    );
    const names = rule.resourceNames ?? [];
    return named && hasOrAll(rule.apiGroups, wanted.group) && (names.length === 0 || names.includes(wanted.name));
  };
  for (const binding of bindings) {
    const inScope =
      binding.namespace === '' ||
      (!('path' in wanted) &&
        binding.namespace === wanted.namespace &&
        !everywhereOnly.has(`${wanted.group}/${wanted.resource}`));
    if (!inScope || !binding.subjects.some(concerns)) continue;
    const role = roles.findLast(
      ({ kind, name, namespace }) =>
        kind === binding.role.kind &&
        name === binding.role.name &&
        (kind === 'ClusterRole' || namespace === binding.namespace),
    );
    if (role?.rules.some(allows) === true) return true;
  }
  return false;
}

test('the compiled table decides as a walk over every rule does', () => {
  fc.assert(
    fc.property(
      ROLES,
      BINDINGS,
      USER,
      fc.array(WANTED, { minLength: 5, maxLength: 10 }),
      fc.subarray(['/secrets', 'products.backline.dev/plans']),
      (roles, bindings, user, all, listed) => {
        const everywhereOnly = new Set(listed);
        const table = compileRules(roles, bindings, everywhereOnly);
        for (const wanted of all) {
          const { allowed, reason } = authorize(table, user, wanted);
          assert.equal(allowed, naive(roles, bindings, user, wanted, everywhereOnly), JSON.stringify(wanted));
          assert.equal(reason !== '', allowed, 'an allowed request has a reason');
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a table that roles and bindings changed one by one decides as one that is compiled of what is left', () => {
  const change = fc.oneof(
    fc.record({ put: fc.boolean(), role: ROLE }),
    fc.record({ put: fc.boolean(), binding: BINDING }),
  );
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 40 }),
      fc.array(fc.tuple(USER, WANTED), { minLength: 5, maxLength: 20 }),
      (changes, questions) => {
        const table = new ChangingRules();
        const roles = new Map<string, RoleRules>();
        const bindings = new Map<string, Binding>();
        for (const one of changes) {
          if ('role' in one) {
            const key = `${one.role.namespace}/${one.role.name}`;
            if (one.put) roles.set(key, one.role);
            else roles.delete(key);
            if (one.put) table.putRole(one.role);
            else table.removeRole(one.role);
            continue;
          }
          const key = `${one.binding.namespace}/${one.binding.name}`;
          if (one.put) bindings.set(key, one.binding);
          else bindings.delete(key);
          if (one.put) table.putBinding(one.binding);
          else table.removeBinding(one.binding);
        }
        const compiled = compileRules(roles.values(), bindings.values());
        for (const [user, wanted] of questions) {
          const { allowed } = authorize(table, user, wanted);
          assert.equal(allowed, authorize(compiled, user, wanted).allowed, JSON.stringify(wanted));
          assert.equal(allowed, naive([...roles.values()], [...bindings.values()], user, wanted, new Set()));
        }
        for (const { kind, namespace, name, rules } of roles.values())
          assert.equal(table.role(kind, namespace, name), rules);
        for (const binding of bindings.values()) table.removeBinding(binding);
        for (const role of roles.values()) table.removeRole(role);
        assert.equal(table.grants.size, 0, 'nothing of the removed is kept');
      },
    ),
    { numRuns: 1_000 },
  );
});

test('the rules that a user holds in a namespace allow exactly their requests there', () => {
  fc.assert(
    fc.property(ROLES, BINDINGS, USER, WANTED, (roles, bindings, user, wanted) => {
      const table = compileRules(roles, bindings);
      const rules = heldRules(table, user, 'path' in wanted ? '' : wanted.namespace);
      const everything: RoleRules = { kind: 'ClusterRole', namespace: '', name: 'held', rules };
      const binding: Binding = {
        namespace: '',
        name: 'held',
        role: { kind: 'ClusterRole', name: 'held' },
        subjects: [{ kind: 'User', name: user.name }],
      };
      assert.equal(
        authorize(compileRules([everything], [binding]), user, wanted).allowed,
        authorize(table, user, wanted).allowed,
      );
    }),
  );
});

test('members of system:masters may do everything without any rule', () => {
  const table = compileRules([], []);
  const user = { name: 'root', groups: ['system:masters'] };
  assert.equal(authorize(table, user, { verb: 'delete', path: '/' }).allowed, true);
  const wanted = { verb: 'get', group: '', resource: 'secrets', subresource: '', namespace: 'x', name: 'y' };
  assert.equal(authorize(table, user, wanted).allowed, true);
  assert.equal(authorize(table, { name: 'system:masters', groups: [] }, wanted).allowed, false);
});

test('the reason names the binding, the role and the subject as kube-apiserver does', () => {
  const roles: RoleRules[] = [
    {
      kind: 'ClusterRole',
      namespace: '',
      name: 'view',
      rules: [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }],
    },
  ];
  const wanted = { verb: 'get', group: '', resource: 'secrets', subresource: '', namespace: 'growth', name: 'y' };
  const role = { kind: 'ClusterRole', name: 'view' };
  const inGrowth = compileRules(roles, [
    {
      namespace: 'growth',
      name: 'viewers',
      role,
      subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'growth' }],
    },
  ]);
  const robot = { name: 'system:serviceaccount:growth:robot', groups: [] };
  assert.equal(
    authorize(inGrowth, robot, wanted).reason,
    'RBAC: allowed by RoleBinding "viewers/growth" of ClusterRole "view" to ServiceAccount "robot/growth"',
  );
  const everywhere = compileRules(roles, [
    { namespace: '', name: 'all', role, subjects: [{ kind: 'Group', name: 'editors' }] },
  ]);
  assert.equal(
    authorize(everywhere, { name: 'ann', groups: ['editors'] }, wanted).reason,
    'RBAC: allowed by ClusterRoleBinding "all" of ClusterRole "view" to Group "editors"',
  );
});

test('a user who may write an object of some kind in some place differs from one who may write none', () => {
  const role = (name: string, ...rules: PolicyRule[]): RoleRules => ({
    kind: 'ClusterRole',
    namespace: '',
    name,
    rules,
  });
  const plans = { apiGroups: ['products.backline.dev'], resources: ['plans'] };
  const table = compileRules(
    [
      role('reads', { ...plans, verbs: ['get', 'list', 'watch'] }, { verbs: ['post'], nonResourceURLs: ['*'] }),
      role('asks', { apiGroups: ['authorization.k8s.io'], resources: ['reviews'], verbs: ['create'] }),
      role('writes-one', { ...plans, verbs: ['update'], resourceNames: ['premium'] }),
      role('approves', { ...plans, resources: ['plans/status'], verbs: ['*'] }),
      role('writes', { apiGroups: ['*'], resources: ['*'], verbs: ['*'] }),
    ],
    ['reads', 'asks', 'writes-one', 'approves', 'writes'].map((name, index) => ({
      namespace: index % 2 === 0 ? 'growth' : '',
      name,
      role: { kind: 'ClusterRole', name },
      subjects: [{ kind: index === 4 ? 'Group' : 'User', name }],
    })),
  );
  const kinds = [
    { group: '', plural: 'secrets' },
    { group: 'products.backline.dev', plural: 'plans' },
  ];
  const may = (name: string, ...groups: string[]) => mayWriteSomething(table, { name, groups }, kinds);
  assert.deepEqual(
    ['nobody', 'reads', 'asks', 'approves'].filter((name) => may(name)),
    [],
  );
  assert.ok(may('writes-one'));
  assert.ok(may('nobody', 'writes'));
  assert.ok(may('nobody', 'system:masters'));
});
