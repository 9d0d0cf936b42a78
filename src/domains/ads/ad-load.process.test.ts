import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_HISTORIES, type Histories } from './history/histories.ts';
import { answer, cappedTable, serve, startCapsNodes } from './testing/caps-world.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const MINUTE_MS = 60_000;
const TEA = { account: 'bolt', campaign: 'bolt.c', name: 'bolt.tea', bid: '3.00' };
const BREAK = ['bolt.tea'];

const tableOfLoad = (load: object) => cappedTable([TEA], {}, { consent: [{ framework: 'none' }], load });
const ask = (afterMinutes: number, subject: Parameters<typeof serve>[2]['subject'] = { listener: 'ann' }) => ({
  decision: `d${afterMinutes}`,
  subject,
  nowMs: NOW_MS + afterMinutes * MINUTE_MS,
});

test('breaks of an hour and the gap between them hold on every node, also for what is asked at once', async () => {
  await using world = await startCapsNodes();
  const [one, two] = world.nodes;
  const table = tableOfLoad({ breaksPerHour: 2, gapSeconds: 600 });
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, index) =>
      serve(table, index % 2 === 0 ? one : two, { ...ask(0), decision: `p${index}` }),
    ),
  );
  assert.equal(answers.filter((ads) => ads.length > 0).length, 1);
  assert.deepEqual(await serve(table, two, ask(9.9)), []);
  assert.deepEqual(await serve(table, two, ask(10)), BREAK);
  assert.deepEqual(await serve(table, one, ask(59.9)), []);
  assert.deepEqual(await serve(table, one, ask(60)), BREAK);
  // Another listener has a load of their own.
  assert.deepEqual(await serve(table, one, ask(60, { listener: 'bob' })), BREAK);
});

test('a break without ads is none, and a load that is lowered holds at once', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  const table = tableOfLoad({ gapSeconds: 3_600 });
  assert.deepEqual(await serve(table, node, { ...ask(0), slots: 0 }), []);
  assert.deepEqual(await serve(table, node, ask(1)), BREAK);
  assert.deepEqual(await serve(table, node, ask(20)), []);
  assert.deepEqual(await serve(tableOfLoad({ gapSeconds: 600 }), node, ask(20)), BREAK);
});

test('breaks under another policy count, for as long as the load of this one looks back', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  const [hourly, gap, grace] = [{ breaksPerHour: 3 }, { gapSeconds: 30 }, { graceMinutes: 1 }].map(tableOfLoad);
  assert.ok(hourly !== undefined && gap !== undefined && grace !== undefined);
  assert.deepEqual(await serve(grace, node, ask(0)), []);
  assert.deepEqual(await serve(grace, node, ask(1)), BREAK);
  assert.deepEqual(await serve(hourly, node, ask(2)), BREAK);
  assert.deepEqual(await serve(gap, node, ask(3)), BREAK);
  assert.deepEqual(await serve(hourly, node, ask(4)), []);
  assert.deepEqual(await serve(gap, node, ask(5)), BREAK);
  // The break of the second minute ends, and three are left.
  assert.deepEqual(await serve(hourly, node, ask(61)), []);
  assert.deepEqual(await serve(hourly, node, ask(62)), BREAK);
});

test('where nobody is named, or nothing is kept, a load cannot be held: no ads', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  const table = tableOfLoad({ breaksPerHour: 2 });
  assert.deepEqual(await serve(table, node, ask(0, {})), []);
  assert.deepEqual(await serve(table, NO_HISTORIES, ask(0)), []);
  assert.deepEqual(await serve(cappedTable([TEA], {}), node, ask(0, {})), BREAK);
});

test('a question without a break goes on with the session, also where another write for the listener was first', async () => {
  await using world = await startCapsNodes();
  const [node, other] = world.nodes;
  const table = tableOfLoad({ graceMinutes: 5, gapSeconds: 3_600 });
  const isOvertaken = { next: false };
  const histories: Histories = {
    ...node,
    add: async (...asked) => {
      if (isOvertaken.next) await other.reward({ listener: 'ann' }, NOW_MS);
      isOvertaken.next = false;
      return node.add(...asked);
    },
  };
  const loadAt = async (minutes: number) => (await answer(table, histories, ask(minutes))).load;
  assert.deepEqual([await loadAt(0), await loadAt(5)], ['grace', undefined]);
  isOvertaken.next = true;
  assert.equal(await loadAt(25), 'adLoad');
  assert.equal(await loadAt(50), 'adLoad', 'no session begins');
});
