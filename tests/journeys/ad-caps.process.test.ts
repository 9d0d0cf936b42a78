import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld } from '../support/backline.ts';
import { until } from '../support/installation.ts';

const MINUTE_MS = 60_000;

test('ads: a capped ad counts while it may play, and from its impression on for the window of its cap', async (t) => {
  let nowMs = Date.now();
  const world = await startWorld(t, {
    clock: () => Temporal.Instant.fromEpochMilliseconds(nowMs),
    roles: ['api', 'decide', 'controllers', 'ingest'],
  });
  const { call } = world;
  await declareAds(world, [advertiserWithAd('acme', { bid: '12.50' }), advertiserWithAd('bolt', { bid: '3.00' })]);
  const patched = await call('PATCH', '/apis/ads.backline.dev/v1/namespaces/default/adsets/acme.s', {
    body: { spec: { frequencyCaps: [{ count: 1, per: 'PT1H' }] } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(patched.status, 200, patched.text);
  const question = (who: object) => ({ placement: 'between-songs', plan: 'free', market: 'de', ...who });
  /** Gives the token of the capped ad. Money may have to be fetched anew after so long. */
  const serve = (who: object): Promise<string> =>
    until(
      async () => {
        const { json } = await call('POST', '/v1/ads/decide', { body: question(who) });
        return json.ads.find(({ adSet }: { adSet: string }) => adSet === 'default/acme.s')?.token;
      },
      () => 'the capped ad',
      10,
    );
  const obstacleOf = async (who: object): Promise<string | undefined> => {
    const { json } = await call('POST', '/v1/ads/explain', { body: question(who) });
    return json.reasons.find(({ example }: { example: string }) => example === 'default/acme.s')?.reason;
  };
  const report = async (token: string): Promise<string> =>
    (await call('POST', `/v1/ads/events/impression?token=${token}`, { token: '' })).json.outcome;

  await until(
    async () => ((await obstacleOf({})) === 'frequency unknown' ? true : undefined),
    () => 'the cap to be live',
    10,
  );

  for (const who of [{ listener: 'ann' }, { session: 's1' }]) {
    const token = await serve(who);
    nowMs += 70 * MINUTE_MS;
    assert.equal(await obstacleOf(who), 'frequency cap', 'it may still play');
    assert.equal(await report(token), 'counted');
    nowMs += 59 * MINUTE_MS;
    assert.equal(await report(token), 'duplicate');
    assert.equal(await obstacleOf(who), 'frequency cap');
    nowMs += MINUTE_MS;
    await serve(who);
  }

  await t.test('an impression that was counted by a node that then died is noted when it is repeated', async () => {
    const who = { listener: 'bob' };
    const token = await serve(who);
    const read = 'select key, history from backline.ad_histories';
    const before = await world.database.query<{ key: Buffer; history: Buffer }>(read);
    assert.equal(await report(token), 'counted');
    for (const { key, history } of before) {
      const text = 'update backline.ad_histories set history = $2 where key = $1';
      await world.database.query({ text, values: [key, history] });
    }
    nowMs += 10 * MINUTE_MS;
    assert.equal(await report(token), 'duplicate');
    nowMs += 59 * MINUTE_MS;
    assert.equal(await obstacleOf(who), 'frequency cap');
    nowMs += MINUTE_MS;
    await serve(who);
  });

  await t.test('an erased listener is counted anew', async () => {
    const who = { listener: 'cyd' };
    await serve(who);
    assert.equal(await obstacleOf(who), 'frequency cap');
    const erased = await call('POST', '/apis/events.backline.dev/v1/erasures', {
      body: {
        apiVersion: 'events.backline.dev/v1',
        kind: 'Erasure',
        metadata: {},
        spec: { subject: 'cyd' },
      },
    });
    assert.equal(erased.status, 201, erased.text);
    assert.equal(erased.json.status.erased['ad-histories'], 1);
    await serve(who);
  });
});
