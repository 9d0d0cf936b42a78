import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld, type Answer } from '../support/backline.ts';
import { plan } from '../support/catalogue.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { until } from '../support/installation.ts';

const QUESTION = { placement: 'between-songs', plan: 'free', market: 'de' };
const eventPath = (event: string, token: string) => `/v1/ads/events/${event}?token=${token}`;

test('ads: what a player reports counts once, in order, for listeners who may hear ads, and stands in the event log', async (t) => {
  // Time stands still, and with it what a break may send.
  const now = Temporal.Now.instant();
  const world = await startWorld(t, { clock: () => now, roles: ['api', 'decide', 'controllers', 'ingest'] });
  const { call, url } = world;
  await declareAds(world, [
    advertiserWithAd('acme', { bid: '12.50', ad: { clickThrough: 'https://acme.example/spring?a=1&b=2' } }),
    advertiserWithAd('bolt', { bid: '3.00' }),
  ]);
  const tokensFor = async (body: object = {}): Promise<readonly string[]> => {
    const answer = await call('POST', '/v1/ads/decide', { body: { ...QUESTION, ...body } });
    assert.equal(answer.status, 200, answer.text);
    return answer.json.ads.map((ad: { token: string }) => ad.token);
  };
  /** As a player asks: without a credential, and without following a redirect. */
  const beacon = (event: string, token: string, init: RequestInit = {}) =>
    fetch(url + eventPath(event, token), { redirect: 'manual', ...init });
  const report = (event: string, token: string): Promise<Answer> =>
    call('POST', eventPath(event, token), { token: '' });
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  };

  /** Figures are gathered once in a while. */
  const becomes = (name: string, isRight: (count: number) => boolean): Promise<true> =>
    until(
      async () => (isRight(await metric(name)) ? true : undefined),
      () => name,
      10,
    );

  await t.test('breaks and slots are counted, for the fill rate', async () => {
    await tokensFor({ plan: 'premium' });
    await tokensFor();
    await becomes('backline_ads_breaks_total{outcome="adFree"}', (count) => count === 1);
    await becomes('backline_ads_slots_total{outcome="filled"}', (count) => count >= 4 && count % 2 === 0);
    await becomes('backline_ads_slots_total{outcome="empty"}', (count) => count >= 2);
  });

  await t.test('a pixel for GET, a sentence for POST, one count for both', async () => {
    const [token = ''] = await tokensFor({ listener: 'listener-ann' });
    const first = await beacon('impression', token);
    assert.deepEqual(
      [
        first.status,
        first.headers.get('content-type'),
        first.headers.get('cache-control'),
        first.headers.get('x-outcome'),
      ],
      [200, 'image/gif', 'no-store', 'counted'],
    );
    assert.equal(first.headers.get('access-control-allow-origin'), '*');
    assert.equal(
      Buffer.from(await first.arrayBuffer())
        .subarray(0, 6)
        .toString(),
      'GIF89a',
    );
    const again = await report('impression', token);
    assert.deepEqual([again.status, again.json.outcome], [200, 'duplicate']);
    assert.equal((await report('start', token)).json.outcome, 'counted');
    assert.equal((await beacon('complete', token, { method: 'HEAD' })).status, 405, 'a HEAD counts nothing');
    assert.equal((await beacon('complete', token)).headers.get('x-outcome'), 'counted');
  });

  await t.test('a click leads where the advertiser declared, and nowhere else', async () => {
    const [acme = '', bolt = ''] = await tokensFor();
    await beacon('impression', acme);
    const clicked = await beacon('click', acme);
    assert.deepEqual([clicked.status, clicked.headers.get('location')], [302, 'https://acme.example/spring?a=1&b=2']);
    const again = await beacon('click', acme);
    assert.deepEqual([again.status, again.headers.get('x-outcome')], [302, 'duplicate'], 'a listener may click twice');
    for (const more of ['&url=https://evil.example', '&redirect=https://evil.example', '&token=x']) {
      const forged = await fetch(`${url}${eventPath('click', acme)}${more}`, { redirect: 'manual' });
      assert.deepEqual([forged.status, forged.headers.get('location')], [400, null], more);
    }
    await beacon('impression', bolt);
    const none = await beacon('click', bolt);
    assert.deepEqual(
      [none.status, none.headers.get('x-outcome')],
      [200, 'counted'],
      'without a page it counts all the same',
    );
  });

  await t.test('what is forged, broken, unknown or too much is refused by its reason', async () => {
    const [token = '', other = ''] = await tokensFor();
    const refusalOf = async (answer: Promise<Answer>): Promise<string> => {
      const { status, json } = await answer;
      return `${status} ${json.code}`;
    };
    const altered = (token.startsWith('A') ? 'B' : 'A') + token.slice(1);
    for (const bad of [altered, token.slice(0, -1), token.slice(0, 40) + other.slice(40), 'x', ''])
      assert.equal(await refusalOf(report('impression', bad)), '401 ads/bad-token');
    assert.equal(await refusalOf(call('POST', '/v1/ads/events/impression', { token: '' })), '401 ads/bad-token');
    const unknown = await report('compleet', token);
    assert.deepEqual([unknown.status, unknown.json.code], [404, 'ads/unknown-event']);
    assert.match(unknown.json.detail, /Did you mean "complete"/i);
    const batch = (events: readonly object[]) => call('POST', '/v1/ads/events', { token: '', body: { events } });
    const many = await batch(Array.from({ length: 150 }, () => ({ event: 'impression', token })));
    assert.deepEqual([many.status, many.json.code], [413, 'ads/too-many-events']);
    assert.match(many.json.detail, /has 150 events; the limit is 100/);
    assert.equal((await report('impression', token)).json.outcome, 'counted', 'nothing of the batch was counted');
    const mixed = await batch([
      { event: 'complete', token: other },
      { event: 'impression', token: other },
      { event: 'impression', token: altered },
      { event: 'start', token: other },
      { event: 'impression', token: other },
    ]);
    assert.deepEqual(
      mixed.json.results.map(({ outcome, code }: { outcome: string; code?: string }) => code ?? outcome),
      ['counted', 'counted', 'ads/bad-token', 'counted', 'duplicate'],
    );
    const flood = await Promise.all(Array.from({ length: 450 }, () => beacon('mute', token)));
    assert.ok(flood.some(({ status }) => status === 429));
    const [another = ''] = await tokensFor();
    assert.equal((await beacon('impression', another)).status, 200, 'another break is not slowed down');
  });

  await t.test(
    'an upgrade ends what was fetched before it: the impression is refused, not charged, and alarms',
    async () => {
      const [heard = '', fetched = ''] = await tokensFor({ listener: 'listener-eve' });
      await beacon('impression', heard);
      const upgrade = { listener: 'listener-eve', plan: 'premium', market: 'de', key: 'up' };
      const subscribed = await call('POST', '/v1/subscriptions', { body: upgrade });
      assert.ok(subscribed.status < 300, subscribed.text);
      const late = await report('impression', fetched);
      assert.deepEqual([late.status, late.json.code], [409, 'ads/listener-is-ad-free']);
      await becomes('backline_ads_impressions_after_upgrade_total', (count) => count === 1);
      assert.equal((await report('impression', heard)).json.outcome, 'duplicate', 'what was heard before is no alarm');
      await becomes('backline_ads_impressions_after_upgrade_total', (count) => count === 1);
      const rows = await world.database.query({
        text: `select state from backline.ad_deliveries where event = 'impression' and token -> 'subject' ->> 'listener' = 'listener-eve'`,
      });
      assert.ok(rows.length <= 1);
    },
  );

  await t.test('the event log gets every event once, with the listener as a pseudonym alone', async () => {
    const read = () =>
      world.database.query<{ id: string; payload: string; pseudonym: string | null }>(
        `select id, payload, pseudonym from backline.event_log where type = 'ad-delivery'`,
      );
    const unlogged = `select from backline.ad_deliveries where not is_logged and state not in ('held', 'late')`;
    await until(
      async () => ((await world.database.query(unlogged)).length === 0 ? true : undefined),
      () => 'all events to be in the log',
      15,
    );
    const events = await read();
    assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
    const complete = events.find(({ id }) => id.endsWith('.0.complete'));
    assert.ok(complete !== undefined && complete.pseudonym !== null);
    const { decision, ...properties } = JSON.parse(complete.payload);
    assert.match(decision, /^[0-9a-f]{32}$/);
    assert.deepEqual(properties, {
      event: 'complete',
      place: 0,
      ad: 'default/acme.a',
      adSet: 'default/acme.s',
      campaign: 'default/acme.c',
      advertiser: 'default/acme',
      placement: 'between-songs',
      market: 'de',
      goal: 'cpm',
      outcome: 'none',
      micros: 0,
      currency: 'EUR',
    });
    assert.ok(events.every(({ payload }) => !payload.includes('listener-')));
    const [left] = await world.database.query<{ n: number }>(
      `select count(*) as n from backline.ad_deliveries where is_logged and token is not null`,
    );
    assert.equal(left?.n, 0, 'nothing of the listener stays');
  });
});

test('ads: who clicks arrives, counted or not; a link that would be too long is not answered', async (t) => {
  let now = Temporal.Now.instant();
  const longAd = `bolt.${'a'.repeat(240)}`;
  const world = await startWorld(t, { clock: () => now, roles: ['api', 'decide', 'controllers', 'ingest'] });
  const { call, url, database } = world;
  await declareAds(world, [
    advertiserWithAd('acme', { bid: '12.50', ad: { clickThrough: 'https://example.com/müsik' } }),
    advertiserWithAd('bolt', { bid: '3.00', ad: { clickThrough: `https://example.com/${'x'.repeat(1_970)}` } }).map(
      ([path, body]) => [path, path === 'ads' ? { ...body, metadata: { name: longAd, namespace: 'default' } } : body],
    ),
  ]);
  const PAGE = 'https://example.com/m%C3%BCsik';
  const ask = async (path: string, body: object = {}) => {
    const answer = await call('POST', path, { body: { ...QUESTION, ...body } });
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  };
  const tokenOfAcme = async (): Promise<string> => (await ask('/v1/ads/decide')).ads[0].token;
  const click = async (token: string) => {
    const { status, headers } = await fetch(url + eventPath('click', token), { redirect: 'manual' });
    return [status, headers.get('location'), headers.get('x-outcome'), headers.get('cache-control')];
  };
  const post = async (token: string) => {
    const { status, json } = await call('POST', eventPath('click', token), { token: '' });
    return [status, json.code];
  };

  await t.test('a page beyond ASCII is the same address everywhere', async () => {
    const [{ clickThrough, token }] = (await ask('/v1/ads/decide')).ads;
    assert.equal(clickThrough, PAGE);
    assert.deepEqual(await click(token), [302, PAGE, 'held', 'no-store']);
    assert.equal((await call('POST', eventPath('click', await tokenOfAcme()), { token: '' })).json.opens, PAGE);
  });

  await t.test('too many', async () => {
    const token = await tokenOfAcme();
    const flood = () => fetch(url + eventPath('mute', token));
    await Promise.all(Array.from({ length: 450 }, flood));
    assert.deepEqual(await click(token), [302, PAGE, 'ads/events-too-fast', 'no-store']);
    assert.deepEqual(await post(token), [429, 'ads/events-too-fast']);
    const altered = (token.startsWith('A') ? 'B' : 'A') + token.slice(1);
    assert.deepEqual((await click(altered)).slice(0, 3), [401, null, null]);
  });

  await t.test('a database that does not take it', async () => {
    const token = await tokenOfAcme();
    await database.query('alter table backline.ad_deliveries rename to ad_deliveries_away');
    try {
      assert.deepEqual(await click(token), [302, PAGE, 'ads/events-not-stored', 'no-store']);
      assert.deepEqual(await post(token), [503, 'ads/events-not-stored']);
    } finally {
      await database.query('alter table backline.ad_deliveries_away rename to ad_deliveries');
    }
    assert.deepEqual((await click(token)).slice(0, 3), [302, PAGE, 'held']);
  });

  await t.test('ids that leave an ad no room in a token keep that ad out of the break, and no other', async () => {
    const longPlan = 'p'.repeat(220);
    const declared = await call('POST', CHANGE_SETS, { body: changeSet(plan(longPlan, { rank: 1, title: 'Long' })) });
    assert.ok(declared.status < 300, declared.text);
    // Six bytes each in JSON.
    const id = '\u0001'.repeat(253);
    const named = { plan: longPlan, household: id, device: id, session: id };
    const names = async (body: object): Promise<string> =>
      (await ask('/v1/ads/decide', body)).ads.map(({ ad }: { ad: string }) => ad.replace('default/', '')).join();
    await until(
      async () => ((await names({ ...named, listener: 'ann' })) === `acme.a,${longAd}` ? true : undefined),
      () => 'the plan',
      10,
    );
    assert.equal(await names({ ...named, listener: id }), 'acme.a');
    const { reasons } = await ask('/v1/ads/explain', { ...named, listener: id });
    assert.deepEqual(reasons, [{ reason: 'token too long', adSets: 1, example: 'default/bolt.s' }]);
  });

  await t.test('too late', async () => {
    const token = await tokenOfAcme();
    now = now.add({ hours: 25 });
    assert.deepEqual(await click(token), [302, PAGE, 'ads/token-expired', 'no-store']);
    assert.deepEqual(await post(token), [410, 'ads/token-expired']);
  });
});

test('ads: an app with a publishable key gets ads and tokens, and no bid', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'] });
  const { call } = world;
  await declareAds(world, [advertiserWithAd('acme')]);
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const hash = (key: string) => createHash('sha256').update(key).digest('hex');
  const client = (name: string, spec: object) => ({
    apiVersion: 'access.backline.dev/v1',
    kind: 'Client',
    metadata: { name, namespace: 'default' },
    spec: { keys: [{ name: 'a', hash: hash(`bk_${name}`) }], ...spec },
  });
  const subjectTokens = {
    issuer: 'https://id.example.com',
    audience: 'backline',
    publicKeys: [await exportJWK(publicKey)],
  };
  for (const body of [
    client('app', { type: 'publishable', subjectTokens }),
    client('partner', { type: 'partner', endpoints: ['/v1/ads/decide'] }),
    client('backend', { type: 'server' }),
  ]) {
    const answer = await call('POST', '/apis/access.backline.dev/v1/namespaces/default/clients', { body });
    assert.ok(answer.status < 300, answer.text);
  }
  const subject = await new SignJWT({ plan: 'free', market: 'de' })
    .setProtectedHeader({ alg: 'ES256' })
    .setSubject('listener-ann')
    .setIssuer('https://id.example.com')
    .setAudience('backline')
    .setExpirationTime('5m')
    .sign(privateKey);
  const ask = (token: string, body: object, headers: Record<string, string> = {}) =>
    call('POST', '/v1/ads/decide', { token, body, headers });
  await until(
    async () => ((await ask('bk_backend', QUESTION)).status === 200 ? true : undefined),
    () => 'the Clients',
    10,
  );
  const [full] = (await ask('bk_backend', QUESTION)).json.ads;
  assert.deepEqual([full.tier, full.goal, full.price, full.currency], ['auction', 'cpm', '0.009', 'EUR']);
  const answers = [
    await ask('bk_app', { placement: 'between-songs' }, { 'x-subject-token': subject }),
    await ask('bk_partner', QUESTION),
  ];
  for (const { status, text, json } of answers) {
    assert.equal(status, 200, text);
    const [ad] = json.ads;
    assert.equal(typeof ad.token, 'string');
    for (const field of ['tier', 'goal', 'price', 'currency']) assert.ok(!(field in ad), field);
    assert.ok(!text.includes('0.009'));
    const counted = await call('POST', eventPath('impression', ad.token), { token: '' });
    assert.equal(counted.json.outcome, 'counted', 'the token is the right, whatever Clients there are');
  }
});
