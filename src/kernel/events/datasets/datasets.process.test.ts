import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logEvents, PLAY, startDatasetsWorld } from './testing/datasets-world.ts';

test('what is logged becomes typed rows, once, and says until when it is complete', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  await logEvents(world, world.db.database, [
    { id: 'a', payload: { track: 'x"\\ \u0007 ü', playedMs: 9007199254740991 } },
    { id: 'b\nc', payload: { track: 'y', playedMs: null } },
  ]);
  const first = await world.rollUps.rollUpNow();
  assert.deepEqual([first?.rows, first?.files], [2, 1]);
  assert.deepEqual((await world.rollUps.rollUpNow())?.rows, 0);
  const answer = await world.query('select event_id, track, "playedMs", corrected_at, day from play order by 1');
  assert.deepEqual(answer.rows, [
    ['a', 'x"\\ \u0007 ü', 9007199254740991, '2026-05-10T11:00:00Z', '2026-05-10'],
    ['b\nc', 'y', null, '2026-05-10T11:00:00Z', '2026-05-10'],
  ]);
  assert.deepEqual(answer.columns[2], { name: 'playedMs', type: 'BIGINT' });
  assert.equal(answer.completeUntil, '2026-05-10T11:59:50Z');
});
