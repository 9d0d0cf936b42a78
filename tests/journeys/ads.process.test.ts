import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld } from '../support/backline.ts';
import { feature, market, plan } from '../support/catalogue.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { until } from '../support/installation.ts';

const ADS = '/apis/ads.backline.dev/v1/namespaces/default';
const apiVersion = 'ads.backline.dev/v1';
const declared = (kind: string, name: string, spec: object) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'default' },
  spec,
});

const PLACEMENT = declared('Placement', 'between-songs', {
  format: 'audio',
  slots: 2,
  seconds: 60,
  currency: 'EUR',
  floor: { cpm: '2.00' },
  adFreeFeature: 'ad-free',
});

const account = (name: string, cpm: string): readonly (readonly [path: string, body: object])[] => [
  ['advertisers', declared('Advertiser', name, { currency: 'EUR' })],
  ['campaigns', declared('Campaign', `${name}.c`, { account: name })],
  ['adsets', declared('AdSet', `${name}.s`, { account: name, campaign: `${name}.c`, cpm })],
  [
    'assets',
    declared('Asset', `${name}.f`, {
      account: name,
      format: 'audio',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    }),
  ],
  ['ads', declared('Ad', `${name}.a`, { account: name, adSet: `${name}.s`, asset: `${name}.f` })],
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
    assert.deepEqual(json.ads[0], {
      ad: 'default/acme.a',
      adSet: 'default/acme.s',
      campaign: 'default/acme.c',
      advertiser: 'default/acme',
      categories: [],
      tier: 'auction',
      cpm: '12.50',
      currency: 'EUR',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    });
  });

  await t.test('a subscriber gets none, whatever the question says, from the moment of the upgrade on', async () => {
    const noAds = async (body: object) => (await decide(body)).json.noAds;
    assert.equal(await noAds({ plan: 'premium', market: 'de' }), 'adFree');
    assert.equal(await noAds({ listener: 'bob', plan: 'premium', market: 'de' }), 'adFree');
    assert.deepEqual(await adSets(ann), ['acme.s', 'bolt.s']);
    await post('/v1/subscriptions', { listener: 'ann', plan: 'premium', market: 'de', key: 'up' });
    assert.equal(await noAds(ann), 'adFree');
  });

  await t.test('whoever cannot be placed gets none', async () => {
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

  await t.test('pauses, suspensions and new bids are live with the write', async () => {
    const bob = { listener: 'bob', plan: 'free', market: 'de' };
    await patch('adsets/acme.s', { paused: true });
    await become(['bolt.s'], bob);
    await patch('adsets/acme.s', { paused: false, cpm: '2.50' });
    await become(['bolt.s', 'acme.s'], bob);
    await patch('advertisers/bolt', { suspended: { reason: 'unpaid' } });
    await become(['acme.s'], bob);
    const explained = await call('POST', '/v1/ads/explain', { body: { placement: 'between-songs', ...bob } });
    assert.deepEqual(explained.json.reasons, [
      { reason: 'advertiser suspended', adSets: 1, example: 'default/bolt.s' },
    ]);
    assert.deepEqual(explained.json.candidates, [
      { adSet: 'default/acme.s', tier: 'auction', cpm: '2.50', served: true },
    ]);
    await patch('campaigns/acme.c', { paused: true });
    await become([], bob);
    assert.equal((await decide(bob)).json.noAds, 'noCandidate');
    const made = await call('GET', '/apis/releases.backline.dev/v1/heads');
    assert.doesNotMatch(made.text, /AdSet|Advertiser/, 'advertisers make no Heads');
  });

  await t.test('wrong objects and questions are refused with a remedy', async () => {
    const refused = async (path: string, body: object): Promise<string> => {
      const answer = await call('POST', `${ADS}/${path}`, { body });
      assert.equal(answer.status, 422, answer.text);
      return answer.json.message;
    };
    const spec = { account: 'acme', campaign: 'acme.c', cpm: '1' };
    assert.match(await refused('adsets', declared('AdSet', 'other', spec)), /begins with "acme\."/);
    assert.match(
      await refused('adsets', declared('AdSet', 'acme.x', { ...spec, campaign: 'bolt.c' })),
      /no object of account acme/,
    );
    assert.match(await refused('adsets', declared('AdSet', 'acme.x', { ...spec, cpm: '0' })), /not above 0/);
    assert.match(
      await refused('adsets', declared('AdSet', 'acme.x', { ...spec, until: '2020-01-01T00:00:00Z' })),
      /is over/,
    );
    assert.match(
      await refused('advertisers', declared('Advertiser', 'x', { currency: 'EUX' })),
      /did you mean|ISO 4217/,
    );
    const noLength = {
      account: 'acme',
      format: 'audio',
      renditions: [{ url: 'https://a.example/a', mime: 'audio/aac' }],
    };
    assert.match(await refused('assets', declared('Asset', 'acme.y', noLength)), /has a length/);
    const unknown = await call('POST', '/v1/ads/decide', { body: { placement: 'between-song' } });
    assert.deepEqual([unknown.status, unknown.json.code], [404, 'ads/unknown-placement']);
    assert.match(unknown.text, /between-songs/);
    const wrong = await decide({ context: { timeZone: 7 } });
    assert.deepEqual([wrong.status, wrong.json.code], [422, 'ads/invalid-question'], wrong.text);
  });
});
