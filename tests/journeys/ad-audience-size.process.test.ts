import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld } from '../support/backline.ts';
import { until } from '../support/installation.ts';

const AD_SET = '/apis/ads.backline.dev/v1/namespaces/default/adsets/acme.s';

test('breaks are sampled as they are answered, and few of them in a week are in the status and a warning of the write', async (t) => {
  const world = await startWorld(t);
  const { call, database } = world;
  await declareAds(world, [advertiserWithAd('acme')]);
  const rowsOf = (table: string) => database.query<{ placement: string }>(`select placement from backline.${table}`);
  await until(
    async () => ((await rowsOf('ad_break_samples')).length > 0 ? true : undefined),
    () => 'a sample',
    15,
  );
  assert.deepEqual(
    (await rowsOf('ad_break_days')).map(({ placement }) => placement),
    ['between-songs'],
  );
  assert.deepEqual((await call('GET', AD_SET)).json.status, { serving: true, reasons: [] }, 'a day is not over');

  // Three days with ten breaks each, before today.
  await database.query(`
    insert into backline.ad_break_days (day, placement, breaks)
    select (now() at time zone 'UTC')::date - ago, 'between-songs', 10 from generate_series(1, 3) as ago`);
  await world.restart();
  await until(
    async () => {
      const { status } = (await call('GET', AD_SET)).json;
      return status.serving === true && status.reasons[0]?.reason === 'too few listeners' ? true : undefined;
    },
    () => 'the reason',
    10,
  );
  const headers = { 'content-type': 'application/merge-patch+json' };
  const written = await call('PATCH', AD_SET, { body: { spec: { bid: '8.00' } }, headers });
  assert.equal(written.status, 200, written.text);
  assert.match(String(written.headers['warning']), /Few get it: Its listeners have at most \d+ breaks a week/);
});
