import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openDatabase } from '#kernel/postgres/database.ts';
import { startDatabase } from '#tests/support/database.ts';
import { openBreakCounts } from './break-counts.ts';

const START_MS = Date.UTC(2026, 11, 1, 12);

test('breaks of all nodes add up by minute, placement and market, however often they are written', async () => {
  await using world = await startDatabase();
  const { database } = world;
  const anyBreak = fc.record({
    node: fc.nat(1),
    minute: fc.nat(2),
    placement: fc.constantFrom('songs', 'start'),
    market: fc.constantFrom('de', 'fr', undefined),
    slots: fc.nat(3),
    isWritten: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(anyBreak, { maxLength: 40 }), async (breaks) => {
      await database.query('truncate backline.ad_breaks');
      const nodes = [openBreakCounts(database), openBreakCounts(database)] as const;
      const expected = new Map<string, readonly number[]>();
      for (const { node, minute, placement, market, slots, isWritten } of breaks) {
        const filled = Math.max(0, slots - 1);
        nodes[node as 0 | 1].count({ placement, market, slots, filled }, START_MS + minute * 60_000 + 59_999);
        const key = JSON.stringify([minute, placement, market ?? '']);
        const [count = 0, asked = 0, answered = 0] = expected.get(key) ?? [];
        expected.set(key, [count + 1, asked + slots, answered + filled]);
        if (isWritten) await nodes[node as 0 | 1].flush();
      }
      await Promise.all(nodes.map(({ flush }) => flush()));
      const rows = await database.query<Record<'minute' | 'breaks' | 'slots' | 'filled', number> & { place: string[] }>(
        `select (extract(epoch from minute)::bigint - ${START_MS / 1_000}) / 60 as minute, array[placement, market] as place,
           breaks, slots, filled
         from backline.ad_breaks`,
      );
      const written = rows.map(({ minute, place, breaks: count, slots, filled }) => [
        JSON.stringify([Number(minute), ...place]),
        [Number(count), Number(slots), Number(filled)],
      ]);
      assert.deepEqual(written.toSorted(), [...expected].toSorted());
    }),
    { numRuns: 25 },
  );
});

test('counts that cannot be written are kept for the next time', async () => {
  await using world = await startDatabase();
  const away = openDatabase(world.url);
  const counts = openBreakCounts(away);
  counts.count({ placement: 'songs', market: 'de', slots: 2, filled: 1 }, START_MS);
  await world.database.query('alter table backline.ad_breaks rename to ad_breaks_away');
  await assert.rejects(counts.flush());
  counts.count({ placement: 'songs', market: 'de', slots: 2, filled: 2 }, START_MS);
  await world.database.query('alter table backline.ad_breaks_away rename to ad_breaks');
  await counts.flush();
  await counts.flush();
  const rows = await world.database.query('select breaks::int, slots::int, filled::int from backline.ad_breaks');
  assert.deepEqual(rows, [{ breaks: 2, slots: 4, filled: 3 }]);
  await away.close();
});
