import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unavailable } from '#kernel/base/failures.ts';
import { startDatabase } from '#tests/support/database.ts';
import { openLane } from './lane.ts';

test('a lane whose session began read-only reconnects', async () => {
  await using db = await startDatabase();
  const { database } = db;
  const [{ name } = { name: '' }] = await database.query<{ name: string }>('select current_database() as name');
  await database.query('create table kept (n integer)');
  await database.query(`alter database ${name} set default_transaction_read_only = on`);
  const lane = openLane(database);
  const write = () => lane.transaction((connection) => connection.query('insert into kept values (1)'));
  await assert.rejects(write(), Unavailable);
  await database.query(`alter database ${name} reset default_transaction_read_only`);
  await write();
  assert.equal((await database.query('select from kept')).length, 1);
  await lane.close();
});
