import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import { startWorld, type Answer, type World } from '../support/backline.ts';
import { feature, market, plan, price } from '../support/catalogue.ts';
import { flag, when } from '../support/flags.ts';

const changeSets = '/apis/releases.backline.dev/v1/changesets';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function client(name: string, spec: object): object {
  return { apiVersion: 'access.backline.dev/v1', kind: 'Client', metadata: { name, namespace: 'default' }, spec };
}

const isListener = (id: string) => when({ attribute: 'targetingKey', in: [id] });

const catalogue = [
  market('de'),
  feature('offline'),
  plan('premium', { entitlements: [{ feature: 'offline' }] }),
  plan('free', { rank: 0 }),
  price('premium-de', {
    plan: 'premium',
    market: 'de',
    timeline: [{ from: '2026-01-01', amount: '10.99', currency: 'EUR' }],
  }),
];

/** Declares objects and waits until the decision plane answers from them. */
async function declare(world: World, ...objects: object[]): Promise<void> {
  const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: {}, spec: { objects } };
  const answer = await world.call('POST', changeSets, { body });
  assert.equal(answer.status, 201, answer.text);
  const wanted = Number(answer.json.status.version);
  for (let tries = 0; tries < 500; tries += 1) {
    const { text } = await world.call('GET', '/metrics', { token: '' });
    const at = Number(/^backline_snapshot_version (\d+)$/m.exec(text)?.[1]);
    const heads = (await world.call('GET', '/apis/releases.backline.dev/v1/heads')).json.items;
    const newest = Math.max(
      ...heads.map(({ metadata }: { metadata: { resourceVersion: string } }) => Number(metadata.resourceVersion)),
    );
    if (at >= newest && wanted > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('the snapshot did not catch up');
}

const check = '/v1/check?market=de&plan=premium&feature=offline';

test('until a client is declared questions are free on this machine; then only clients and users may ask', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await declare(world, ...catalogue);
  assert.equal((await call('GET', check, { token: '' })).status, 200);

  await declare(world, client('backend', { type: 'server', keys: [{ name: 'a', hash: sha256('bk_backend') }] }));
  const refused = await call('GET', check, { token: '' });
  assert.equal(refused.status, 401);
  assert.equal(refused.json.code, 'clients/unauthorized');
  assert.equal((await call('GET', check, { token: 'bk_unknown' })).status, 401);
  assert.equal((await call('GET', check, { token: 'nonsense' })).status, 401);
  assert.equal((await call('GET', check, { token: 'bk_backend' })).status, 200);
  assert.equal((await call('GET', check)).status, 200, 'the administrator may');
});

test('keys rotate without a gap, end when they are meant to, and belong to one client', async (t) => {
  let now = Temporal.Instant.from('2026-11-22T10:00:00Z');
  await using world = await startWorld(t, { clock: () => now });
  const { call } = world;
  const old = { name: 'old', hash: sha256('bk_old'), notAfter: '2026-11-23T10:00:00Z' };
  const fresh = { name: 'new', hash: sha256('bk_new') };
  await declare(world, ...catalogue, client('backend', { type: 'server', keys: [old, fresh] }));
  for (const token of ['bk_old', 'bk_new']) assert.equal((await call('GET', check, { token })).status, 200);
  now = now.add({ hours: 25 });
  assert.match((await call('GET', check, { token: 'bk_old' })).json.detail, /has ended/);
  assert.equal((await call('GET', check, { token: 'bk_new' })).status, 200);
  await declare(world, client('backend', { type: 'server', keys: [old] }));
  assert.equal((await call('GET', check, { token: 'bk_new' })).status, 401, 'a key that was taken away');
  const body = client('thief', { type: 'server', keys: [old] });
  const twice = await call('POST', '/apis/access.backline.dev/v1/namespaces/default/clients', { body });
  assert.equal(twice.status, 422);
  assert.match(twice.json.message, /Client "backend" has the same key/);
});

test('a partner asks what it was given; explanations, other moments and the rest are for servers', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await declare(
    world,
    ...catalogue,
    client('shop', { type: 'partner', keys: [{ name: 'a', hash: sha256('bk_shop') }] }),
    client('checker', {
      type: 'partner',
      keys: [{ name: 'a', hash: sha256('bk_checker') }],
      endpoints: ['/v1/check', '/v1/explain'],
    }),
    client('backend', { type: 'server', keys: [{ name: 'a', hash: sha256('bk_backend') }] }),
  );
  const prices = '/v1/prices?market=de&plan=premium';
  const explain = '/v1/explain?market=de&plan=premium&feature=offline';
  const cases: [token: string, path: string, status: number][] = [
    ['bk_shop', prices, 200],
    ['bk_shop', check, 403],
    ['bk_shop', `${prices}&at=2026-01-02`, 403],
    ['bk_checker', check, 200],
    ['bk_checker', prices, 403],
    ['bk_checker', explain, 403],
    ['bk_backend', explain, 200],
    ['bk_backend', `${prices}&at=2026-01-02`, 200],
  ];
  for (const [token, path, status] of cases) {
    assert.equal((await call('GET', path, { token })).status, status, `${token} ${path}`);
  }
});

test('a publishable client acts for the subject of its signed token and for nobody else, from the pages it names', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const { components } = (await call('GET', '/openapi.json')).json;
  assert.equal(components.securitySchemes.subjectToken.name, 'X-Subject-Token');
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const { privateKey: stranger } = await generateKeyPair('ES256');
  const origin = 'https://app.example.com';
  await declare(
    world,
    ...catalogue,
    client('web', {
      type: 'publishable',
      keys: [{ name: 'a', hash: sha256('bk_web') }],
      origins: [origin],
      subjectTokens: {
        issuer: 'https://id.example.com',
        audience: 'backline',
        publicKeys: [await exportJWK(publicKey)],
      },
    }),
  );
  const sign = (claims: Record<string, unknown>, key = privateKey, expires = '5m') =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256' })
      .setSubject('listener-1')
      .setIssuer('https://id.example.com')
      .setAudience('backline')
      .setExpirationTime(expires)
      .sign(key);
  const mine = { plan: 'premium', market: 'de' };
  const token = await sign(mine);
  const ask = (path: string, subject: string | undefined, headers: Record<string, string> = {}): Promise<Answer> =>
    call('GET', path, {
      token: 'bk_web',
      headers: { ...(subject === undefined ? {} : { 'x-subject-token': subject }), ...headers },
    });

  const own = await ask('/v1/entitlements', token);
  assert.equal(own.status, 200, own.text);
  assert.deepEqual([own.json.listener, own.json.plan, own.json.market], ['listener-1', 'premium', 'de']);
  assert.equal((await ask('/v1/entitlements', token)).status, 200, 'and again, from what is remembered');
  assert.equal((await ask('/v1/check?feature=offline&plan=premium', token)).json.outcome, 'allow');
  for (const other of ['plan=free', 'market=fr', 'listener=listener-2', 'role=manager']) {
    const refused = await ask(`/v1/check?feature=offline&${other}`, token);
    assert.equal(refused.status, 403, `${other}: ${refused.text}`);
  }
  assert.equal((await ask('/v1/explain?feature=offline', token)).status, 403);
  const bad: [name: string, subject: string | undefined][] = [
    ['none', undefined],
    ['garbage', 'not.a.token'],
    ['of another signer', await sign(mine, stranger)],
    ['expired', await sign(mine, privateKey, '-1m')],
    ['unsigned', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`],
  ];
  for (const [name, subject] of bad) assert.equal((await ask('/v1/entitlements', subject)).status, 401, name);

  const greedy = await new SignJWT(mine)
    .setProtectedHeader({ alg: 'ES256' })
    .setSubject('greedy')
    .setIssuer('https://id.example.com')
    .setAudience('backline')
    .setExpirationTime('5m')
    .sign(privateKey);
  const burst = await Promise.all(Array.from({ length: 300 }, () => ask('/v1/entitlements', greedy)));
  const letThrough = burst.filter(({ status }) => status === 200).length;
  assert.ok(letThrough >= 100 && letThrough < 300, `${letThrough} of 300`);
  assert.equal(burst.find(({ status }) => status !== 200)?.status, 429);
  assert.equal((await ask('/v1/entitlements', token)).status, 200, 'another listener asks on');

  const flags = (body: object, headers: Record<string, string> = {}): Promise<Answer> =>
    call('POST', '/ofrep/v1/evaluate/flags/layout', {
      token: 'bk_web',
      headers: { 'x-subject-token': token, origin, ...headers },
      body,
    });
  await declare(world, flag('layout', { rules: [{ name: 'me', when: isListener('listener-1'), serve: 'b' }] }));
  const flagged = await flags({ context: {} });
  assert.deepEqual([flagged.status, flagged.json.variant], [200, 'b'], 'the context is that of the subject');
  assert.match(String(flagged.headers['access-control-expose-headers']), /etag/);
  assert.equal((await flags({ context: { targetingKey: 'listener-2' } })).status, 403);
  assert.equal((await flags({ context: {}, forced: { layout: 'a' } })).status, 403, 'forced variants are for servers');
  assert.equal(
    (await call('GET', '/v1/snapshot', { token: 'bk_web', headers: { 'x-subject-token': token } })).status,
    403,
  );

  // The EventSource of a browser sends no headers: the answer has its URL, with the key, which is no secret.
  const all = await call('POST', '/ofrep/v1/evaluate/flags', {
    token: 'bk_web',
    headers: { 'x-subject-token': token, origin },
    body: { context: {} },
  });
  const [{ endpoint }] = all.json.eventStreams;
  assert.equal(endpoint.requestUri, '/ofrep/v1/events?key=bk_web');
  for (const [from, status] of [
    [origin, 200],
    ['https://evil.example', 403],
  ] as const) {
    const listening = await fetch(new URL(endpoint.requestUri, world.url), { headers: { origin: from } });
    assert.equal(listening.status, status);
    assert.equal(listening.headers.get('access-control-allow-origin'), status === 200 ? origin : null);
    await listening.body?.cancel();
  }

  const fromPage = await ask('/v1/entitlements', token, { origin });
  assert.equal(fromPage.headers['access-control-allow-origin'], origin);
  assert.equal((await ask('/v1/entitlements', token, { origin: 'https://evil.example' })).status, 403);
  const preflight = await call('OPTIONS', '/v1/check', {
    token: '',
    headers: { origin, 'access-control-request-method': 'GET' },
  });
  assert.equal(preflight.status, 204);
  assert.match(String(preflight.headers['access-control-allow-headers']), /x-subject-token/);
  assert.equal(
    (await call('OPTIONS', '/v1/check', { token: '', headers: { origin: 'https://evil.example' } })).status,
    403,
  );
});

test('a remembered subject token ends with its time, and with the keys that its client takes', async (t) => {
  let now = Temporal.Instant.from('2026-11-22T10:00:00Z');
  await using world = await startWorld(t, { clock: () => now });
  const { call } = world;
  const [first, second] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')];
  const web = async ({ publicKey }: typeof first) =>
    client('web', {
      type: 'publishable',
      keys: [{ name: 'a', hash: sha256('bk_web') }],
      subjectTokens: {
        issuer: 'https://id.example.com',
        audience: 'backline',
        publicKeys: [await exportJWK(publicKey)],
      },
    });
  await declare(world, ...catalogue, await web(first));
  const sign = ({ privateKey }: typeof first, minutes: number) =>
    new SignJWT({ plan: 'premium', market: 'de' })
      .setProtectedHeader({ alg: 'ES256' })
      .setSubject('listener-1')
      .setIssuer('https://id.example.com')
      .setAudience('backline')
      .setExpirationTime(now.epochMilliseconds / 1_000 + minutes * 60)
      .sign(privateKey);
  const ask = async (subject: string) =>
    (await call('GET', '/v1/entitlements', { token: 'bk_web', headers: { 'x-subject-token': subject } })).status;
  const [short, long] = [await sign(first, 5), await sign(first, 60)];
  assert.deepEqual([await ask(short), await ask(long)], [200, 200]);
  now = now.add({ minutes: 6 });
  assert.deepEqual([await ask(short), await ask(long)], [401, 200]);
  await declare(world, await web(second));
  const fresh = await sign(second, 5);
  while ((await ask(fresh)) !== 200) await new Promise((done) => setTimeout(done, 10));
  assert.equal(await ask(long), 401, 'its key is gone');
});

test('a client that asks too often gets Retry-After, and others do not notice', async (t) => {
  let now = Temporal.Instant.from('2026-11-22T10:00:00Z');
  await using world = await startWorld(t, { clock: () => now });
  const { call } = world;
  const keys = (key: string) => [{ name: 'a', hash: sha256(key) }];
  await declare(
    world,
    ...catalogue,
    client('slow', { type: 'server', keys: keys('bk_slow'), rate: { perSecond: 2, burst: 3 } }),
    client('free', { type: 'server', keys: keys('bk_free') }),
  );
  const statuses = async (token: string, times: number) => {
    const seen: number[] = [];
    for (let time = 0; time < times; time += 1) seen.push((await call('GET', check, { token })).status);
    return seen;
  };
  assert.deepEqual(await statuses('bk_slow', 5), [200, 200, 200, 429, 429]);
  assert.equal((await call('GET', check, { token: 'bk_slow' })).headers['retry-after'], '1');
  assert.deepEqual(await statuses('bk_free', 3), [200, 200, 200]);
  now = now.add({ seconds: 1 });
  assert.deepEqual(await statuses('bk_slow', 3), [200, 200, 429]);
});

test('large bodies of questions and of events are paid for by who sends them, on every plane', async (t) => {
  const now = Temporal.Instant.from('2026-11-22T10:00:00Z');
  await using world = await startWorld(t, { clock: () => now, roles: ['api', 'controllers', 'decide', 'ingest'] });
  const { call } = world;
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const flags = '/ofrep/v1/evaluate/flags';
  // 60 KiB are 30 units of work.
  const question = { context: { targetingKey: 'l', note: 'x'.repeat(60 * 1024) } };
  const statusesOf = async (path: string, body: object, options: object, times: number): Promise<string> => {
    const seen: number[] = [];
    for (let time = 0; time < times; time += 1) seen.push((await call('POST', path, { body, ...options })).status);
    return seen.join();
  };
  // Requests without a credential: a burst of 1,000 units.
  const open = await statusesOf(flags, question, { token: '' }, 36);
  assert.equal(open, [...Array<number>(34).fill(200), 429, 429].join());

  await declare(
    world,
    client('web', {
      type: 'publishable',
      keys: [{ name: 'a', hash: sha256('bk_web') }],
      subjectTokens: {
        issuer: 'https://id.example.com',
        audience: 'backline',
        publicKeys: [await exportJWK(publicKey)],
      },
    }),
  );
  const sign = (listener: string) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'ES256' })
      .setSubject(listener)
      .setIssuer('https://id.example.com')
      .setAudience('backline')
      .setExpirationTime(now.epochMilliseconds / 1_000 + 300)
      .sign(privateKey);
  const as = async (listener: string) => ({ token: 'bk_web', headers: { 'x-subject-token': await sign(listener) } });
  const about = (listener: string) => ({ context: { ...question.context, targetingKey: listener } });
  // One listener of a publishable client: 100 units at once, and a request costs one.
  assert.equal(await statusesOf(flags, about('l'), await as('l'), 5), '200,200,200,200,429');
  assert.equal(await statusesOf(flags, about('m'), await as('m'), 1), '200');
  const batch = { events: [], note: 'x'.repeat(60 * 1024) };
  assert.equal(await statusesOf('/v1/events', batch, await as('n'), 5), '400,400,400,400,429');
});

test('pages and phones that can set no headers send their key, and who they are, in the body; before a login they are nobody', async (t) => {
  await using world = await startWorld(t, { roles: ['api', 'controllers', 'decide', 'ingest'] });
  const { call } = world;
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const origin = 'https://app.example.com';
  const keys = (name: string) => [{ name: 'a', hash: sha256(`bk_${name}`) }];
  const subjectTokens = { issuer: 'i', audience: 'a', publicKeys: [await exportJWK(publicKey)] };
  const schema = { properties: {}, additional: true };
  await declare(
    world,
    client('web', {
      type: 'publishable',
      keys: keys('web'),
      origins: [origin],
      subjectTokens,
      endpoints: ['/v1/events', '/v1/t'],
    }),
    client('phone', {
      type: 'publishable',
      keys: keys('phone'),
      subjectTokens,
      anonymous: true,
      rate: { perSecond: 500 },
    }),
    client('backend', { type: 'server', keys: keys('backend') }),
    {
      apiVersion: 'events.backline.dev/v1',
      kind: 'EventType',
      metadata: { name: 'opened', namespace: 'default' },
      spec: { owner: 'o', purpose: 'p', subject: 'required', retention: 'P30D', schema },
    },
  );
  const subjectToken = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256' })
    .setSubject('known')
    .setIssuer('i')
    .setAudience('a')
    .setExpirationTime('5m')
    .sign(privateKey);
  const at = new Date().toISOString();
  // The headers of sendBeacon.
  const text = { 'content-type': 'text/plain;charset=UTF-8', origin };
  const events = (id: string) => [{ type: 'opened', id, at }];
  const message = (id: string, more: object) => ({
    type: 'track',
    event: 'Opened',
    messageId: id,
    timestamp: at,
    ...more,
  });
  const cases: [path: string, body: object, outcome: string | number][] = [
    ['/v1/events?key=bk_web', { events: events('e1'), subjectToken }, 'accepted'],
    ['/v1/events', { events: events('e2'), subjectToken, writeKey: 'bk_web' }, 'accepted'],
    ['/v1/events?key=bk_web', { events: events('e3') }, 401],
    ['/v1/events', { events: events('e4') }, 401],
    ['/v1/events', { events: events('e6'), writeKey: 'bk_nobody' }, 401],
    ['/v1/t', message('m1', { writeKey: 'bk_web', subjectToken, anonymousId: 'a1', userId: 'known' }), 'accepted'],
  ];
  const outcomeOf = ({ status, json }: Answer) =>
    status === 200 ? (json.results[0].reason ?? json.results[0].outcome) : status;
  for (const [path, body, outcome] of cases) {
    const answer = await call('POST', path, { token: '', body, headers: text });
    assert.equal(outcomeOf(answer), outcome, `${path} ${answer.text}`);
  }
  const secret = { events: events('e5'), writeKey: 'bk_backend' };
  const leaked = await call('POST', '/v1/events', { token: '', body: secret });
  assert.match(leaked.json.detail, /key of a server client must not be in a URL or a body/);
  const unlisted = { ...message('m9', { anonymousId: 'a1' }), writeKey: 'bk_web', subjectToken };
  assert.equal((await call('POST', '/v1/p', { token: '', body: unlisted, headers: text })).status, 403);
  const writeKey = 'bk_phone';
  const nobody = { writeKey, batch: [message('m2', { anonymousId: 'a1', userId: 'known' })], sentAt: at };
  const phone = { token: '', headers: { 'content-type': 'text/plain' } };
  assert.equal(outcomeOf(await call('POST', '/v1/b', { ...phone, body: nobody })), 'accepted');
  const unnamed = { writeKey, batch: [message('m3', { userId: 'known' })] };
  assert.equal(outcomeOf(await call('POST', '/v1/b', { ...phone, body: unnamed })), 'subject-missing');
  // Sent again after the login, under another subject: not counted twice.
  const afterwards = { ...nobody, subjectToken };
  assert.equal(outcomeOf(await call('POST', '/v1/b', { ...phone, body: afterwards })), 'id-reused');
  const forbidden = await call('POST', '/v1/b', { ...phone, body: { ...nobody, writeKey: 'bk_web' } });
  assert.equal(forbidden.status, 403);
  const check = await call('POST', '/v1/check', { token: writeKey, body: { feature: 'x' } });
  assert.equal(check.status, 401, 'what is kept of listeners still needs a token');

  const preflight = await call('OPTIONS', '/v1/t', {
    token: '',
    headers: { origin, 'access-control-request-method': 'POST' },
  });
  assert.match(String(preflight.headers['access-control-allow-headers']), /content-encoding/);
  const erasures = '/apis/events.backline.dev/v1/erasures';
  const erase = async (subject: string) => {
    const body = { apiVersion: 'events.backline.dev/v1', kind: 'Erasure', metadata: { name: 'x' }, spec: { subject } };
    const { json } = await call('POST', erasures, { body });
    return [json.status.erased.pseudonyms, json.status.erased['quarantined-events']];
  };
  assert.deepEqual(await erase('anonymous:a1'), [1, 1], 'the one that was sent again stands aside');
  assert.deepEqual(await erase('anonymous:known'), [0, 1], 'nobody becomes somebody by saying so');
  assert.deepEqual(await erase('known'), [1, 0]);
});

test('an app without logins asks for flags with its key alone, as nobody who has an account', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const origin = 'https://app.example.com';
  const key = (name: string) => [{ name: 'a', hash: sha256(`bk_${name}`) }];
  const { publicKey } = await generateKeyPair('ES256');
  const subjectTokens = { issuer: 'i', audience: 'a', publicKeys: [await exportJWK(publicKey)] };
  const open = { type: 'publishable', anonymous: true, rate: { perSecond: 500 }, origins: [origin] };
  const rulesFor = (attribute: string, values: string[]) => [
    { name: 'r', when: { anyOf: [{ allOf: [{ attribute, in: values }] }] }, serve: 'on' },
  ];
  const variants = ['on', 'off'].map((name) => ({ name, value: name }));
  const flag = (name: string, rules: object[]) => ({
    apiVersion: 'experience.backline.dev/v1',
    kind: 'Flag',
    metadata: { name, namespace: 'default' },
    spec: { type: 'string', variants, default: 'off', rules },
  });
  await declare(
    world,
    ...catalogue,
    client('page', { ...open, keys: key('page') }),
    client('closed', { type: 'publishable', keys: key('closed'), subjectTokens }),
    flag('for-ann', rulesFor('targetingKey', ['ann'])),
    flag('for-nobody-ann', rulesFor('targetingKey', ['anonymous:ann'])),
  );
  const ask = async (token: string, path = '', context: object = { targetingKey: 'ann' }) =>
    call('POST', `/ofrep/v1/evaluate/flags${path}`, { token, body: { context }, headers: { origin } });
  const bulk = await ask('bk_page');
  assert.equal(bulk.headers['access-control-allow-origin'], origin);
  assert.deepEqual(
    bulk.json.flags.map(({ key: name, value }: { key: string; value: string }) => [name, value]),
    [
      ['for-ann', 'off'],
      ['for-nobody-ann', 'on'],
    ],
  );
  assert.equal((await ask('bk_page', '/for-ann', {})).json.value, 'off', 'a context without an id');
  assert.equal((await ask('bk_closed')).status, 403, 'its origins');
  const closed = await call('POST', '/ofrep/v1/evaluate/flags', { token: 'bk_closed', body: { context: {} } });
  assert.equal(closed.status, 401);
  const other = await call('GET', '/v1/check?market=de&plan=free&feature=offline', { token: 'bk_page' });
  assert.equal(other.status, 401);
  assert.match(other.json.remedy, /flags and sends events alone/);
  assert.equal((await call('POST', '/v1/flags/explain', { token: 'bk_page', body: { flag: 'for-ann' } })).status, 403);
});

test('a question has ten problems at most, and a body as large as a question needs', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await declare(world, ...catalogue);
  const many = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`parameter${index}`, 1]));
  const refused = await call('POST', '/v1/check', { token: '', body: many });
  assert.equal(refused.status, 400);
  assert.equal(refused.json.errors.length, 10);
  assert.match(refused.json.detail, /and 890 more$/);
  assert.ok(refused.text.length < 4_000, refused.text);
  const large = await call('POST', '/v1/check', { token: '', body: { note: 'x'.repeat(17_000) } });
  assert.equal(large.status, 413);
});

test('a client that makes no sense is refused with the field', async (t) => {
  await using world = await startWorld(t);
  const path = '/apis/access.backline.dev/v1/namespaces/default/clients';
  const keys = [{ name: 'a', hash: sha256('x') }];
  const cases: [spec: object, field: string][] = [
    [{ type: 'publishable', keys }, 'spec.subjectTokens'],
    [{ type: 'publishable', keys, anonymous: true }, 'spec.rate'],
    [{ type: 'server', keys, anonymous: true }, 'spec.anonymous'],
    [{ type: 'server', keys, origins: ['https://a.example'] }, 'spec.origins'],
    [{ type: 'other', keys }, 'spec.type'],
    [{ type: 'server', keys: [] }, 'spec.keys'],
    [{ type: 'server', keys: [{ name: 'a', hash: 'the key itself' }] }, 'spec.keys[0].hash'],
    [{ type: 'server', keys, rate: { perSecond: 0 } }, 'spec.rate.perSecond'],
  ];
  for (const [spec, field] of cases) {
    const refused = await world.call('POST', path, { body: client('x', spec) });
    assert.equal(refused.status, 422, field);
    assert.equal(refused.json.details.causes[0].field, field);
  }
});
