import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAdNode, type AdNode } from './testing/ad-node.ts';
import { cappedTable } from './testing/caps-world.ts';

const START = Temporal.Instant.from('2026-11-30T12:00:00Z');
const TEA = { account: 'bolt', campaign: 'bolt.c', name: 'bolt.tea', bid: '3.00' };
const LOAD = { gapSeconds: 60, rewardedMinutes: 30 };
/** The string of nobody: permits no history. */
const REFUSED = { territory: 'DE' };

/** A node whose time the test moves, and the answers to one listener at a time. */
async function startTown(load: object) {
  let now = START;
  const node: AdNode = await startAdNode(() => now);
  const consent = [{ territories: ['DE'], framework: 'gpp' }, { framework: 'none' }];
  const table = cappedTable([TEA], {}, { consent, load });
  const ask = (placement: string, who: object, isTrusted = true) =>
    node.ask('/v1/ads/decide', { placement, territory: 'JP', ...who }, { table, now, isTrusted });
  return {
    node,
    ask,
    /** Why there is no break; undefined where there is one. */
    noAds: async (who: object, isTrusted?: boolean) => (await ask('break', who, isTrusted)).noAds,
    explain: (who: object) =>
      node.ask('/v1/ads/explain', { placement: 'break', territory: 'JP', ...who }, { table, now }),
    report: (event: string, token: string) => node.report(event, token, { table, now }),
    pass: (duration: Temporal.DurationLike) => {
      now = now.add(duration);
    },
    /** Plays an ad of 10 seconds from its answer to its end, which is reported after so many of them. */
    play: async (placement: string, who: object, seconds = 10): Promise<string> => {
      const [ad] = (await ask(placement, who)).ads;
      assert.ok(ad !== undefined, `no ad at ${placement}`);
      for (const event of ['impression', 'start']) await node.report(event, ad.token, { table, now });
      now = now.add({ seconds });
      assert.equal(await node.report('complete', ad.token, { table, now }), 'counted');
      return ad.token;
    },
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}

test('an ad that a listener asks for and plays to the end gives time without ads, once and for exactly so long', async () => {
  await using town = await startTown(LOAD);
  const ann = { listener: 'ann' };
  const token = await town.play('reward', ann);
  assert.equal(await town.noAds(ann), 'rewarded');
  assert.equal((await town.explain(ann)).noAds, 'rewarded');
  town.pass({ minutes: 29, seconds: 59 });
  assert.equal(await town.report('complete', token), 'duplicate');
  assert.equal(await town.noAds(ann), 'rewarded');
  town.pass({ seconds: 1 });
  assert.equal(await town.noAds(ann), undefined, 'a repeated end gives nothing more');
  assert.equal(await town.report('complete', token), 'duplicate');
  town.pass({ minutes: 1 });
  assert.equal(await town.noAds(ann), undefined);
  assert.equal(await town.noAds({ listener: 'bob' }), undefined, 'others have their ads');
});

test('an end that comes sooner than an ad can have played gives nothing, nor does an ordinary ad', async () => {
  await using town = await startTown(LOAD);
  const ann = { listener: 'ann' };
  const token = await town.play('reward', ann, 9);
  town.pass({ minutes: 1 });
  assert.equal(await town.report('complete', token), 'duplicate');
  assert.equal(await town.noAds(ann), undefined);
  town.pass({ minutes: 1 });
  await town.play('break', ann);
  town.pass({ minutes: 1 });
  assert.equal(await town.noAds(ann), undefined);
});

test('a rewarded break counts, and no load, grace or reward holds it back', async () => {
  await using town = await startTown({ ...LOAD, graceMinutes: 5 });
  const ann = { listener: 'ann' };
  assert.equal(await town.noAds(ann), 'grace');
  assert.equal((await town.ask('reward', ann)).ads.length, 1);
  town.pass({ minutes: 5 });
  assert.equal(await town.noAds(ann), undefined);
  assert.equal(await town.noAds(ann), 'adLoad');
  assert.equal((await town.ask('reward', ann)).ads.length, 1);
  town.pass({ seconds: 59 });
  assert.equal(await town.noAds(ann), 'adLoad', 'it is counted');
  await town.play('reward', ann);
  town.pass({ minutes: 20 });
  await town.play('reward', ann);
  town.pass({ minutes: 29 });
  assert.equal(await town.noAds(ann), 'rewarded', 'the later one counts');
});

test('who is erased before the end of the ad is not rewarded: nothing of them comes back', async () => {
  await using town = await startTown(LOAD);
  const ann = { listener: 'ann' };
  const [ad] = (await town.ask('reward', ann)).ads;
  assert.ok(ad !== undefined);
  for (const { erase } of town.node.records.histories.erasers) await erase('ann');
  town.pass({ seconds: 10 });
  for (const event of ['impression', 'start', 'complete']) assert.equal(await town.report(event, ad.token), 'counted');
  assert.deepEqual(await town.node.database.query('select key from backline.ad_histories'), []);
  assert.equal(await town.noAds(ann), undefined);
});

test('the first minutes of a session have no ads, wherever it is asked; it ends when nobody asks for half an hour', async () => {
  await using town = await startTown({ graceMinutes: 5 });
  const ann = { listener: 'ann' };
  assert.equal(await town.noAds({ ...ann, device: 'phone', session: 's1' }), 'grace');
  assert.equal((await town.explain(ann)).noAds, 'grace');
  town.pass({ minutes: 5 });
  assert.equal(await town.noAds({ ...ann, device: 'tv', session: 's2' }), undefined);
  for (let asked = 0; asked < 3; asked += 1) {
    town.pass({ minutes: 29 });
    assert.equal(await town.noAds(ann), undefined);
  }
  town.pass({ minutes: 30 });
  assert.equal((await town.explain(ann)).noAds, 'grace', 'a session would begin');
  assert.equal(await town.noAds(ann), 'grace');
});

test('a session that an app names itself has no grace: a new name would lift the ads', async () => {
  await using town = await startTown({ graceMinutes: 5 });
  for (const who of [{ session: 's1' }, { listener: 'ann', session: 's2', ...REFUSED }]) {
    assert.equal(await town.noAds(who, false), undefined);
    assert.equal(await town.noAds({ ...who, session: `${who.session} of a server` }, true), 'grace');
  }
  assert.equal(await town.noAds({ listener: 'ann' }, false), 'grace', 'the key of the app was signed for her');
});
