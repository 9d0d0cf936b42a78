import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { allKinds } from '#planes/catalogue.ts';
import { startDecisionNode, startWorld, type World } from '../support/backline.ts';
import { feature, market, plan } from '../support/catalogue.ts';
import { flag } from '../support/flags.ts';
import { until } from '../support/installation.ts';

const KEY = 'bk_backend';
const client = {
  apiVersion: 'access.backline.dev/v1',
  kind: 'Client',
  metadata: { name: 'backend', namespace: 'default' },
  spec: { type: 'server', keys: [{ name: 'a', hash: createHash('sha256').update(KEY).digest('hex') }] },
};
const OBJECTS = [
  market('de'),
  feature('offline'),
  plan('premium', { entitlements: [{ feature: 'offline' }] }),
  flag('layout', {}),
];
const CHECK = '/v1/check?market=de&plan=premium&feature=offline';
const FLAGS = '/ofrep/v1/evaluate/flags';

/** Everything in one process, with users of a token file: `nobody` has no role, the others get them in the test. */
async function start(t: TestContext): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-rights-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, 'tokens');
  const users = ['nobody', 'reader', 'support', 'desk', 'sender'];
  await writeFile(tokenFile, users.map((name) => `tok-${name},${name},${name}\n`).join(''));
  const world = await startWorld(t, {
    roles: ['api', 'decide', 'controllers', 'ingest'],
    access: { tokenFile },
  });
  await declare(world, OBJECTS);
  return world;
}

async function declare({ call }: World, objects: readonly object[]): Promise<void> {
  const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: {}, spec: { objects } };
  const answer = await call('POST', '/apis/releases.backline.dev/v1/changesets', { body });
  assert.equal(answer.status, 201, answer.text);
}

async function untilStatus({ call }: World, path: string, token: string, status: number): Promise<void> {
  await until(
    async () => ((await call('GET', path, { token })).status === status ? true : undefined),
    () => `${path} to be ${status}`,
  );
}

async function bind({ call }: World, user: string, ...roles: string[]): Promise<void> {
  for (const role of roles) {
    const body = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: `${user}-${role}` },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
      roleRef: { kind: 'ClusterRole', apiGroup: 'rbac.authorization.k8s.io', name: role },
    };
    const answer = await call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', { body });
    assert.equal(answer.status, 201, answer.text);
  }
}

/** Questions about the caller. */
const SELF = new Set(['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews']);

const json = { 'content-type': 'application/json' };

test('every path asks for a right: without a credential, and for a user without roles', async (t) => {
  const world = await start(t);
  const { call, running } = world;
  await untilStatus(world, CHECK, '', 200);
  const ask = (method: string, path: string, token: string) =>
    call(method, path, { token, ...(method === 'POST' ? { body: {}, headers: json } : {}) });
  const refusals = async (token: string, isOpen: (by: string) => boolean, expected: number): Promise<void> => {
    for (const { path, by } of running.served) {
      const asked = path.replace('*', 'x');
      const traced = (await ask('TRACE', asked, token)).status;
      // Declared objects are for users, so authentication comes first.
      assert.ok(traced === 405 || (by === 'users' && traced === expected), `TRACE ${asked}: ${traced}`);
      // The answer to who may listen never ends.
      const methods = isOpen(by) && path === '/ofrep/v1/events' ? [] : ['GET', 'POST'];
      for (const method of methods) {
        const { status, text } = await ask(method, asked, token);
        // There a token of an answer is the right, and nothing else is.
        const isHolders = by === 'token' && [400, 401, 405].includes(status);
        const right = isOpen(by) ? status !== 401 && status !== 403 : status === expected || status === 405;
        assert.ok(right || isHolders, `${method} ${asked} (${by}): ${status} ${text}`);
      }
    }
  };
  const isForEverybody = (by: string): boolean => by === 'everybody';
  assert.deepEqual(
    running.served.filter(({ by }) => isForEverybody(by)).map(({ path }) => path),
    ['/livez', '/readyz', '/healthz', '/metrics', '/openapi.json'],
  );
  assert.ok(running.served.length > 40, 'all planes are walked');
  await refusals('', (by) => isForEverybody(by) || by === 'catalogue', 401);

  await declare(world, [client]);
  await untilStatus(world, CHECK, '', 401);
  await refusals('', isForEverybody, 401);
  // Every authenticated user may list the APIs and ask about their own rights.
  const known = new Set(['/version', '/api', '/apis', '/schemas']);
  // The list of all paths is a path that no role names, as in Kubernetes; those of the issuer are for service accounts.
  const named = new Set(['/', '/.well-known/openid-configuration', '/openid/v1/jwks']);
  for (const { path, by } of running.served) {
    if (by === 'everybody' || by === 'users' || by === 'peers' || by === 'token') continue;
    for (const method of ['GET', 'POST']) {
      const { status, text } = await ask(method, path.replace('*', 'x'), 'tok-nobody');
      assert.ok(status === 403 || status === 405, `${method} ${path}: ${status} ${text}`);
    }
  }
  for (const { path, by } of running.served) {
    if (by !== 'users' || path.includes('*')) continue;
    const expected = named.has(path) ? 403 : known.has(path) ? 200 : 404;
    assert.equal((await ask('GET', path, 'tok-nobody')).status, expected, path);
  }
  for (const kind of allKinds().all) {
    const root = `/${kind.group === '' ? 'api' : 'apis'}/${kind.apiVersion}`;
    const collection = `${root}/${kind.namespaced ? 'namespaces/default/' : ''}${kind.plural}`;
    const parts = Object.keys(kind.subresources ?? {}).map((part) => ['POST', `${collection}/x/${part}`]);
    const requests = [
      ['GET', collection],
      ['GET', `${collection}/x`],
      ['GET', `${collection}/x/history`],
      ['PUT', `${collection}/x`],
      ['PUT', `${collection}/x/status`],
      ['PATCH', `${collection}/x`],
      ['DELETE', `${collection}/x`],
      ['DELETE', collection],
      ...(kind.postedBy === 'everyone' || SELF.has(kind.plural) ? [] : [['POST', collection]]),
      ...parts,
    ];
    for (const [method = '', path = ''] of requests) {
      const { status, text } = await ask(method, path, 'tok-nobody');
      assert.ok([403, 404, 405].includes(status), `${method} ${path}: ${status} ${text}`);
      assert.ok(status !== 404 || !path.endsWith('/x'), `${method} ${path} tells whether there is one`);
    }
  }
});

test('the ready roles open what they name and nothing else, and reads of records are on record', async (t) => {
  const world = await start(t);
  const { call } = world;
  await declare(world, [client]);
  await untilStatus(world, CHECK, '', 401);
  await bind(world, 'reader', 'decision-reader');
  await bind(world, 'support', 'decision-reader', 'records-reader');
  await bind(world, 'desk', 'records-editor');
  await bind(world, 'sender', 'event-writer');
  const subscribed = await call('POST', '/v1/subscriptions', {
    token: 'tok-desk',
    body: { listener: 'ann', plan: 'premium', market: 'de', key: 'k1' },
  });
  assert.equal(subscribed.status, 200, subscribed.text);
  const mine = '/v1/check?market=de&feature=offline&listener=ann';
  const long = (bytes: number): string => randomBytes(bytes / 2).toString('hex');
  const cases: [user: string, method: string, path: string, body: object | undefined, status: number][] = [
    ['reader', 'GET', CHECK, undefined, 200],
    ['reader', 'POST', '/v1/check', { market: 'de', plan: 'premium', feature: 'offline' }, 200],
    ['reader', 'POST', FLAGS, { context: { targetingKey: 'ann' } }, 200],
    ['reader', 'POST', `${FLAGS}/layout`, { context: { targetingKey: 'ann' } }, 200],
    ['reader', 'GET', '/v1/explain?market=de&plan=premium&feature=offline', undefined, 200],
    ['reader', 'GET', mine, undefined, 403],
    ['reader', 'GET', '/v1/explain?market=de&feature=offline&listener=ann', undefined, 403],
    ['reader', 'GET', '/v1/subjects?listener=ann', undefined, 403],
    ['reader', 'POST', '/v1/subscriptions', { listener: 'bob', plan: 'premium', market: 'de', key: 'k2' }, 403],
    ['reader', 'POST', '/v1/events', { events: [] }, 403],
    ['support', 'GET', mine, undefined, 200],
    ['support', 'GET', '/v1/subjects?listener=ann', undefined, 200],
    ['support', 'GET', '/v1/subjects?listener=ann', undefined, 200],
    ['support', 'GET', `/v1/subjects?listener=${long(300)}`, undefined, 400],
    ['support', 'GET', `/v1/subjects?listener=${long(6_000)}`, undefined, 400],
    ['support', 'GET', `${mine}&listener=bob`, undefined, 400],
    ['support', 'GET', `${CHECK}&listener=bob&nonsense=1`, undefined, 400],
    ['support', 'POST', '/v1/consume', {}, 403],
    ['desk', 'GET', '/v1/subjects?listener=ann', undefined, 200],
    ['desk', 'GET', CHECK, undefined, 403],
    // Let through, and then refused as an empty batch.
    ['sender', 'POST', '/v1/events', { events: [] }, 400],
    ['sender', 'GET', CHECK, undefined, 403],
  ];
  for (const [user, method, path, body, status] of cases) {
    const answer = await call(method, path, {
      token: `tok-${user}`,
      ...(body === undefined ? {} : { body, headers: json }),
    });
    assert.equal(answer.status, status, `${user} ${method} ${path}: ${answer.text}`);
  }
  assert.equal((await call('GET', '/v1/subjects?listener=ann', { token: KEY })).status, 200);
  assert.equal((await call('GET', `/v1/subjects?listener=${long(6_000)}`, { token: KEY })).status, 400);
  const reads = '/apis/audit.backline.dev/v1/recordreads';
  const { json: list } = await call('GET', `${reads}?fieldSelector=listener%3Dann`);
  const seen = list.items.map(({ spec }: { spec: Record<string, unknown> }) => [
    spec['reader'],
    spec['path'],
    spec['times'],
  ]);
  assert.deepEqual(seen, [
    ['client:backend', '/v1/subjects', 1],
    ['user:desk', '/v1/subjects', 1],
    ['user:support', '/v1/subjects', 2],
    ['user:support', '/v1/check', 1],
  ]);
  const { json: all } = await call('GET', reads);
  const listeners = all.items.map(({ spec }: { spec: { listener?: string } }) => spec.listener);
  assert.deepEqual(new Set(listeners), new Set(['ann']), 'what is refused is on no record');
  assert.equal((await call('GET', reads, { token: 'tok-support' })).status, 403);
  const many = await Promise.all(
    Array.from({ length: 200 }, () => call('GET', '/v1/subjects?listener=ann', { token: 'tok-support' })),
  );
  const refused = many.filter(({ status }) => status === 429);
  assert.ok(refused.length > 0 && refused.length < 110, `${refused.length} of 200 were refused`);
  assert.match(refused[0]?.json.detail, /reads more than 5 records of listeners a second/);
  const [{ metadata }] = list.items;
  assert.equal((await call('GET', `${reads}/${metadata.name}`)).json.spec.reader, 'client:backend');
});

test('a path that changes something or reveals listeners needs a credential, also before the first client', async (t) => {
  const world = await start(t);
  const { call } = world;
  await untilStatus(world, CHECK, '', 200);
  assert.equal((await call('POST', FLAGS, { token: '', body: { context: {} } })).status, 200);
  for (const path of [
    '/v1/subjects?listener=ann',
    '/v1/explain?market=de&plan=premium&feature=offline',
    '/v1/snapshot',
    '/v1/check?market=de&feature=offline&plan=premium&listener=ann',
    '/v1/entitlements?market=de&plan=premium&listener=ann',
  ]) {
    const { status, json: problem } = await call('GET', path, { token: '' });
    assert.equal(status, 401, path);
    assert.match(problem.remedy, /Authorization/);
  }
  for (const path of ['/v1/events', '/v1/batch', '/v1/consume', '/v1/subscriptions']) {
    assert.equal((await call('POST', path, { token: '', body: {}, headers: json })).status, 401, path);
  }
  assert.equal((await call('GET', CHECK, { token: 'nonsense' })).status, 401, 'a credential that is sent must be good');
});

test('a stream of snapshots or change events ends when the right is gone', async (t) => {
  const world = await start(t);
  await untilStatus(world, CHECK, '', 200);
  const follow = async (path: string, token: string): Promise<{ readonly ended: Promise<string> }> => {
    const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(new URL(path, world.url), { headers });
    assert.equal(answer.status, 200);
    return { ended: answer.text() };
  };
  const open = await follow('/ofrep/v1/events', '');
  await declare(world, [client]);
  await open.ended;
  await untilStatus(world, CHECK, KEY, 200);
  const streams = [await follow('/ofrep/v1/events', KEY), await follow('/v1/snapshot', KEY)];
  await declare(world, [
    { ...client, spec: { ...client.spec, keys: [{ name: 'a', hash: 'c'.repeat(64) }] } },
    flag('secret', {}),
  ]);
  const [, lines = ''] = await Promise.all(streams.map(({ ended }) => ended));
  assert.doesNotMatch(lines, /secret/, 'nothing of what changed with it');
});

test('a node that knows no roles answers clients, and of users administrators alone', async (t) => {
  const world = await start(t);
  const directory = await mkdtemp(join(tmpdir(), 'backline-rights-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, 'tokens');
  await writeFile(tokenFile, 'tok-reader,reader,reader\n');
  await declare(world, [client]);
  await bind(world, 'reader', 'decision-reader');
  const { call } = await startDecisionNode(t, world, { access: { tokenFile } });
  for (const [token, status] of [
    ['', 401],
    ['tok-reader', 403],
    [KEY, 200],
    [undefined, 200],
  ] as const) {
    assert.equal((await call('GET', CHECK, { token })).status, status, String(token));
  }
});

test('the first client warns that requests without a key will be refused, and how many there were', async (t) => {
  const world = await start(t);
  const { call } = world;
  await untilStatus(world, CHECK, '', 200);
  for (let times = 0; times < 3; times += 1) await call('GET', CHECK, { token: '' });
  const objects = [client];
  const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: {}, spec: { objects } };
  const warningsOf = async (query: string) => {
    const answer = await call('POST', `/apis/releases.backline.dev/v1/changesets${query}`, { body });
    return answer.json.status.results[0].warnings.join(' ');
  };
  const telling = /once it is live, requests without a key are refused: \d+ were answered in the last 5 minutes here/;
  assert.match(await warningsOf('?dryRun=All'), telling);
  const clients = '/apis/access.backline.dev/v1/namespaces/default/clients';
  const dry = await call('POST', `${clients}?dryRun=All`, { body: client });
  assert.match(String(dry.headers['warning']), telling);
  assert.match(await warningsOf(''), telling);
  const second = {
    ...client,
    metadata: { ...client.metadata, name: 'second' },
    spec: { ...client.spec, keys: [{ name: 'a', hash: 'b'.repeat(64) }] },
  };
  assert.equal((await call('POST', clients, { body: second })).headers['warning'], undefined);
});

/** One request as bytes, so that nothing about it is put right on the way. */
async function raw(port: number, lines: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write([...lines, 'connection: close', '', ''].join('\r\n'));
  let text = '';
  for await (const chunk of socket) {
    text += String(chunk);
    if (text.includes('\r\n\r\n')) break;
  }
  socket.destroy();
  return text.split('\r\n')[0] ?? '';
}

test('a page whose name was pointed at this machine gets nothing, and neither does one of another origin', async (t) => {
  const world = await start(t);
  const { running } = world;
  await untilStatus(world, CHECK, '', 200);
  const get = (path: string, ...headers: string[]) => raw(running.port, [`GET ${path} HTTP/1.1`, ...headers]);
  const token = `authorization: Bearer ${running.token}`;
  assert.match(await get(CHECK, `host: localhost:${running.port}`), / 200 /);
  for (const path of [CHECK, '/v1/snapshot', '/metrics', '/openapi.json', '/api', '/ofrep/v1/events']) {
    assert.match(await get(path, 'host: evil.example'), / 421 /, path);
    assert.match(await get(path, `host: evil.example:${running.port}`, token), / 421 /, path);
  }
  assert.match(await get('/readyz', 'host: evil.example'), / 200 /, 'probes may have any name for it');
  for (const header of [
    'origin: https://evil.example',
    'origin: http://localhost:5173',
    'sec-fetch-site: cross-site',
    'sec-fetch-site: same-site',
  ]) {
    for (const path of [CHECK, '/ofrep/v1/events']) {
      assert.match(await get(path, `host: localhost:${running.port}`, header), / 403 /, `${path} ${header}`);
      assert.match(await get(path, `host: localhost:${running.port}`, header, token), / 403 /, `${path} ${header}`);
    }
  }
  assert.match(await get(CHECK, 'host: localhost', 'x-forwarded-for: 203.0.113.7'), / 401 /);
  assert.match(await get('/ofrep/v1/events', 'host: localhost'), / 200 /);
  await declare(world, [client]);
  await untilStatus(world, CHECK, '', 401);
  assert.match(await get('/ofrep/v1/events', 'host: localhost'), / 401 /);
  assert.match(
    await get(`/ofrep/v1/events?key=${KEY}`, 'host: localhost'),
    / 401 /,
    'the key of a server is no part of a URL',
  );
  assert.match(await get('/ofrep/v1/events', 'host: localhost', `authorization: Bearer ${KEY}`), / 200 /);
});
