import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_HISTORIES, type HistorySubject } from './history/histories.ts';
import type { FrequencyCaps } from './kinds/parts.ts';
import { cappedTable, confirm, serve, startCapsNodes, type CapsByName } from './testing/caps-world.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** An ad that is not played vanishes: the life of its token, and the margin. */
const VANISHED_MS = DAY_MS + MINUTE_MS;

const SHOES = { account: 'acme', campaign: 'acme.c', name: 'acme.shoes', bid: '9.00' };
const HATS = { ...SHOES, name: 'acme.hats', bid: '8.00' };
const TEA = { account: 'bolt', campaign: 'bolt.c', name: 'bolt.tea', bid: '3.00' };

const shoes = (caps: CapsByName) => cappedTable([SHOES, TEA], caps);
const daily = (count: number, scope: FrequencyCaps[number]['scope'] = 'listener'): FrequencyCaps => [
  { count, per: 'P1D', scope },
];
const ask = (decision: string, afterMs = 0, subject: HistorySubject = { listener: 'ann' }) => ({
  decision,
  subject,
  nowMs: NOW_MS + afterMs,
});
const BOTH = ['acme.shoes', 'bolt.tea'];
const REST = ['bolt.tea'];

test('two devices of a listener in one second, on two nodes, get no more than the cap', async () => {
  await using world = await startCapsNodes();
  const table = shoes({ 'acme.shoes': daily(3) });
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, index) => serve(table, world.nodes[index % 2 === 0 ? 0 : 1], ask(`d${index}`))),
  );
  assert.equal(answers.filter((ads) => ads.includes('acme.shoes')).length, 3);
  assert.equal(answers.filter((ads) => ads.includes('bolt.tea')).length, 6);
  assert.deepEqual(await serve(table, world.nodes[0], ask('later', 1_000)), REST);
});

test('three breaks that are fetched ahead share the cap, though none of them has played', async () => {
  await using world = await startCapsNodes();
  const table = shoes({ 'acme.shoes': daily(2) });
  const [node] = world.nodes;
  assert.deepEqual(await serve(table, node, ask('one')), BOTH);
  assert.deepEqual(await serve(table, node, ask('two')), BOTH);
  assert.deepEqual(await serve(table, node, ask('three')), REST);
});

test('an ad that never played counts until it can play no more, and then no longer', async () => {
  await using world = await startCapsNodes();
  const table = shoes({ 'acme.shoes': [{ count: 1, per: 'PT1M', scope: 'listener' }] });
  const [node, other] = world.nodes;
  assert.deepEqual(await serve(table, node, ask('one')), BOTH);
  // It may still play: a minute after that would be the second.
  assert.deepEqual(await serve(table, other, ask('two', DAY_MS)), REST);
  assert.deepEqual(await serve(table, other, ask('three', VANISHED_MS)), BOTH);
});

test('an ad that played counts from its impression on, for exactly its window', async () => {
  await using world = await startCapsNodes();
  const table = shoes({ 'acme.shoes': [{ count: 1, per: 'PT1H', scope: 'listener' }] });
  const [node, other] = world.nodes;
  const one = ask('one');
  assert.deepEqual(await serve(table, node, one), BOTH);
  await confirm(other, one, 0, NOW_MS + 5 * MINUTE_MS);
  // The impression counts once, however often it is reported.
  await confirm(node, one, 0, NOW_MS + 50 * MINUTE_MS);
  assert.deepEqual(await serve(table, node, ask('two', 65 * MINUTE_MS - 1)), REST);
  assert.deepEqual(await serve(table, node, ask('three', 65 * MINUTE_MS)), BOTH);
});

test('a cap that is lowered, raised or removed holds with the next decision', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  const two = shoes({ 'acme.shoes': daily(2) });
  assert.deepEqual(await serve(two, node, ask('one')), BOTH);
  assert.deepEqual(await serve(shoes({ 'acme.shoes': daily(1) }), node, ask('two')), REST);
  assert.deepEqual(await serve(two, node, ask('three')), BOTH);
  assert.deepEqual(await serve(two, node, ask('four')), REST);
  assert.deepEqual(await serve(shoes({ 'acme.shoes': daily(3) }), node, ask('five')), BOTH);
  assert.deepEqual(await serve(shoes({ 'acme.shoes': daily(3) }), node, ask('six')), REST);
  assert.deepEqual(await serve(shoes({}), node, ask('seven')), BOTH);
  assert.deepEqual(await serve(shoes({ 'acme.shoes': daily(3) }), node, ask('eight')), REST);
});

test('a cap of a campaign or an advertiser counts all of its ad sets', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  for (const [index, owner] of ['acme.c', 'acme'].entries()) {
    const subject = { listener: `listener ${index}` };
    const table = cappedTable([SHOES, HATS, TEA], { [owner]: daily(2), 'acme.shoes': daily(1) });
    assert.deepEqual(await serve(table, node, ask('one', 0, subject)), ['acme.shoes', 'bolt.tea']);
    assert.deepEqual(await serve(table, node, ask('two', 0, subject)), ['acme.hats', 'bolt.tea']);
    assert.deepEqual(await serve(table, node, ask('three', 0, subject)), REST);
  }
});

test('members of a household share its caps, and nothing else', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  const table = cappedTable([SHOES, TEA], { 'acme.shoes': daily(1, 'household'), 'bolt.tea': daily(1) });
  const member = (listener: string) => ({ listener, household: 'home' });
  assert.deepEqual(await serve(table, node, ask('one', 0, member('ann'))), BOTH);
  assert.deepEqual(await serve(table, node, ask('two', 0, member('bob'))), REST);
  assert.deepEqual(await serve(table, node, ask('three', 0, { listener: 'cyd', household: 'other' })), BOTH);
});

test('without consent the session is counted, and nothing is kept of the listener', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  const table = shoes({ 'acme.shoes': daily(1) });
  assert.deepEqual(await serve(table, node, ask('one', 0, { session: 's1' })), BOTH);
  assert.deepEqual(await serve(table, node, ask('two', 0, { session: 's1' })), REST);
  assert.deepEqual(await serve(table, node, ask('three', 0, { session: 's2' })), BOTH);
  assert.deepEqual(await serve(table, node, ask('four')), BOTH);
  assert.deepEqual(await serve(table, node, ask('nobody', 0, {})), REST);
});

test('where the caps of one ad set are counted in several places, a short window takes nothing from a long one', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  const caps = [
    { count: 2, per: 'P30D', scope: 'household' as const },
    { count: 9, per: 'PT1H', scope: 'session' as const },
  ];
  const table = shoes({ 'acme.shoes': caps });
  // Without a household its cap counts in the session of a device that several listeners use.
  const serveAndPlay = async (name: string, hours: number, subject: HistorySubject) => {
    const request = ask(name, hours * 60 * MINUTE_MS, subject);
    const served = await serve(table, node, request);
    await confirm(node, request, 0, request.nowMs);
    return served;
  };
  const nobody = { session: 's' };
  assert.deepEqual(await serveAndPlay('one', 0, nobody), BOTH);
  assert.deepEqual(await serveAndPlay('ann', 2, { ...nobody, listener: 'ann' }), BOTH);
  assert.deepEqual(await serveAndPlay('two', 4, nobody), BOTH);
  assert.deepEqual(await serveAndPlay('bob', 6, { ...nobody, listener: 'bob' }), BOTH);
  assert.deepEqual(await serveAndPlay('three', 8, nobody), REST);
});

test('an erased listener leaves nothing: not as a household of one, nor on devices; a late impression brings nothing back', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  const table = cappedTable([SHOES, TEA], {
    'acme.shoes': [...daily(1), ...daily(1, 'household'), ...daily(1, 'device'), ...daily(1, 'session')],
  });
  const ann = { listener: 'ann', household: 'ann', device: 'phone', session: 's' };
  const one = ask('one', 0, ann);
  assert.deepEqual(await serve(table, node, one), BOTH);
  assert.deepEqual(
    await serve(table, node, ask('bob', 0, { listener: 'bob', household: 'bob', device: 'b', session: 'b' })),
    BOTH,
  );
  const rows = () => world.database.query('select key from backline.ad_histories');
  assert.equal((await rows()).length, 8);
  const text = JSON.stringify(await world.database.query('select h::text from backline.ad_histories h'));
  assert.ok(!/ann|phone/.test(text));
  const [eraser] = node.erasers;
  assert.equal(await eraser?.erase('ann'), 4);
  assert.equal(await eraser?.erase('ann'), 0);
  await confirm(node, one, 0, NOW_MS);
  assert.equal((await rows()).length, 4);
  assert.deepEqual(await serve(table, node, ask('new', 0, ann)), BOTH);
});

test('histories that have ended are dropped, and no others', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  const table = shoes({ 'acme.shoes': daily(1) });
  await serve(table, node, ask('one'));
  const rows = async () => (await world.database.query('select key from backline.ad_histories')).length;
  await node.tidy(NOW_MS + DAY_MS);
  assert.equal(await rows(), 1);
  await node.tidy(NOW_MS + 3 * DAY_MS);
  assert.equal(await rows(), 0);
});

test('a node without a database serves no ad set that has a cap', async () => {
  assert.deepEqual(await serve(shoes({ 'acme.shoes': daily(9) }), NO_HISTORIES, ask('one')), REST);
  assert.deepEqual(await serve(shoes({}), NO_HISTORIES, ask('one')), BOTH);
});
