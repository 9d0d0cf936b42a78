import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { stringify } from 'yaml';
import { Secret } from '#kernel/access/kinds/secret.ts';
import { openLog } from '#kernel/base/log.ts';
import { startBackline } from '#planes/start.ts';
import { startWorld, type Answer, type World } from '../support/backline.ts';
import { feature, plan } from '../support/catalogue.ts';
import { execute, findKubectls } from '../support/kubectl.ts';

const kubectls = await findKubectls();
const skip = kubectls.length === 0 ? 'SKIPPED: there is no kubectl on the PATH of this machine' : false;

const TOKENS = `
# token,user,uid,groups
ann-token-1234,ann,7,"growth,everybody"
bob-token-1234,bob,,everybody
`;

/** A world with two people: ann is in the group growth, bob is not. Neither may do anything yet. */
async function startOffice(t: TestContext, options: Parameters<typeof startWorld>[1] = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, TOKENS);
  return startWorld(t, { ...options, access: { tokenFile, ...options.access } });
}

const ANN = { token: 'ann-token-1234' };
const BOB = { token: 'bob-token-1234' };
const PRODUCTS = '/apis/products.backline.dev/v1/namespaces/default';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const rbac = 'rbac.authorization.k8s.io/v1';

function binding(name: string, role: string, subject: object, namespace = 'default'): object {
  return {
    apiVersion: rbac,
    kind: 'RoleBinding',
    metadata: { name, namespace },
    roleRef: { kind: 'ClusterRole', name: role },
    subjects: [subject],
  };
}

async function bind(world: World, name: string, role: string, subject: object): Promise<void> {
  const body = binding(name, role, subject);
  const made = await world.call('POST', `${RBAC}/namespaces/default/rolebindings`, { body });
  assert.equal(made.status, 201, made.text);
}

const growth = { kind: 'Group', name: 'growth' };
const bob = { kind: 'User', name: 'bob' };

interface RecordedRequest {
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
  readonly reason?: string;
  readonly dryRun: boolean;
  readonly changed: readonly string[];
  readonly groups: readonly string[];
  readonly mintedBy?: readonly string[];
  readonly userAgent: string;
  readonly requestId: string;
  readonly version?: string;
}

async function records(world: World, fieldSelector: string): Promise<readonly RecordedRequest[]> {
  const query = new URLSearchParams({ fieldSelector });
  const { json } = await world.call('GET', `/apis/audit.backline.dev/v1/auditrecords?${query.toString()}`);
  return json.items.map(({ spec }: { spec: RecordedRequest }) => spec);
}

function requireForbidden(answer: Answer, message: string | RegExp): void {
  assert.equal(answer.status, 403, answer.text);
  assert.equal(answer.json.reason, 'Forbidden');
  if (typeof message === 'string') assert.equal(answer.json.message, message);
  else assert.match(answer.json.message, message);
}

test('people may do what their roles say, and the record tells them apart', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;

  requireForbidden(
    await call('GET', `${PRODUCTS}/plans`, ANN),
    'plans.products.backline.dev is forbidden: User "ann" cannot list resource "plans" in API group "products.backline.dev" in the namespace "default"',
  );
  requireForbidden(
    await call('GET', '/api/v1/namespaces', BOB),
    'namespaces is forbidden: User "bob" cannot list resource "namespaces" in API group "" at the cluster scope',
  );
  assert.equal((await call('GET', '/apis', ANN)).status, 200, 'what there is may be read by everybody who is known');
  assert.equal((await call('GET', '/openapi/v3', BOB)).status, 200);

  await bind(world, 'growth-edits', 'edit', growth);
  await bind(world, 'bob-views', 'view', bob);
  const body = feature('offline');
  assert.equal((await call('POST', `${PRODUCTS}/features`, { ...ANN, body })).status, 201);
  assert.equal((await call('GET', `${PRODUCTS}/features/offline`, BOB)).status, 200);
  requireForbidden(
    await call('PATCH', `${PRODUCTS}/features/offline`, {
      ...BOB,
      body: { spec: { title: 'mine' } },
      headers: { 'content-type': 'application/merge-patch+json' },
    }),
    'features.products.backline.dev "offline" is forbidden: User "bob" cannot patch resource "features" in API group "products.backline.dev" in the namespace "default"',
  );
  requireForbidden(await call('GET', '/apis/products.backline.dev/v1/features', BOB), /at the cluster scope$/);
  requireForbidden(await call('GET', `/api/v1/namespaces/default/secrets`, BOB), /cannot list resource "secrets"/);
  requireForbidden(await call('DELETE', `${PRODUCTS}/features`, BOB), /cannot deletecollection/);
  requireForbidden(
    await call('PATCH', `${PRODUCTS}/features/offline/status`, { ...ANN, body: {} }),
    /"features\/status"/,
  );
  requireForbidden(
    await call('POST', `${RBAC}/namespaces/default/roles`, { ...ANN, body: {} }),
    /cannot create resource "roles"/,
  );

  const changed = await call('PATCH', `${PRODUCTS}/features/offline`, {
    ...ANN,
    body: { spec: { title: 'Offline' }, metadata: { labels: { tier: 'paid' } } },
    headers: { 'content-type': 'application/merge-patch+json', 'user-agent': 'office/1', 'x-request-id': 'ann-1' },
  });
  assert.equal(changed.status, 200, changed.text);
  const [last, first] = await records(world, 'resource=features,user=ann,reason=');
  assert.deepEqual(
    { ...last, groups: [...(last?.groups ?? [])].sort() },
    {
      user: 'ann',
      groups: ['everybody', 'growth', 'system:authenticated'],
      address: '127.0.0.1',
      userAgent: 'office/1',
      requestId: 'ann-1',
      verb: 'patch',
      group: 'products.backline.dev',
      resource: 'features',
      namespace: 'default',
      name: 'offline',
      dryRun: false,
      code: 200,
      version: changed.json.metadata.resourceVersion,
      changed: last?.changed,
    },
  );
  assert.deepEqual([...(last?.changed ?? [])].sort(), ['metadata.labels.tier', 'spec.title']);
  assert.deepEqual([first?.verb, first?.code, first?.changed], ['create', 201, []]);
  const [forbidden] = await records(world, 'user=bob,verb=patch');
  assert.deepEqual(
    [forbidden?.name, forbidden?.code, forbidden?.reason, forbidden?.version],
    ['offline', 403, 'access/forbidden', undefined],
  );
});

test('without a credential, or with a wrong one, there is no answer', async (t) => {
  await using world = await startOffice(t);
  for (const token of ['', 'wrong', 'eyJhbGciOiJub25lIn0.eyJpc3MiOiJiYWNrbGluZSJ9.']) {
    const answer = await world.call('GET', '/apis', { token });
    assert.equal(answer.status, 401);
    assert.equal(answer.json.reason, 'Unauthorized');
  }
});

test('who impersonates needs the right to each part, gets the rights of the other, and stays on record', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;
  await bind(world, 'bob-edits', 'edit', bob);
  const as = (user: string, more: object = {}) => ({ headers: { 'impersonate-user': user, ...more } });
  const at = `${PRODUCTS}/features`;
  requireForbidden(await call('GET', at, { ...ANN, ...as('bob') }), /"ann" cannot impersonate resource "users".*/);
  const rules = [
    { verbs: ['impersonate'], apiGroups: [''], resources: ['users'], resourceNames: ['bob'] },
    { verbs: ['impersonate'], apiGroups: [''], resources: ['groups'], resourceNames: ['growth'] },
    { verbs: ['impersonate'], apiGroups: ['authentication.k8s.io'], resources: ['userextras/reason'] },
  ];
  const role = { apiVersion: rbac, kind: 'ClusterRole', metadata: { name: 'as-bob' }, rules };
  assert.equal((await call('POST', `${RBAC}/clusterroles`, { body: role })).status, 201);
  const everywhere = {
    ...binding('as-bob', 'as-bob', { kind: 'User', name: 'ann' }),
    kind: 'ClusterRoleBinding',
    metadata: { name: 'as-bob' },
  };
  assert.equal((await call('POST', `${RBAC}/clusterrolebindings`, { body: everywhere })).status, 201);
  const made = await call('POST', at, { ...ANN, ...as('bob'), body: feature('offline') });
  assert.equal(made.status, 201, made.text);
  const [record] = await records(world, 'user=bob,verb=create');
  assert.deepEqual([record?.name, record?.mintedBy], ['offline', ['ann']]);
  requireForbidden(await call('GET', at, ANN), /"ann" cannot list/);
  requireForbidden(await call('GET', at, { ...ANN, ...as('admin') }), /cannot impersonate resource "users"/);
  requireForbidden(
    await call('GET', at, { ...ANN, ...as('bob', { 'impersonate-group': 'system:masters' }) }),
    /cannot impersonate resource "groups"/,
  );
  requireForbidden(await call('GET', at, { ...ANN, ...as('bob', { 'impersonate-uid': '7' }) }), /resource "uids"/);
  const whoami = await call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    ...ANN,
    ...as('bob', { 'impersonate-group': 'growth', 'impersonate-extra-reason': 'a%20try' }),
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
  });
  const { username, groups, extra } = whoami.json.status.userInfo;
  assert.deepEqual([username, groups], ['bob', ['growth', 'system:authenticated']]);
  assert.deepEqual(extra, { reason: ['a%20try'] });
  for (const headers of [{ 'impersonate-group': 'growth' }, { 'impersonate-user': 'bob', 'impersonate-nobody': 'x' }]) {
    const answer = await call('GET', '/apis', { ...ANN, headers });
    assert.deepEqual([answer.status, answer.json.reason], [400, 'BadRequest'], answer.text);
  }
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ci' } };
  assert.equal((await call('POST', '/api/v1/namespaces/default/serviceaccounts', { body: account })).status, 201);
  await bind(world, 'ci-edits', 'edit', { kind: 'ServiceAccount', name: 'ci', namespace: 'default' });
  const ci = as('system:serviceaccount:default:ci');
  requireForbidden(await call('GET', at, { ...ANN, ...ci }), /cannot impersonate resource "serviceaccounts"/);
  assert.equal((await call('GET', at, ci)).status, 200, 'administrators may impersonate everybody');
});

test('others verify tokens of service accounts by the documents of the issuer', async (t) => {
  const issuer = 'https://backline.example.com';
  await using world = await startOffice(t, { access: { serviceAccountIssuer: issuer } });
  const { call } = world;
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ci' } };
  assert.equal((await call('POST', '/api/v1/namespaces/default/serviceaccounts', { body: account })).status, 201);
  const asked = await call('POST', '/api/v1/namespaces/default/serviceaccounts/ci/token', {
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: ['vault', 'backline'] } },
  });
  const { token } = asked.json.status;
  const { json: configuration } = await call('GET', '/.well-known/openid-configuration', { token });
  assert.deepEqual([configuration.issuer, configuration.jwks_uri], [issuer, `${issuer}/openid/v1/jwks`]);
  const { json: keys } = await call('GET', new URL(configuration.jwks_uri).pathname, { token });
  const verified = await jwtVerify(token, createLocalJWKSet(keys), { issuer, audience: 'vault' });
  assert.equal(verified.payload.sub, 'system:serviceaccount:default:ci');
  assert.equal(keys.keys[0].d, undefined, 'the private part stays here');
  requireForbidden(await call('GET', '/openid/v1/jwks', ANN), /"ann" cannot get path/);
  assert.equal((await call('GET', '/openid/v1/jwks', { token: '' })).status, 401);
});

test('without an address as issuer there is no discovery, and the refusal says how', async (t) => {
  await using world = await startOffice(t);
  const answer = await world.call('GET', '/.well-known/openid-configuration');
  assert.equal(answer.status, 404);
  assert.match(answer.json.message, /no URL as their issuer.*--service-account-issuer/);
});

test('dry runs, repetitions and refusals are on record, newest first and in pages', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;
  await bind(world, 'growth-edits', 'edit', growth);
  const at = `${PRODUCTS}/features`;
  await call('POST', `${at}?dryRun=All`, { ...ANN, body: feature('a') });
  await call('POST', at, { ...ANN, body: feature('a') });
  await call('POST', at, { ...ANN, body: feature('a') });
  await call('POST', at, { ...ANN, body: feature('b', { type: 'nonsense' }) });
  await call('PUT', `${at}/a`, { ...ANN, body: { ...(await call('GET', `${at}/a`)).json } });
  await call('DELETE', `${at}/a`, ANN);
  await call('DELETE', at, ANN);
  assert.equal((await call('DELETE', `${at}/%00`, ANN)).status, 400, 'no name has it');
  await call('POST', at, { ...ANN, body: feature('\0') });
  const seen = await records(world, 'user=ann');
  assert.deepEqual(
    seen.map(({ verb, name, code, reason, dryRun }) => [verb, name, code, reason, dryRun]),
    [
      ['create', '\uFFFD', 422, 'resources/invalid', false],
      ['deletecollection', '', 200, undefined, false],
      ['delete', 'a', 200, undefined, false],
      ['update', 'a', 200, undefined, false],
      ['create', 'b', 422, 'resources/invalid', false],
      ['create', 'a', 409, 'resources/already-exists', false],
      ['create', 'a', 201, undefined, false],
      ['create', 'a', 201, undefined, true],
    ],
  );
  const list = '/apis/audit.backline.dev/v1/auditrecords';
  const names: string[] = [];
  for (let token = ''; ;) {
    const page = await call('GET', `${list}?limit=2&fieldSelector=user%3Dann&continue=${token}`);
    names.push(...page.json.items.map((item: { metadata: { name: string } }) => item.metadata.name));
    assert.ok(page.json.items.length <= 2);
    token = page.json.metadata.continue ?? '';
    if (token === '') break;
  }
  assert.equal(names.length, seen.length);
  assert.equal(new Set(names).size, seen.length);
  const one = await call('GET', `${list}/${names[0]}`);
  assert.equal(one.json.spec.verb, 'create');
  assert.equal((await call('GET', `${list}/change-999999`)).status, 404);
  assert.equal((await call('GET', `${list}/nonsense`)).status, 404);
  requireForbidden(await call('GET', list, ANN), /cannot list resource "auditrecords"/);
  assert.equal((await call('DELETE', list)).status, 405);
  const plans = '/apis/products.backline.dev/v1/namespaces/default/plans';
  const allowed = {
    [list]: 'GET, HEAD',
    [plans]: 'GET, HEAD, POST, DELETE',
    [`${plans}/premium`]: 'GET, HEAD, PUT, PATCH, DELETE',
    '/apis': 'GET, HEAD',
  };
  for (const [path, methods] of Object.entries(allowed)) {
    for (const method of ['OPTIONS', 'TRACE']) {
      const { status, headers } = await call(method, path);
      assert.deepEqual([status, headers['allow']], [405, methods], `${method} ${path}`);
    }
  }
});

test('a change set is authorized object by object, and refused as a whole', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;
  await bind(world, 'growth-edits', 'edit', growth);
  await call('POST', '/api/v1/namespaces', { body: { metadata: { name: 'other' } } });
  const post = (objects: object[], dryRun = false) =>
    call('POST', `/apis/releases.backline.dev/v1/changesets${dryRun ? '?dryRun=All' : ''}`, {
      ...ANN,
      body: { metadata: { name: 'change' }, spec: { objects } },
    });
  const elsewhere = { ...feature('there'), metadata: { name: 'there', namespace: 'other' } };
  for (const dryRun of [true, false]) {
    const answer = await post([feature('here'), elsewhere], dryRun);
    requireForbidden(
      answer,
      /^features\.products\.backline\.dev is forbidden: User "ann" cannot create .* namespace "other"/,
    );
    assert.equal(answer.json.details.causes[0].field, 'objects[1]');
  }
  assert.equal((await call('GET', `${PRODUCTS}/features/here`)).status, 404);
  assert.equal((await post([feature('here'), plan('p', { entitlements: [{ feature: 'here' }] })])).status, 201);
  const role = { apiVersion: rbac, kind: 'ClusterRole', metadata: { name: 'mine' }, rules: [] };
  requireForbidden(await post([role]), /clusterroles\.rbac/);
  const rows = await records(world, 'user=ann,code=201');
  assert.deepEqual(rows.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`).sort(), [
    'create changesets ',
    'create features here',
    'create plans p',
  ]);
  assert.equal(new Set(rows.map(({ requestId }) => requestId)).size, 1);
});

test('nobody grants what they do not hold', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;
  await bind(world, 'growth-admins', 'admin', growth);
  const roles = `${RBAC}/namespaces/default/roles`;
  const bindings = `${RBAC}/namespaces/default/rolebindings`;
  const role = (name: string, ...rules: object[]) => ({ apiVersion: rbac, kind: 'Role', metadata: { name }, rules });
  const readPlans = { apiGroups: ['products.backline.dev'], resources: ['plans'], verbs: ['get'] };
  const leases = { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'delete'] };
  const merge = { 'content-type': 'application/merge-patch+json' };

  assert.equal((await call('POST', roles, { ...ANN, body: role('reader', readPlans) })).status, 201);
  requireForbidden(
    await call('POST', roles, { ...ANN, body: role('more', readPlans, leases) }),
    /^roles\.rbac\.authorization\.k8s\.io "more" is forbidden: user "ann" \(groups=.*\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\["coordination\.k8s\.io"\], Resources:\["leases"\], Verbs:\["get"\]\}\n\{.*"delete"/,
  );
  requireForbidden(
    await call('PATCH', `${roles}/reader`, {
      ...ANN,
      body: { rules: [{ ...readPlans, verbs: ['*'] }] },
      headers: merge,
    }),
    /not currently held/,
  );
  assert.equal(
    (await call('PATCH', `${roles}/reader`, { ...ANN, body: { metadata: { labels: { a: 'b' } } }, headers: merge }))
      .status,
    200,
    'what does not change the rules is not about them',
  );
  assert.equal((await call('POST', bindings, { ...ANN, body: binding('bob-edits', 'edit', bob) })).status, 201);
  requireForbidden(
    await call('POST', bindings, { ...ANN, body: binding('up', 'cluster-admin', growth) }),
    /not currently held/,
  );
  assert.equal((await call('POST', bindings, { ...ANN, body: binding('up', 'nothing', growth) })).status, 404);
  const set = { metadata: { name: 'x' }, spec: { objects: [binding('up', 'cluster-admin', growth)] } };
  requireForbidden(
    await call('POST', '/apis/releases.backline.dev/v1/changesets', { ...ANN, body: set }),
    /not currently held/,
  );
  const moved = await call('PATCH', `${bindings}/bob-edits`, {
    ...ANN,
    body: { roleRef: { name: 'cluster-admin' } },
    headers: merge,
  });
  assert.equal(moved.status, 422, 'the role of a binding cannot be exchanged');

  const may = role(
    'may',
    {
      apiGroups: ['rbac.authorization.k8s.io'],
      resources: ['clusterroles'],
      verbs: ['bind'],
      resourceNames: ['cluster-admin'],
    },
    { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['escalate'] },
  );
  assert.equal((await call('POST', roles, { body: may })).status, 201);
  const roleRef = { kind: 'Role', name: 'may' };
  const toAnn = { ...binding('ann-may', '', { kind: 'User', name: 'ann' }), roleRef };
  assert.equal((await call('POST', bindings, { body: toAnn })).status, 201);
  assert.equal((await call('POST', roles, { ...ANN, body: role('more', readPlans, leases) })).status, 201);
  assert.equal((await call('POST', bindings, { ...ANN, body: binding('up', 'cluster-admin', bob) })).status, 201);
  assert.equal((await call('GET', '/api/v1/namespaces/default/secrets', BOB)).status, 200, 'in force at once');
  assert.equal((await call('DELETE', `${bindings}/up`)).status, 200);
  requireForbidden(await call('DELETE', '/api/v1/namespaces/default', BOB), /cannot delete/);
});

test('a rule for certain names allows to list and watch just those', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;
  const rule = {
    apiGroups: ['products.backline.dev'],
    resources: ['features'],
    verbs: ['get', 'list', 'watch'],
    resourceNames: ['offline'],
  };
  await call('POST', `${RBAC}/clusterroles`, { body: { metadata: { name: 'one' }, rules: [rule] } });
  await bind(world, 'bob-one', 'one', bob);
  for (const name of ['offline', 'lossless']) await call('POST', `${PRODUCTS}/features`, { body: feature(name) });
  const list = (selector: string) =>
    call('GET', `${PRODUCTS}/features?fieldSelector=${encodeURIComponent(selector)}`, BOB);
  assert.equal((await list('metadata.name=offline')).json.items.length, 1);
  for (const selector of ['', 'metadata.name=lossless', 'metadata.name!=offline', 'metadata.namespace=default']) {
    requireForbidden(await list(selector), /cannot list/);
  }
  assert.equal((await list('metadata.name=offline,metadata.name=lossless')).json.items.length, 0);
});

test('the default roles are there, follow their labels, and stay as somebody changed them', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const role = async (name: string) => (await call('GET', `${RBAC}/clusterroles/${name}`)).json;
  const allows = (rules: { resources?: string[]; verbs: string[] }[], resource: string, verb: string) =>
    rules.some(({ resources = [], verbs }) => resources.includes(resource) && verbs.includes(verb));
  const [view, edit, admin] = [await role('view'), await role('edit'), await role('admin')];
  assert.deepEqual(
    [view, edit, admin].map(({ rules }) => [
      allows(rules, 'plans', 'list'),
      allows(rules, 'heads', 'list'),
      allows(rules, 'plans', 'update'),
      allows(rules, 'secrets', 'get'),
      allows(rules, 'rolebindings', 'create'),
    ]),
    [
      [true, true, false, false, false],
      [true, true, true, true, false],
      [true, true, true, true, true],
    ],
  );
  const headers = { 'content-type': 'application/merge-patch+json' };
  const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
  const rules = [{ apiGroups: ['games.example'], resources: ['games'], verbs: ['get'] }];
  await call('POST', `${RBAC}/clusterroles`, { body: { metadata: { name: 'games', labels }, rules } });
  await until(async () => allows((await role('admin')).rules, 'games', 'get'));
  await call('PATCH', `${RBAC}/clusterroles/system:aggregate-to-view`, { body: { rules }, headers });
  await until(async () => !allows((await role('admin')).rules, 'namespaces', 'watch'));
  await call('DELETE', `${RBAC}/clusterroles/cluster-admin`);
  await call('DELETE', `${RBAC}/clusterrolebindings/system:discovery`);
  await world.restart();
  assert.deepEqual((await role('system:aggregate-to-view')).rules, rules);
  assert.equal((await role('cluster-admin')).rules.length, 2);
  assert.equal((await call('GET', `${RBAC}/clusterrolebindings/system:discovery`)).status, 200);
  const version = (await role('view')).metadata.resourceVersion;
  await world.restart();
  assert.equal((await role('view')).metadata.resourceVersion, version, 'a start that finds everything writes nothing');
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await holds())) assert.ok(performance.now() < deadline, 'it did not come to be');
}

test('a token of a service account works until its time, and no longer than the account', async (t) => {
  let now = Temporal.Instant.from('2026-11-22T00:00:00Z');
  await using world = await startWorld(t, { clock: () => now });
  const { call } = world;
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  const make = () => call('POST', accounts, { body: { metadata: { name: 'robot' } } });
  const ask = async (spec: object = {}) => {
    const answer = await call('POST', `${accounts}/robot/token`, { body: { spec } });
    return answer.json.status?.token as string;
  };
  const whoami = (token: string) =>
    call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {}, token });
  assert.equal((await call('POST', `${accounts}/robot/token`, { body: { spec: {} } })).status, 404);
  const { uid } = (await make()).json.metadata;
  const short = await ask({ expirationSeconds: 600 });
  const { userInfo } = (await whoami(short)).json.status;
  assert.equal(userInfo.username, 'system:serviceaccount:default:robot');
  assert.equal(userInfo.uid, uid);
  assert.deepEqual(userInfo.groups, [
    'system:serviceaccounts',
    'system:serviceaccounts:default',
    'system:authenticated',
  ]);
  const other = await ask({ audiences: ['somebody-else'] });
  assert.equal((await whoami(other)).status, 401, 'a token for somebody else is not for us');
  assert.equal((await whoami(`${short.slice(0, -8)}AAAAAAAA`)).status, 401);
  const reviewToken = async (spec: object, token?: string) => {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec };
    return call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body, ...(token && { token }) });
  };
  const good = (await reviewToken({ token: short })).json.status;
  assert.deepEqual([good.authenticated, good.user.username, good.user.uid], [true, userInfo.username, uid]);
  const meant = (await reviewToken({ token: other, audiences: ['somebody-else', 'x'] })).json.status;
  assert.deepEqual([meant.authenticated, meant.audiences], [true, ['somebody-else']]);
  for (const spec of [{ token: other }, { token: 'nonsense' }, { token: short, audiences: ['somebody-else'] }]) {
    const bad = (await reviewToken(spec)).json.status;
    assert.deepEqual([bad.authenticated, bad.user], [false, {}], JSON.stringify(spec));
  }
  const own = (await reviewToken({ token: world.connection.token })).json.status;
  assert.deepEqual([own.authenticated, own.user.username], [true, 'admin']);
  assert.equal((await reviewToken({ token: short }, short)).status, 403, 'who asks needs a right to it');
  assert.equal(
    (await call('POST', `${accounts}/robot/token`, { body: { spec: { expirationSeconds: 10 } } })).status,
    422,
  );

  const long = await ask({ expirationSeconds: 86_400 });
  now = now.add({ minutes: 20 });
  assert.equal((await whoami(short)).status, 401);
  await world.restart();
  assert.equal((await whoami(long)).status, 201, 'the key outlives the process');

  const subject = { kind: 'ServiceAccount', name: 'robot', namespace: 'default' };
  await bind(world, 'robot-views', 'view', subject);
  assert.equal((await call('GET', `${PRODUCTS}/plans`, { token: long })).status, 200);
  assert.equal((await call('DELETE', `${accounts}/robot`)).status, 200);
  assert.equal((await whoami(long)).status, 401);
  await make();
  assert.equal((await whoami(long)).status, 401, 'an account of the same name is another account');
  assert.equal((await whoami(await ask())).status, 201);
  const [row] = await records(world, 'resource=serviceaccounts/token,code=201');
  assert.deepEqual([row?.verb, row?.name, row?.resource], ['create', 'robot', 'serviceaccounts/token']);
});

test('a token names who minted it, through tokens that minted it, and what it writes is on record with them', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  for (const name of ['first', 'second', ...Array.from({ length: 20 }, (_, index) => `chained-${index}`)]) {
    assert.equal((await call('POST', accounts, { body: { metadata: { name } } })).status, 201);
    await bind(world, `${name}-edits`, 'edit', { kind: 'ServiceAccount', name, namespace: 'default' });
  }
  const mint = (name: string, token?: string) =>
    call('POST', `${accounts}/${name}/token`, { body: { spec: {} }, ...(token === undefined ? {} : { token }) });
  const tokenIn = ({ json }: Answer): string => json.status.token;
  const first = tokenIn(await mint('first'));
  const second = tokenIn(await mint('second', first));
  const who = await call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {}, token: second });
  const minters = who.json.status.userInfo.extra['backline.dev/minted-by'];
  assert.deepEqual(minters, ['system:serviceaccount:default:first', 'admin']);
  const body = { metadata: { name: 'made-with-a-token' } };
  assert.equal((await call('POST', '/api/v1/namespaces/default/configmaps', { body, token: second })).status, 201);
  const [row] = await records(world, 'resource=configmaps,name=made-with-a-token');
  assert.deepEqual((row as unknown as { mintedBy: unknown }).mintedBy, minters);

  let token = second;
  let answer = await mint('chained-0', token);
  for (let index = 1; answer.status === 201; index += 1) {
    assert.ok(index < 20, 'the chain has an end');
    token = tokenIn(answer);
    answer = await mint(`chained-${index}`, token);
  }
  assert.deepEqual([answer.status, answer.json.reason], [403, 'Forbidden']);
  assert.match(answer.json.message, /at most 16/);
});

test('secrets are read by who may, and stand nowhere in the clear', async (t) => {
  await using world = await startOffice(t);
  const { call, database } = world;
  const marker = 'hunter2-marker';
  const encoded = Buffer.from(marker).toString('base64');
  const secrets = '/api/v1/namespaces/default/secrets';
  const merge = { 'content-type': 'application/merge-patch+json' };
  const last = JSON.stringify({ stringData: { password: marker } });
  const made = await call('POST', secrets, {
    body: {
      metadata: { name: 'keys', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': last } },
      data: { user: Buffer.from('root').toString('base64') },
      stringData: { password: marker },
    },
  });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.json.data, { user: 'cm9vdA==', password: encoded });
  assert.equal(made.json.type, 'Opaque');
  assert.equal(made.json.stringData, undefined);
  const patch = (body: object) => call('PATCH', `${secrets}/keys`, { body, headers: merge });
  assert.equal((await patch({ stringData: { password: `${marker}-2` } })).status, 200);
  assert.equal((await patch({ type: 'other' })).status, 422);

  // A refusal never repeats the value, in whatever way it was wrong.
  const jsonPatch = { 'content-type': 'application/json-patch+json' };
  const refusals = [
    await call('POST', secrets, { body: { metadata: { name: 'x' }, data: { a: marker } } }),
    await call('POST', secrets, { body: { metadata: { name: 'x' }, data: { a: [marker] } } }),
    await call('POST', secrets, { body: { metadata: { name: 'x' }, stringData: { a: { b: marker } } } }),
    await call('POST', secrets, { body: `{"metadata":{"name":"x"},"stringData":{"a":"${marker}"` }),
    await call('POST', secrets, { body: `{"metadata":{"name":"x"},"stringData":{"a":"${marker}\n"}}` }),
    await call('PATCH', `${secrets}/keys`, {
      body: [{ op: 'test', path: '/data/password', value: marker }],
      headers: jsonPatch,
    }),
    await patch({ data: { password: marker } }),
    await call('POST', '/apis/releases.backline.dev/v1/changesets', {
      body: {
        metadata: { name: 's' },
        spec: { objects: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, data: { a: marker } }] },
      },
    }),
  ];
  for (const { status, text } of refusals) {
    assert.ok(status === 400 || status === 422, text);
    assert.doesNotMatch(text, /hunter2|aHVudGVy/, text);
  }
  const planned = await call('POST', '/apis/releases.backline.dev/v1/changesets?dryRun=All', {
    body: {
      metadata: { name: 's' },
      spec: {
        objects: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys' }, stringData: { password: marker } }],
      },
    },
  });
  assert.equal(planned.status, 201, planned.text);
  assert.match(planned.text, /data\.password/);
  assert.doesNotMatch(planned.text.replace(last, ''), /hunter2|aHVudGVy/);

  const [changed] = await records(world, 'resource=secrets,verb=patch,code=200');
  assert.deepEqual(changed?.changed, ['data.password']);
  const bounds = { limit: 10, bytesMax: 1e6 };
  const kept = await world.running.control?.store.history(Secret, 'default', 'keys', bounds);
  const history = kept?.items ?? [];
  assert.equal(history.length, 2);
  assert.doesNotMatch(JSON.stringify(history), /hunter2|aHVudGVy/);
  assert.match(history[0]?.text ?? '', /"password":"\(secret\)"/);

  const [rows] = await database.query<{ all: string }>(`
    select (select json_agg(c)::text from backline.changes c) || (select json_agg(o)::text from backline.objects o) ||
      (select json_agg(a)::text from backline.attempts a) || coalesce((select json_agg(r)::text from backline.revisions r), '') ||
      (select json_agg(k)::text from backline.signing_keys k) as all`);
  assert.match(rows?.all ?? '', /aes-256-gcm:/);
  assert.doesNotMatch(rows?.all ?? '', /hunter2|aHVudGVy|PRIVATE KEY/);

  await world.restart();
  const read = await call('GET', `${secrets}/keys`);
  assert.equal(Buffer.from(read.json.data.password, 'base64').toString(), `${marker}-2`);
  await bind(world, 'bob-views', 'view', bob);
  requireForbidden(await call('GET', `${secrets}/keys`, BOB), /cannot get resource "secrets"/);
  await bind(world, 'growth-edits', 'edit', growth);
  assert.equal((await call('GET', `${secrets}/keys`, ANN)).status, 200);

  assert.equal((await patch({ immutable: true })).status, 200);
  assert.equal((await patch({ stringData: { password: 'new' } })).status, 422);
});

test('keys rotate; without the right one there is no start', async (t) => {
  await using world = await startWorld(t);
  const { call, dataDirectory } = world;
  const secrets = '/api/v1/namespaces/default/secrets';
  await call('POST', secrets, { body: { metadata: { name: 'old' }, stringData: { a: 'b' } } });
  const file = join(dataDirectory, 'encryption-keys');
  const before = await readFile(file, 'utf8');
  await writeFile(file, `next ${Buffer.alloc(32, 7).toString('base64')}\n${before}`);
  await world.restart();
  await call('POST', secrets, { body: { metadata: { name: 'new' }, stringData: { a: 'c' } } });
  assert.deepEqual(
    (await call('GET', secrets)).json.items.map((item: { data: object }) => item.data),
    [{ a: 'Yw==' }, { a: 'Yg==' }],
  );
  const sealed = await world.database.query<{ name: string; body: string }>(
    "select name, body from backline.changes where kind = 'Secret' order by version",
  );
  assert.match(sealed[1]?.body ?? '', /^aes-256-gcm:next:/);
  await world.running.close();
  await writeFile(file, `next ${Buffer.alloc(32, 7).toString('base64')}\n`);
  await assert.rejects(
    startBackline({
      roles: ['api'],
      host: '127.0.0.1',
      port: 0,
      dataDirectory,
      databaseUrl: world.databaseUrl,
      log: openLog('silent'),
    }),
    { code: 'access/cannot-open' },
  );
});

test('every kubectl asks what it may, gets tokens, and works with roles and secrets', { skip }, async (t) => {
  for (const kubectl of kubectls) {
    await t.test(kubectl.version, async (t) => {
      await using world = await startOffice(t);
      const folder = await mkdtemp(join(tmpdir(), 'backline-kubectl-'));
      t.after(() => rm(folder, { recursive: true, force: true }));
      const base = ['--kubeconfig', world.running.kubeconfigFile, '--cache-dir', join(folder, 'cache')];
      const run = (args: string, token?: string, input = '') =>
        execute(kubectl.file, [...base, ...(token === undefined ? [] : ['--token', token]), ...args.split(' ')], input);
      const ok = async (args: string, token?: string, input?: string) => {
        const ran = await run(args, token, input);
        assert.equal(ran.code, 0, `kubectl ${args}\n${ran.stdout}${ran.stderr}`);
        return ran.stdout;
      };
      const [ann, bobs] = [ANN.token, BOB.token];

      await ok('create rolebinding growth-edits --clusterrole=edit --group=growth');
      assert.match(await ok('get rolebindings -o wide'), /growth-edits\s+ClusterRole\/edit\s+.*growth/);
      assert.match(await ok('get clusterroles'), /cluster-admin\s+\d{4}-/);
      assert.match(await ok('describe clusterrole view'), /plans\.products\.backline\.dev/);

      assert.match(await ok('auth whoami', ann), /Username\s+ann[\s\S]*growth/);
      assert.match(await ok('auth can-i create plans', ann), /yes/);
      assert.equal((await run('auth can-i create plans', bobs)).code, 1);
      assert.equal((await run('auth can-i delete namespaces', ann)).code, 1);
      assert.match(await ok('auth can-i create plans -v=0 --quiet=false', ann), /yes/);
      assert.match(await ok('auth can-i --list', ann), /plans\.products\.backline\.dev/);
      assert.doesNotMatch(await ok('auth can-i --list', bobs), /plans\.products\.backline\.dev/);
      assert.match((await run('get plans', bobs)).stderr, /User "bob" cannot list resource "plans"/);
      assert.match(await ok('get plans', ann, ''), /^$/);

      await ok('create serviceaccount robot');
      assert.match(await ok('get sa'), /robot\s+0/);
      await ok('create role reader --verb=get,list --resource=features.products.backline.dev');
      await ok('create rolebinding robot-reads --role=reader --serviceaccount=default:robot');
      const token = (await ok('create token robot --duration=10m')).trim();
      assert.match(await ok('auth whoami', token), /system:serviceaccount:default:robot/);
      await ok('get features', token);
      assert.match((await run('get plans', token)).stderr, /Forbidden/);

      await ok('create secret generic keys --from-literal=password=hunter2');
      assert.match(await ok('get secrets'), /keys\s+Opaque\s+1/);
      assert.equal(await ok('get secret keys -o jsonpath={.data.password}', ann), 'aHVudGVyMg==');
      assert.match((await run('get secret keys', bobs)).stderr, /Forbidden/);
      assert.match(await ok('describe secret keys'), /password:\s+7 bytes/);
      const applied = stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'applied' },
        stringData: { a: 'b' },
      });
      await ok('apply -f -', undefined, applied);
      await ok('apply -f -', undefined, applied.replace('a: b', 'a: c'));
      assert.equal(await ok('get secret applied -o jsonpath={.data.a}'), 'Yw==');
      const role = stringify({
        apiVersion: rbac,
        kind: 'Role',
        metadata: { name: 'applied' },
        rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }],
      });
      await ok('apply -f -', undefined, role);
      await ok('apply -f -', undefined, role.replace('- get', '- list'));
      assert.match(await ok('get role applied -o jsonpath={.rules[0].verbs}'), /list/);

      const audit = await ok('get auditrecords --chunk-size=3');
      assert.match(audit, /admin\s+create\s+secrets default\/keys\s+201/);
      assert.match(await ok('get auditrecords --field-selector=resource=serviceaccounts/token'), /robot/);
      assert.doesNotMatch(await ok('get auditrecords -o yaml'), /hunter2|aHVudGVy/);
    });
  }
});
