import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unavailable } from '#kernel/base/failures.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import { adRoutes, type BreakParts } from './ad-routes.ts';
import { openRecentBreaks } from './diagnosis/recent-breaks.ts';
import { NO_HISTORIES } from './history/histories.ts';
import { NO_MONEY } from './money/money.ts';
import { PermissionCache } from './rules/consent/permission-cache.ts';
import { cappedTable } from './testing/caps-world.ts';

const POLICY = { consent: [{ framework: 'none' }] };
const TABLE = cappedTable([{ account: 'bolt', campaign: 'bolt.c', name: 'bolt.tea', bid: '3.00' }], {}, POLICY);
const NOW = Temporal.Instant.from('2026-11-30T12:00:00Z');

/** Asks a node without a database for a break. */
async function ask(time: VirtualTime, hasFeature: () => Promise<boolean | undefined>, snapshotAgeMs = 0) {
  const parts: BreakParts = {
    random: () => 0,
    money: NO_MONEY,
    histories: NO_HISTORIES,
    permissions: new PermissionCache(),
    recent: openRecentBreaks(() => 0),
    records: undefined,
    time,
  };
  const route = adRoutes(parts).find(({ path }) => path === '/v1/ads/decide');
  const facts = { hasFeature, cohortSubject: () => ({ units: {}, facts: {}, context: {} }) };
  const limit = { signal: undefined };
  const age = () => snapshotAgeMs;
  const context = { table: TABLE, facts, now: NOW, snapshotAgeMs: age, by: 'test', isTrusted: true, limit };
  const question = { placement: 'break', listener: 'ann', territory: 'JP' };
  return (await route?.handle(question, context as never)) as { readonly noAds?: string };
}

test('a break waits 300 ms for the record of its listener; where that is not read by then, there are no ads', async () => {
  const time = new VirtualTime();
  let noAds: string | undefined;
  void ask(time, () => new Promise(() => {})).then((answer) => (noAds = answer.noAds));
  await time.run(299);
  for (let turn = 0; turn < 50; turn += 1) await time.run(0);
  assert.equal(noAds, undefined, 'it waits');
  await time.run(1);
  for (let turn = 0; turn < 50 && noAds === undefined; turn += 1) {
    await new Promise(setImmediate);
    await time.run(0);
  }
  assert.equal(noAds, 'entitlementUnknown');
});

test('where the database is away there are no ads; a listener without the feature has them', async () => {
  const away = new Unavailable('postgres/away', 'The database is away.');
  const noAds = async (hasFeature: () => Promise<boolean | undefined>) =>
    (await ask(new VirtualTime(), hasFeature)).noAds;
  assert.equal(await noAds(() => Promise.reject(away)), 'entitlementUnknown');
  assert.equal(await noAds(async () => true), 'adFree');
  assert.equal(await noAds(async () => undefined), 'entitlementUnknown');
  assert.equal(await noAds(async () => false), undefined);
});

test('a node that has not heard of the control plane for a minute serves no ads: it cannot know what is paused', async () => {
  const noAds = async (ageMs: number) => (await ask(new VirtualTime(), async () => false, ageMs)).noAds;
  assert.equal(await noAds(0), undefined);
  assert.equal(await noAds(60_000), undefined);
  assert.equal(await noAds(60_001), 'snapshotOld');
});
