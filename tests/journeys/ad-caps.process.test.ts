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
  const ask = async (who: object): Promise<ReadonlyMap<string, string>> => {
    const body = { placement: 'between-songs', plan: 'free', market: 'de', ...who };
    const { json } = await call('POST', '/v1/ads/decide', { body });
    return new Map(json.ads.map(({ adSet, token }: { adSet: string; token: string }) => [adSet, token]));
  };
  const report = async (token: string): Promise<string> =>
    (await call('POST', `/v1/ads/events/impression?token=${token}`, { token: '' })).json.outcome;

  // A question without an id gets no capped ad: the cap is live.
  await until(
    async () => ((await ask({})).has('default/acme.s') ? undefined : true),
    () => 'the cap to be live',
    10,
  );

  for (const who of [{ listener: 'ann' }, { session: 's1' }]) {
    const begunMs = nowMs;
    const token = (await ask(who)).get('default/acme.s');
    assert.ok(token !== undefined);
    nowMs = begunMs + 70 * MINUTE_MS;
    assert.deepEqual([...(await ask(who)).keys()], ['default/bolt.s'], 'it may still play');
    assert.equal(await report(token), 'counted');
    nowMs += 59 * MINUTE_MS;
    assert.equal(await report(token), 'duplicate');
    assert.deepEqual([...(await ask(who)).keys()], ['default/bolt.s']);
    nowMs += MINUTE_MS;
    assert.deepEqual([...(await ask(who)).keys()], ['default/acme.s', 'default/bolt.s']);
  }

  await t.test('an impression that was counted by a node that then died is noted when it is repeated', async () => {
    const who = { listener: 'bob' };
    const token = (await ask(who)).get('default/acme.s');
    assert.ok(token !== undefined);
    const read = 'select key, history from backline.ad_histories order by until_day, key';
    const before = await world.database.query<{ key: Buffer; history: Buffer }>(read);
    assert.equal(await report(token), 'counted');
    for (const { key, history } of before) {
      const text = 'update backline.ad_histories set history = $2 where key = $1';
      await world.database.query({ text, values: [key, history] });
    }
    nowMs += 10 * MINUTE_MS;
    assert.equal(await report(token), 'duplicate');
    nowMs += 59 * MINUTE_MS;
    assert.ok(!(await ask(who)).has('default/acme.s'));
    nowMs += MINUTE_MS;
    assert.ok((await ask(who)).has('default/acme.s'));
  });

  await t.test('an erased listener is counted anew', async () => {
    const who = { listener: 'cyd' };
    assert.ok((await ask(who)).has('default/acme.s'));
    assert.ok(!(await ask(who)).has('default/acme.s'));
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
    assert.ok((await ask(who)).has('default/acme.s'));
  });
});
