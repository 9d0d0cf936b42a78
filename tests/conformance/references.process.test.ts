import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { startWorld, type Answer, type World } from '../support/backline.ts';
import { feature, market, plan, price } from '../support/catalogue.ts';
import { attribute, experiment, flag, holdout, when } from '../support/flags.ts';

interface DeclaredObject {
  readonly metadata: object;
}

/** The same object in another namespace. */
const inNamespace = (namespace: string, object: object): DeclaredObject => ({
  ...object,
  metadata: { ...(object as DeclaredObject).metadata, namespace },
});

const AMOUNT = { from: '2026-01-01', amount: '10.99', currency: 'EUR' };
const premiumPrice = (name: string, spec: object = {}) =>
  price(name, { plan: 'premium', market: 'de', timeline: [AMOUNT], ...spec });

/** aria owns the business; `ed` edits team-c alone, `adam` administers it, `ann` edits both. */
async function start(t: TestContext): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-references-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, 'tokens');
  await writeFile(tokenFile, ['ed', 'adam', 'ann', 'letter'].map((name) => `tok-${name},${name},${name}\n`).join(''));
  const world = await startWorld(t, { access: { tokenFile } });
  for (const name of ['aria', 'team-c']) {
    await create(world, '/api/v1/namespaces', { metadata: { name } });
  }
  await bind(world, 'team-c', 'ed', 'edit');
  await bind(world, 'team-c', 'adam', 'admin');
  await bind(world, 'team-c', 'ann', 'edit');
  await bind(world, 'aria', 'ann', 'edit');
  const business = [
    market('de'),
    feature('offline'),
    plan('premium', { entitlements: [{ feature: 'offline' }] }),
    flag('layout', {}),
  ];
  const declared = await declare(world, undefined, ...business.map((object) => inNamespace('aria', object)));
  assert.equal(declared.status, 201, declared.text);
  return world;
}

async function create({ call }: World, path: string, body: object): Promise<void> {
  const answer = await call('POST', path, { body });
  assert.equal(answer.status, 201, answer.text);
}

async function bind(world: World, namespace: string, user: string, role: string): Promise<void> {
  await create(world, `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: `${user}-${role}` },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
    roleRef: { kind: 'ClusterRole', apiGroup: 'rbac.authorization.k8s.io', name: role },
  });
}

function declare({ call }: World, user: string | undefined, ...objects: object[]): Promise<Answer> {
  const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: {}, spec: { objects } };
  return call('POST', '/apis/releases.backline.dev/v1/changesets', {
    body,
    ...(user === undefined ? {} : { token: `tok-${user}` }),
  });
}

const PRICES = '/apis/products.backline.dev/v1/namespaces/team-c/prices';

test('a reference to an object of another namespace needs refer there, however it is written', async (t) => {
  const world = await start(t);
  const { call } = world;
  const evil = inNamespace('team-c', premiumPrice('evil'));
  const refused = await call('POST', PRICES, { token: 'tok-ed', body: evil });
  assert.equal(refused.status, 403, refused.text);
  assert.match(
    refused.json.message,
    /plans\.products\.backline\.dev "premium" is forbidden: it belongs to another namespace/,
  );
  assert.doesNotMatch(refused.text, /aria/, 'a writer who may not read it does not learn its namespace');
  assert.equal((await declare(world, 'ed', evil)).status, 403);
  assert.equal((await call('POST', `${PRICES}?dryRun=All`, { token: 'tok-ed', body: evil })).status, 403);
  const others = [
    plan('cheap', { entitlements: [{ feature: 'offline' }] }),
    { ...flag('guarded', { requires: [{ flag: 'layout', variants: ['a'] }] }) },
  ];
  for (const object of others) {
    const { status, text } = await declare(world, 'ed', inNamespace('team-c', object));
    assert.equal(status, 403, text);
  }
  // A patch may not add the reference either, to an object without one.
  const own = [market('fr', { territories: ['FR'] }), plan('own')].map((object) => inNamespace('team-c', object));
  const mine = inNamespace(
    'team-c',
    price('mine', { plan: 'own', market: 'fr', timeline: [{ ...AMOUNT, from: '2090-01-01' }] }),
  );
  assert.equal((await declare(world, 'ed', ...own, mine)).status, 201);
  const patched = await call('PATCH', `${PRICES}/mine`, {
    token: 'tok-ed',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { plan: 'premium' } },
  });
  assert.equal(patched.status, 403, patched.text);

  // An editor of both namespaces may declare and label the price; an editor of team-c alone may not change it.
  assert.equal((await declare(world, 'ann', evil)).status, 201);
  const patch = (body: object) =>
    call('PATCH', `${PRICES}/evil`, {
      token: 'tok-ed',
      headers: { 'content-type': 'application/merge-patch+json' },
      body,
    });
  assert.equal((await patch({ metadata: { labels: { seen: 'yes' } } })).status, 200);
  assert.equal(
    (await patch({ spec: { timeline: [AMOUNT, { ...AMOUNT, from: '2090-01-01', amount: '0.01' }] } })).status,
    403,
  );
});

test('a name that others refer to before it is there is made by nobody who could not change those', async (t) => {
  const world = await start(t);
  const waiting = inNamespace('team-c', premiumPrice('early', { plan: 'future' }));
  // The market is of aria, so this needs one of team-c.
  const own = inNamespace('team-c', market('fr', { territories: ['FR'] }));
  const early = { ...waiting, spec: { plan: 'future', market: 'fr', interval: 'P1M', timeline: [AMOUNT] } };
  assert.equal((await declare(world, 'ed', own, early)).status, 201);
  await bind(world, 'aria', 'adam', 'edit');
  const future = inNamespace('aria', plan('future'));
  await bind(world, 'aria', 'letter', 'edit');
  const refused = await declare(world, 'letter', future);
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.json.message, /prices\.products\.backline\.dev of another namespace already refer to this name/);
  assert.equal((await declare(world, 'ann', future)).status, 201);
});

test('answers reveal nothing about objects that the writer may not read', async (t) => {
  const world = await start(t);
  const { call } = world;
  const secret = inNamespace('aria', premiumPrice('secret-price', { timeline: [{ ...AMOUNT, amount: '7.77' }] }));
  assert.equal((await declare(world, undefined, secret)).status, 201);
  const rule = { apiGroups: ['products.backline.dev'], resources: ['plans', 'markets', 'features'], verbs: ['refer'] };
  await create(world, '/apis/rbac.authorization.k8s.io/v1/namespaces/aria/roles', {
    metadata: { name: 'seller' },
    rules: [rule],
  });
  await create(world, '/apis/rbac.authorization.k8s.io/v1/namespaces/aria/rolebindings', {
    metadata: { name: 'ed-seller' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ed' }],
    roleRef: { kind: 'Role', apiGroup: 'rbac.authorization.k8s.io', name: 'seller' },
  });
  const collisions: [user: string, object: object][] = [
    ['ed', premiumPrice('mine')],
    ['ed', market('germany', { territories: ['DE'] })],
    ['ed', flag('other', { key: 'layout' })],
    ['ed', plan('premium')],
  ];
  const hint = flag('hinted', {
    rules: [{ name: 'r', when: when({ attribute: 'favourite-genr', in: ['x'] }), serve: 'b' }],
  });
  const genre = attribute('favourite-genre', { type: 'string' });
  assert.equal((await declare(world, undefined, inNamespace('aria', genre))).status, 201);
  assert.doesNotMatch((await declare(world, 'ed', inNamespace('team-c', hint))).text, /favourite-genre/);
  assert.match((await declare(world, 'ann', inNamespace('team-c', hint))).text, /favourite-genre/);
  for (const [user, object] of collisions) {
    const hidden = await declare(world, user, inNamespace('team-c', object));
    assert.ok(hidden.status === 422 || hidden.status === 409, hidden.text);
    assert.doesNotMatch(hidden.text, /aria|secret-price|7\.77|Market \\"de|Flag \\"layout/, hidden.text);
    const shown = await declare(world, 'ann', inNamespace('team-c', object));
    assert.match(shown.text, /aria|secret-price|Market \\"de|Flag \\"layout/, shown.text);
  }
  assert.equal(
    (await call('GET', '/apis/products.backline.dev/v1/namespaces/aria/prices/secret-price', { token: 'tok-ed' }))
      .status,
    403,
  );
});

test('objects that bind every team need the right to declare them everywhere', async (t) => {
  const world = await start(t);
  const { call } = world;
  const spec = { title: 'Autumn', percent: 5 };
  const plainOne = inNamespace('team-c', holdout('autumn', 5, spec));
  const required = inNamespace('team-c', holdout('autumn', 5, { ...spec, required: true }));
  const path = '/apis/experience.backline.dev/v1/namespaces/team-c/holdouts/autumn';
  const patch = (user: string, body: object) =>
    call('PATCH', path, { token: `tok-${user}`, headers: { 'content-type': 'application/merge-patch+json' }, body });
  const refused = await declare(world, 'ed', required);
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.json.message, /cannot create resource "holdouts" .* at the cluster scope/);
  assert.equal((await declare(world, 'ed', plainOne)).status, 201);
  assert.equal((await patch('ed', { spec: { required: true } })).status, 403);
  assert.equal((await declare(world, undefined, required)).status, 201);
  assert.equal((await patch('ed', { spec: { required: false } })).status, 403, 'nor taken back');
  assert.equal((await patch('ed', { metadata: { labels: { a: 'b' } } })).status, 200);
  assert.equal((await call('DELETE', path, { token: 'tok-ed' })).status, 403);
  // Naming it is what is asked of all.
  await bind(world, 'aria', 'letter', 'edit');
  const named = experiment('trial', 'layout', { holdouts: ['autumn'] });
  const { status, text } = await declare(world, 'letter', inNamespace('aria', named));
  assert.equal(status, 201, text);
});

test('an attribute of the contexts of all apps needs the right to declare it everywhere, and everybody may use it', async (t) => {
  const world = await start(t);
  const { call } = world;
  // A number type would make every question with country: "SE" invalid.
  const country = inNamespace('team-c', attribute('country', { type: 'number' }));
  const refused = await declare(world, 'ed', country);
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.json.message, /cannot create resource "attributes" .* at the cluster scope/);
  assert.equal(
    (await declare(world, undefined, inNamespace('aria', attribute('country', { type: 'string' })))).status,
    201,
  );
  const swedes = inNamespace(
    'team-c',
    flag('sweden', { rules: [{ name: 'r', when: when({ attribute: 'country', in: ['SE'] }), serve: 'b' }] }),
  );
  const used = await declare(world, 'ed', swedes);
  assert.equal(used.status, 201, used.text);
  const path = '/apis/audiences.backline.dev/v1/namespaces/aria/attributes/country';
  await bind(world, 'aria', 'ed', 'edit');
  assert.equal((await call('DELETE', path, { token: 'tok-ed' })).status, 403);
});

test('letting in applications is for who may do so everywhere: no RoleBinding gives it', async (t) => {
  const world = await start(t);
  const { call } = world;
  const clients = '/apis/access.backline.dev/v1/namespaces/team-c/clients';
  const spec = { type: 'server', keys: [{ name: 'a', hash: createHash('sha256').update('bk_x').digest('hex') }] };
  const body = {
    apiVersion: 'access.backline.dev/v1',
    kind: 'Client',
    metadata: { name: 'x', namespace: 'team-c' },
    spec,
  };
  const attempts = async (token: string) => [
    (await call('POST', clients, { token, body })).status,
    (await declare(world, token.slice('tok-'.length), body)).status,
    (await call('GET', clients, { token })).status,
  ];
  assert.deepEqual(await attempts('tok-adam'), [403, 403, 403]);
  await bind(world, 'team-c', 'letter', 'client-admin');
  await bind(world, 'team-c', 'adam', 'cluster-admin');
  assert.deepEqual(await attempts('tok-letter'), [403, 403, 403]);
  assert.deepEqual(await attempts('tok-adam'), [403, 403, 403]);
  await create(world, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'letter' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'letter' }],
    roleRef: { kind: 'ClusterRole', apiGroup: 'rbac.authorization.k8s.io', name: 'client-admin' },
  });
  assert.deepEqual(await attempts('tok-letter'), [201, 201, 200]);
});
