import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld } from '../support/backline.ts';
import { CHANGE_SETS, changeSet } from '../support/flags.ts';
import { until } from '../support/installation.ts';

const ADS = '/apis/ads.backline.dev/v1/namespaces/default';
const MINUTE_MS = 60_000;

test('ads: a session begins without ads, and a listener who plays a rewarded ad to the end has half an hour without', async (t) => {
  let nowMs = Date.now();
  const world = await startWorld(t, {
    clock: () => Temporal.Instant.fromEpochMilliseconds(nowMs),
    roles: ['api', 'decide', 'controllers', 'ingest'],
  });
  const { call } = world;
  await declareAds(world, [advertiserWithAd('acme')], { slots: 1 });
  const adObject = (kind: string, name: string, spec: object) => ({
    apiVersion: 'ads.backline.dev/v1',
    kind,
    metadata: { name, namespace: 'default' },
    spec,
  });
  const reward = {
    format: 'audio',
    slots: 1,
    seconds: 30,
    currency: 'EUR',
    policy: 'standard',
    adFreeFeature: 'ad-free',
    rewarded: true,
  };
  const posted = await call('POST', CHANGE_SETS, { body: changeSet(adObject('Placement', 'watch-now', reward)) });
  assert.ok(posted.status < 300, posted.text);
  const warned = await call('POST', `${ADS}/placements`, { body: adObject('Placement', 'for-nothing', reward) });
  assert.match(String(warned.headers['warning']), /has no load.rewardedMinutes/);
  const patched = await call('PATCH', `${ADS}/adpolicies/standard`, {
    body: { spec: { load: { graceMinutes: 5, rewardedMinutes: 30 } } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(patched.status, 200, patched.text);
  const ask = async (session: string, placement = 'between-songs', path = '/v1/ads/decide') => {
    const { json } = await call('POST', path, { body: { placement, plan: 'free', market: 'de', session } });
    return json;
  };
  await until(
    async () => ((await ask('first', undefined, '/v1/ads/explain')).noAds === 'grace' ? true : undefined),
    () => 'a policy with a grace',
    10,
  );
  await until(
    async () => ((await ask('other', 'watch-now')).ads?.length === 1 ? true : undefined),
    () => 'the rewarded placement',
    10,
  );

  assert.equal((await ask('s')).noAds, 'grace');
  nowMs += 5 * MINUTE_MS;
  assert.equal((await ask('s')).ads.length, 1);

  const [{ token }] = (await ask('s', 'watch-now')).ads;
  const report = async (event: string) => {
    const answer = await call('POST', `/v1/ads/events/${event}?token=${token}`, { token: '' });
    assert.equal(answer.json.outcome, 'counted', answer.text);
  };
  await report('impression');
  await report('start');
  assert.equal((await ask('s')).ads.length, 1, 'it has not played yet');
  nowMs += 30_000;
  await report('complete');
  for (const path of ['/v1/ads/decide', '/v1/ads/explain'])
    assert.equal((await ask('s', undefined, path)).noAds, 'rewarded');
  nowMs += 20 * MINUTE_MS;
  assert.equal((await ask('s')).noAds, 'rewarded');
  nowMs += 10 * MINUTE_MS;
  assert.equal((await ask('s')).ads.length, 1);

  const refused = await call('POST', `${ADS}/placements`, {
    body: adObject('Placement', 'two', { ...reward, slots: 2 }),
  });
  assert.equal(refused.status, 422, refused.text);
  assert.match(refused.json.message, /a reward is for one ad that plays to the end/);
});
