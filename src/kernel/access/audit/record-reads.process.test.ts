import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDatabase } from '#tests/support/database.ts';
import { dropReads, eraseReads, keepReads } from './record-reads.ts';

test('a reader has one row for a day, listener and path, and a limited number of them', async () => {
  await using db = await startDatabase();
  let now = Temporal.Instant.from('2026-11-29T23:59:59Z');
  const keep = keepReads(db.database, () => now, { namedMax: 3 });
  const rows = () =>
    db.database.query<{ reader: string; listener: string; times: number }>(
      'select reader, listener, times from backline.record_reads order by number',
    );
  const path = '/v1/subjects';
  const read = (by: string, listener: string, isBounded: boolean) => keep({ by, listener, path, isBounded });
  for (const listener of ['a', 'b', 'a', 'c', 'a']) await read('user:ann', listener, true);
  await assert.rejects(read('user:ann', 'd', true), { code: 'access/too-many-records', status: 429 });
  await read('user:ann', 'c', true);
  for (const listener of ['a', 'b', 'c', 'd', 'e', 'a']) await read('client:app', listener, false);
  assert.deepEqual(
    (await rows()).map(({ reader, listener, times }) => `${reader} ${listener} ${times}`),
    [
      'user:ann a 3',
      'user:ann b 1',
      'user:ann c 2',
      'client:app a 2',
      'client:app b 1',
      'client:app c 1',
      'client:app  2',
    ],
  );
  now = now.add({ seconds: 1 });
  await read('user:ann', 'd', true);
  assert.equal(await eraseReads(db.database, 'a'), 2);
  await dropReads(db.database, now);
  assert.deepEqual(
    (await rows()).map(({ reader, listener }) => [reader, listener]),
    [['user:ann', 'd']],
  );
});

test('a user who has read the records of ten thousand listeners in a day is refused', async () => {
  await using db = await startDatabase();
  const now = Temporal.Instant.from('2026-11-29T12:00:00Z');
  await db.database.query({
    text: `
      insert into backline.record_reads (day, reader, listener, path, times, first_at, last_at)
      select ($1::timestamptz at time zone 'UTC')::date, 'user:ann', 'listener-' || n, '/v1/subjects', 1, $1, $1
      from generate_series(1, 9999) n`,
    values: [now.toString()],
  });
  const keep = keepReads(db.database, () => now);
  const read = (listener: string) => keep({ by: 'user:ann', listener, path: '/v1/subjects', isBounded: true });
  await read('the last');
  await assert.rejects(read('one more'), { code: 'access/too-many-records', message: /of 10000 listeners today/ });
});
