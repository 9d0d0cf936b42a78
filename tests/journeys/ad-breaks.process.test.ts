import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld } from '../support/backline.ts';
import { until } from '../support/installation.ts';

test('ads: breaks of a minute stand in the event log once, with what they asked for and got', async (t) => {
  const start = Temporal.Now.instant().round({ smallestUnit: 'minute', roundingMode: 'ceil' });
  let now = start.subtract({ minutes: 10 });
  const world = await startWorld(t, { clock: () => now, roles: ['api', 'decide', 'controllers', 'ingest'] });
  await declareAds(world, [advertiserWithAd('acme')], { slots: 2 });
  now = start.subtract({ minutes: 5 });
  const ask = async (body: object): Promise<void> => {
    const answer = await world.call('POST', '/v1/ads/decide', { body: { placement: 'between-songs', ...body } });
    assert.equal(answer.status, 200, answer.text);
  };
  for (let count = 0; count < 3; count += 1) await ask({ plan: 'free', market: 'de' });
  await ask({ plan: 'free', market: 'de', adjacent: [{ advertiser: 'default/acme', categories: [] }] });
  // A subscriber hears none: there is nothing to fill.
  await ask({ plan: 'premium', market: 'de' });
  const at = now.toString();
  const read = () =>
    world.database.query<{ payload: string }>(
      `select payload from backline.event_log where type = 'ad-break' and event_at = '${at}'`,
    );
  const counted = `select from backline.ad_breaks where minute = '${at}'`;
  await until(
    async () => ((await world.database.query(counted)).length === 1 ? true : undefined),
    () => 'the breaks to be counted',
    15,
  );
  assert.deepEqual(await read(), [], 'a minute that goes on is not in the log');
  now = start;
  const [event] = await until(
    async () => {
      const rows = await read();
      return rows.length > 0 ? rows : undefined;
    },
    () => 'the minute in the log',
    15,
  );
  assert.deepEqual(JSON.parse(event?.payload ?? ''), {
    placement: 'between-songs',
    market: 'de',
    breaks: 4,
    slots: 8,
    filled: 3,
  });
  await until(
    async () => ((await world.database.query(counted)).length === 0 ? true : undefined),
    () => 'the counts to be dropped',
    15,
  );
  assert.equal((await read()).length, 1);
});
