import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDatabase } from '#tests/support/database.ts';
import { subjectNames } from './0013-subject-names-20261129.ts';

test('names of subjects from before their parts were escaped are read as who is on record says', async () => {
  await using db = await startDatabase();
  const { query } = db.database;
  await query(`insert into backline.subjects (listener) values ('anna'), ('x/b'), ('t/1/2')`);
  const renames = {
    'listener/anna': 'listener/anna',
    'listener/anna/free': 'listener/anna/free',
    'listener/x/b': 'listener/x%2Fb',
    'listener/50%': 'listener/50%25',
    'household/x/b/kid': 'household/x%2Fb/kid',
    'device/x/b/c': 'device/x%2Fb/c',
    'device/t/1/2/c/d': 'device/t%2F1%2F2/c%2Fd',
    'device/un/known/c': 'device/un%2Fknown/c',
    'device/anna/a b%2F"': 'device/anna/a b%252F"',
  };
  for (const [number, before] of Object.keys(renames).entries()) {
    await query({ text: 'insert into backline.quota_subjects values ($1)', values: [before] });
    await query({
      text: `insert into backline.quota_counters (id, subject, bucket, window_key, used, mark) values ($1, $2, 'b', '', 1, 1)`,
      values: [number, before],
    });
    await query({
      text: `insert into backline.quota_operations values ($1, 'k', now(), false, '["granted"]', null, null)`,
      values: [before],
    });
  }
  const other = 'device/anna/a b%2F"';
  await query({
    text: `insert into backline.quota_operations values ('listener/bo', 'k', now(), false, $1, null, array[$2])`,
    values: [JSON.stringify([['', other, 'listener/anna']]), other],
  });
  await db.database.transaction(({ query: run }) => run(subjectNames.sql));
  for (const table of ['subjects', 'counters', 'operations']) {
    const rows = await query<{ subject: string }>(
      `select subject from backline.quota_${table} where subject <> 'listener/bo'`,
    );
    assert.deepEqual(rows.map(({ subject }) => subject).sort(), Object.values(renames).sort(), table);
  }
  const [receipt] = await query(`select answer, others from backline.quota_operations where subject = 'listener/bo'`);
  const renamed = renames[other];
  assert.deepEqual(receipt, { answer: JSON.stringify([['', renamed, 'listener/anna']]), others: [renamed] });
});

test('a name that another one had until now is taken in turn, in tables and in receipts', async () => {
  await using db = await startDatabase();
  const { query } = db.database;
  await query(`insert into backline.subjects (listener) values ('a/b'), ('a%2Fb'), ('a%252Fb'), ('a%b'), ('role/x')`);
  const renames = {
    'listener/a/b': 'listener/a%2Fb',
    'listener/a%2Fb': 'listener/a%252Fb',
    'listener/a%252Fb': 'listener/a%25252Fb',
    'listener/a%b': 'listener/a%25b',
    'listener/role/x': 'listener/role%2Fx',
    'household/role/x/kid': 'household/role%2Fx/kid',
  };
  const before = Object.keys(renames);
  for (const [number, subject] of before.entries()) {
    await query({ text: 'insert into backline.quota_subjects values ($1)', values: [subject] });
    await query({
      text: `insert into backline.quota_counters (id, subject, bucket, window_key, used, mark) values ($1, $2, 'b', '', $1, 1)`,
      values: [number, subject],
    });
    await query({
      text: `insert into backline.quota_slots values ($1, 'q', 's', 'holder', now(), now(), '', '')`,
      values: [subject],
    });
    await query({
      text: `insert into backline.quota_holds values ($1, 'k', 'q', 'slice', 'o', 'held', 1, $2, now())`,
      values: [subject, JSON.stringify(before.map((one) => ({ subject: one })))],
    });
  }
  await query({
    text: `insert into backline.quota_operations values ('listener/bo', 'k', now(), false, $1, null, $2)`,
    values: [JSON.stringify(['granted', before]), before],
  });
  await db.database.transaction(({ query: run }) => run(subjectNames.sql));
  const after = Object.values(renames);
  const counters = await query('select subject, used from backline.quota_counters order by used');
  assert.deepEqual(
    counters,
    after.map((subject, used) => ({ subject, used })),
  );
  for (const table of ['subjects', 'slots', 'holds']) {
    const rows = await query<{ subject: string }>(`select subject from backline.quota_${table}`);
    assert.deepEqual(rows.map(({ subject }) => subject).sort(), after.toSorted(), table);
  }
  const [receipt] = await query('select answer, others from backline.quota_operations');
  assert.deepEqual(receipt, { answer: JSON.stringify(['granted', after]), others: after });
  const holds = await query<{ lines: string }>('select distinct lines from backline.quota_holds');
  assert.deepEqual(holds, [{ lines: JSON.stringify(after.map((subject) => ({ subject }))) }]);
});
