import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHARE_TOTAL, type Cohort } from '#kernel/snapshots/cohort.ts';
import { Plan } from '#domains/products/kinds/plan.ts';
import { startWorld } from '../support/backline.ts';
import { feature, market, plan } from '../support/catalogue.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { until } from '../support/installation.ts';
import { changeObject, releaseByHand } from '../support/release-by-hand.ts';

const ADS = '/apis/ads.backline.dev/v1/namespaces/default';
const apiVersion = 'ads.backline.dev/v1';
const objectOf = (kind: string, name: string, spec: object) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'default' },
  spec,
});

const PLACEMENT = objectOf('Placement', 'between-songs', {
  format: 'audio',
  slots: 2,
  seconds: 60,
  currency: 'EUR',
  floor: { cpm: '2.00' },
  policy: 'standard',
  adFreeFeature: 'ad-free',
});

const POLICY = objectOf('AdPolicy', 'standard', { consent: [{ framework: 'none' }] });

const account = (name: string, bid: string): readonly (readonly [path: string, body: object])[] => [
  ['advertisers', objectOf('Advertiser', name, { currency: 'EUR' })],
  ['campaigns', objectOf('Campaign', `${name}.c`, { account: name })],
  ['adsets', objectOf('AdSet', `${name}.s`, { account: name, campaign: `${name}.c`, bid })],
  [
    'assets',
    objectOf('Asset', `${name}.f`, {
      account: name,
      format: 'audio',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    }),
  ],
  ['ads', objectOf('Ad', `${name}.a`, { account: name, adSet: `${name}.s`, asset: `${name}.f` })],
];

test('ads: a free listener hears them, a subscriber never does, and a pause is heard within a second', async (t) => {
  const { call } = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'] });
  const post = async (path: string, body: object) => {
    const answer = await call('POST', path, { body });
    assert.ok(answer.status < 300, answer.text);
    return answer.json;
  };
  const decide = (body: object) => call('POST', '/v1/ads/decide', { body: { placement: 'between-songs', ...body } });
  const patch = (path: string, spec: object) =>
    call('PATCH', `${ADS}/${path}`, {
      body: { spec },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
  const adSets = async (body: object): Promise<readonly string[]> => {
    const { status, text, json } = await decide(body);
    assert.equal(status, 200, text);
    return json.ads.map(({ adSet }: { adSet: string }) => adSet.replace('default/', ''));
  };
  const become = (expected: readonly string[], body: object) =>
    until(
      async () => ((await adSets(body)).join() === expected.join() ? true : undefined),
      () => `the ads ${expected.join()}`,
      1,
    );

  await post(
    CHANGE_SETS,
    changeSet(
      market('de', { title: 'Germany' }),
      feature('ad-free', { title: 'Without ads' }),
      feature('shuffle', { title: 'Shuffle' }),
      plan('free', { rank: 0, entitlements: [{ feature: 'shuffle' }] }),
      plan('premium', { rank: 10, entitlements: [{ feature: 'ad-free' }] }),
      POLICY,
      PLACEMENT,
    ),
  );
  for (const [path, body] of [...account('acme', '12.50'), ...account('bolt', '3.00')])
    await post(`${ADS}/${path}`, body);
  const ann = { listener: 'ann', plan: 'free', market: 'de' };
  await until(
    async () => ((await decide(ann)).json.ads?.length === 2 ? true : undefined),
    () => 'two ads',
    10,
  );

  await t.test('an answer has all that a player needs', async () => {
    const { json } = await decide(ann);
    assert.equal(json.seconds, 60);
    const [{ token, ...ad }] = json.ads;
    assert.match(token, /^[\w-]{100,}$/);
    assert.deepEqual(ad, {
      ad: 'default/acme.a',
      adSet: 'default/acme.s',
      campaign: 'default/acme.c',
      advertiser: 'default/acme',
      categories: [],
      tier: 'auction',
      goal: 'cpm',
      price: '0.0125',
      currency: 'EUR',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    });
  });

  await t.test('an answer that may reach a listener has no bid', async () => {
    const body = { placement: 'between-songs', plan: 'free', market: 'de' };
    const { json } = await call('POST', '/v1/ads/decide', { token: '', body });
    assert.equal(json.ads.length, 2);
    for (const ad of json.ads)
      for (const field of ['tier', 'goal', 'price', 'currency']) assert.ok(!(field in ad), field);
  });

  await t.test('a subscriber gets none, whatever the question says, from the moment of the upgrade on', async () => {
    const noAds = async (body: object) => (await decide(body)).json.noAds;
    assert.equal(await noAds({ plan: 'premium', market: 'de' }), 'adFree');
    assert.equal(await noAds({ listener: 'bob', plan: 'premium', market: 'de' }), 'adFree');
    assert.deepEqual(await adSets(ann), ['acme.s', 'bolt.s']);
    await post('/v1/subscriptions', { listener: 'ann', plan: 'premium', market: 'de', key: 'up' });
    assert.equal(await noAds(ann), 'adFree');
  });

  await t.test('a listener without a plan or market gets no ads', async () => {
    const noAds = async (body: object) => (await decide(body)).json.noAds;
    assert.equal(await noAds({}), 'entitlementUnknown');
    assert.equal(await noAds({ listener: 'cyd' }), 'entitlementUnknown');
    assert.equal(await noAds({ plan: 'gone', market: 'de' }), 'entitlementUnknown');
    assert.equal((await patch('placements/between-songs', { adFreeFeature: 'no-ads' })).status, 200);
    await until(
      async () => ((await noAds({ plan: 'free', market: 'de' })) === 'entitlementUnknown' ? true : undefined),
      () => 'a feature that does not exist to keep ads from everybody',
      10,
    );
    assert.equal((await patch('placements/between-songs', { adFreeFeature: 'ad-free' })).status, 200);
    await until(
      async () => ((await adSets({ plan: 'free', market: 'de' })).length === 2 ? true : undefined),
      () => 'ads again',
      10,
    );
  });

  await t.test(
    'a frequency cap counts what is served, for the listener or for the session, and goes with the write',
    async () => {
      const [eve, session] = [{ listener: 'eve' }, { session: 's1' }].map((who) => ({
        ...who,
        plan: 'free',
        market: 'de',
      }));
      assert.ok(eve !== undefined && session !== undefined);
      const frequencyCaps = [{ count: 2, per: 'P1D' }];
      assert.equal((await patch('adsets/acme.s', { frequencyCaps })).status, 200);
      await become(['bolt.s'], { plan: 'free', market: 'de' });
      for (const who of [eve, session]) {
        assert.deepEqual(await adSets(who), ['acme.s', 'bolt.s']);
        assert.deepEqual(await adSets(who), ['acme.s', 'bolt.s']);
        assert.deepEqual(await adSets(who), ['bolt.s']);
        const { json } = await call('POST', '/v1/ads/explain', { body: { placement: 'between-songs', ...who } });
        assert.deepEqual(json.reasons, [{ reason: 'frequency cap', adSets: 1, example: 'default/acme.s' }]);
      }
      const nobody = { placement: 'between-songs', plan: 'free', market: 'de' };
      const { json } = await call('POST', '/v1/ads/explain', { body: nobody });
      assert.deepEqual(json.reasons, [{ reason: 'frequency unknown', adSets: 1, example: 'default/acme.s' }]);
      await patch('campaigns/bolt.c', { frequencyCaps: [{ count: 1, per: 'PT1H', scope: 'household' }] });
      const member = (listener: string) => ({ listener, household: 'home', plan: 'free', market: 'de' });
      await become([], { plan: 'free', market: 'de' });
      assert.deepEqual(await adSets(member('fay')), ['acme.s', 'bolt.s']);
      assert.deepEqual(await adSets(member('gus')), ['acme.s']);
      await patch('campaigns/bolt.c', { frequencyCaps: null });
      await patch('adsets/acme.s', { frequencyCaps: null });
      await become(['acme.s', 'bolt.s'], eve);
    },
  );

  await t.test('pauses, suspensions and new bids are live with the write', async () => {
    const bob = { listener: 'bob', plan: 'free', market: 'de' };
    await patch('adsets/acme.s', { paused: true });
    await become(['bolt.s'], bob);
    await patch('adsets/acme.s', { paused: false, bid: '2.50' });
    await become(['bolt.s', 'acme.s'], bob);
    await patch('advertisers/bolt', { suspended: { reason: 'unpaid' } });
    await become(['acme.s'], bob);
    const explained = await call('POST', '/v1/ads/explain', { body: { placement: 'between-songs', ...bob } });
    assert.deepEqual(explained.json.reasons, [
      { reason: 'advertiser suspended', adSets: 1, example: 'default/bolt.s' },
    ]);
    assert.deepEqual(explained.json.candidates, [
      { adSet: 'default/acme.s', tier: 'auction', goal: 'cpm', bid: '2.50', ecpm: '2.50', served: true },
    ]);
    const gated = await call('POST', '/v1/ads/explain', {
      body: { placement: 'between-songs', plan: 'premium', market: 'de' },
    });
    assert.deepEqual([gated.json.noAds, gated.json.reasons], ['adFree', []]);
    await patch('campaigns/acme.c', { paused: true });
    await become([], bob);
    assert.equal((await decide(bob)).json.noAds, 'noCandidate');
    const made = await call('GET', '/apis/releases.backline.dev/v1/heads');
    assert.doesNotMatch(made.text, /AdSet|Advertiser/, 'advertisers make no Heads');
  });

  await t.test('a broken or hostile consent string is no consent, and is answered', async () => {
    const bob = { placement: 'between-songs', listener: 'bob', plan: 'free', market: 'de', territory: 'DE' };
    const consent = async (body: object) => {
      const { status, text, json } = await call('POST', '/v1/ads/explain', { body: { ...bob, ...body } });
      assert.equal(status, 200, text);
      return json.consent;
    };
    assert.deepEqual(await consent({}), { personal: true, limited: true, history: 'listener' });
    const demand = { consent: [{ territories: ['DE'], framework: 'tcf', vendor: 13 }] };
    assert.equal((await patch('adpolicies/standard', demand)).status, 200);
    await until(
      async () => ((await consent({})).personal === false ? true : undefined),
      () => 'a policy that demands consent',
      10,
    );
    const nothing = { personal: false, limited: false, history: 'session' };
    assert.deepEqual(await consent({}), { ...nothing, reason: 'no consent signal' });
    const long = 'consent string is longer than 4096 characters';
    assert.deepEqual(await consent({ tcf: `C${'_'.repeat(60_000)}` }), { ...nothing, reason: long });
    assert.deepEqual(await consent({ gpp: 'D'.repeat(60_000) }), { ...nothing, reason: long });
    assert.match((await consent({ tcf: 'COvFyGBOvFyGBAbAAAENAPCAAOAAAAAA' })).reason, /^consent string is broken: /);
    assert.match((await consent({ gpp: 'DBAB8AoAQFIY~A' })).reason, /^consent string is broken: /);
    assert.equal((await decide({ ...bob, tcf: 'x' })).json.mayMeasure, false);
  });

  await t.test('the load of a policy keeps the next break without ads, and explain says so', async () => {
    const asked = { listener: 'eve', plan: 'free', market: 'de', session: 'load-1' };
    await patch('campaigns/acme.c', { paused: false });
    assert.equal((await patch('adpolicies/standard', { load: { gapSeconds: 3_600 } })).status, 200);
    await until(
      async () => {
        const { json } = await decide({ ...asked, session: undefined });
        return json.noAds === 'adLoadUnknown' ? true : undefined;
      },
      () => 'a policy with a load',
      10,
    );
    const first = await decide(asked);
    assert.equal(first.json.ads.length, 1, first.text);
    assert.equal((await decide(asked)).json.noAds, 'adLoad');
    const explained = await call('POST', '/v1/ads/explain', { body: { placement: 'between-songs', ...asked } });
    assert.deepEqual([explained.json.noAds, explained.json.reasons], ['adLoad', []]);
    assert.equal((await decide({ ...asked, session: 'load-2' })).json.ads.length, 1);
    assert.equal((await patch('adpolicies/standard', { load: null })).status, 200);
  });

  await t.test('a feature that is not live is a warning at the write', async () => {
    const { spec } = PLACEMENT;
    const write = async (name: string, adFreeFeature: string) => {
      const answer = await call('POST', `${ADS}/placements`, {
        body: objectOf('Placement', name, { ...spec, adFreeFeature }),
      });
      assert.equal(answer.status, 201, answer.text);
      return String(answer.headers['warning']);
    };
    assert.match(await write('typo', 'add-free'), /No Feature \\?"add-free\\?" is live \(did you mean \\?"ad-free\\?"/);
    assert.equal(await write('right', 'ad-free'), 'undefined');
  });

  await t.test('wrong objects and questions are refused with a remedy', async () => {
    const refusalOf = async (path: string, body: object): Promise<string> => {
      const answer = await call('POST', `${ADS}/${path}`, { body });
      assert.equal(answer.status, 422, answer.text);
      return answer.json.message;
    };
    const spec = { account: 'acme', campaign: 'acme.c', bid: '1' };
    assert.match(await refusalOf('adsets', objectOf('AdSet', 'other', spec)), /begins with "acme\."/);
    assert.match(
      await refusalOf('adsets', objectOf('AdSet', 'acme.x', { ...spec, campaign: 'bolt.c' })),
      /no object of account acme/,
    );
    assert.match(await refusalOf('adsets', objectOf('AdSet', 'acme.x', { ...spec, bid: '0' })), /not above 0/);
    assert.match(
      await refusalOf('adsets', objectOf('AdSet', 'acme.x', { ...spec, frequencyCaps: [{ count: 3, per: 'P31D' }] })),
      /frequencyCaps.*"P31D" is not a number of minutes, hours or days up to 30 days/,
    );
    assert.match(
      await refusalOf('adsets', objectOf('AdSet', 'acme.x', { ...spec, until: '2020-01-01T00:00:00Z' })),
      /is over/,
    );
    assert.match(
      await refusalOf('advertisers', objectOf('Advertiser', 'x', { currency: 'EUX' })),
      /did you mean|ISO 4217/,
    );
    for (const name of ['a.b', 'x'.repeat(64)])
      assert.match(await refusalOf('advertisers', objectOf('Advertiser', name, { currency: 'EUR' })), /at most 63/);
    const noLength = {
      account: 'acme',
      format: 'audio',
      renditions: [{ url: 'https://a.example/a', mime: 'audio/aac' }],
    };
    assert.match(await refusalOf('assets', objectOf('Asset', 'acme.y', noLength)), /has a length/);
    const unknown = await call('POST', '/v1/ads/decide', { body: { placement: 'between-song' } });
    assert.deepEqual([unknown.status, unknown.json.code], [404, 'ads/unknown-placement']);
    assert.match(unknown.text, /between-songs/);
    const wrong = await decide({ context: { timeZone: 7 } });
    assert.deepEqual([wrong.status, wrong.json.code], [422, 'ads/invalid-question'], wrong.text);
  });
});

test('ads: the gate knows of a listener what products knows, and tells nobody who may not read it', async (t) => {
  const { call, running, url } = await startWorld(t);
  const store = running.control?.store;
  assert.ok(store);
  const post = async (path: string, body: object) => {
    const answer = await call('POST', path, { body });
    assert.ok(answer.status < 300, answer.text);
    return answer.json;
  };
  const ask = (body: object) => call('POST', '/v1/ads/decide', { body: { placement: 'between-songs', ...body } });
  await post(
    CHANGE_SETS,
    changeSet(
      market('de', { title: 'Germany' }),
      feature('ad-free', { title: 'Without ads' }),
      plan('free', { rank: 0 }),
      plan('duo', { rank: 10, seats: 2, roles: ['manager', 'member'], entitlements: [{ feature: 'ad-free' }] }),
      plan('old', { rank: 20, entitlements: [{ feature: 'ad-free' }] }),
      POLICY,
      PLACEMENT,
    ),
  );
  for (const [path, body] of account('acme', '12.50')) await post(`${ADS}/${path}`, body);
  await until(
    async () => ((await ask({ plan: 'free', market: 'de' })).json.ads?.length === 1 ? true : undefined),
    () => 'an ad',
    10,
  );

  await t.test('a question about a listener on record needs the right to read records', async () => {
    for (const path of ['/v1/ads/decide', '/v1/ads/explain']) {
      const question = { placement: 'between-songs', plan: 'free', market: 'de', listener: 'ann' };
      const answer = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(question) });
      assert.equal(answer.status, 401, `${path}: ${await answer.text()}`);
    }
  });

  await t.test('members of one household hear the same of a release, as products say', async () => {
    const { id: subscription } = await post('/v1/subscriptions', {
      listener: 'manager',
      plan: 'duo',
      market: 'de',
      key: 'begin',
    });
    const members = ['m1'];
    await post('/v1/subscriptions/members', { subscription, listener: 'm1', key: 'join' });
    const cohort: Cohort = { unit: 'household', salt: 'half', slices: [{ share: SHARE_TOTAL / 2 }] };
    const release = releaseByHand(store, 'duo-2', [changeObject(store, Plan, 'duo', { entitlements: [] })]);
    await release.expose(cohort);
    const hasIt = async (listener: string) =>
      (await call('GET', `/v1/check?feature=ad-free&plan=free&market=de&listener=${listener}`)).json.outcome ===
      'allow';
    const answerFor = async (listener: string) => (await ask({ listener })).json;
    await until(
      async () => ((await answerFor('manager')).snapshot.version === String(store.version()) ? true : undefined),
      () => 'the release',
      10,
    );
    // Strangers to each other: of many, some are on either side.
    for (let number = 2; number < 12; number += 1) {
      const { id } = await post('/v1/subscriptions', {
        listener: `manager-${number}`,
        plan: 'duo',
        market: 'de',
        key: `begin-${number}`,
      });
      await post('/v1/subscriptions/members', { subscription: id, listener: `m${number}`, key: `join-${number}` });
      members.push(`m${number}`);
    }
    const answers = await Promise.all(
      members.map(async (listener) => [await hasIt(listener), (await answerFor(listener)).noAds === 'adFree']),
    );
    for (const [allowed, adFree] of answers) assert.equal(adFree, allowed);
    assert.deepEqual(new Set(answers.map(([allowed]) => allowed)), new Set([true, false]));
    await release.retract();
  });

  await t.test('a subscriber whose plan is no longer declared hears none', async () => {
    await post('/v1/subscriptions', { listener: 'eve', plan: 'old', market: 'de', key: 'begin-eve' });
    const gone = await call('DELETE', '/apis/products.backline.dev/v1/namespaces/default/plans/old');
    assert.equal(gone.status, 200, gone.text);
    await until(
      async () => ((await ask({ listener: 'eve' })).json.noAds !== 'adFree' ? true : undefined),
      () => 'the plan to be gone',
      10,
    );
    assert.equal((await ask({ listener: 'eve' })).json.noAds, 'entitlementUnknown');
  });
});
