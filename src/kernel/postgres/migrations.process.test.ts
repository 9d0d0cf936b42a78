import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { startDatabase } from '#tests/support/database.ts';
import { allMigrations } from '#planes/catalogue.ts';
import { openDatabase } from './database.ts';
import { migrate } from './migrations.ts';
import type { Migration } from './migrations/migration.ts';

function step(number: number, needs: number, sql: string): Migration {
  return { number, name: `step ${number}`, needs, sql };
}

const MIGRATIONS = allMigrations();
const base = MIGRATIONS.at(-1)?.number ?? 0;

test('migrations have numbers of their own and never ask for more than themselves', () => {
  assert.equal(new Set(MIGRATIONS.map(({ number }) => number)).size, MIGRATIONS.length);
  for (const { number, needs } of MIGRATIONS) assert.ok(needs <= number);
});

test('a module that is added later brings its own steps, whatever their numbers', async () => {
  await using db = await startDatabase();
  const late = step(base + 2, base, 'create table backline.b (id integer)');
  await migrate(db.database, [...MIGRATIONS, late]);
  const added = step(base + 1, base, 'create table backline.a (id integer)');
  await migrate(db.database, [...MIGRATIONS, added, late]);
  const applied = await db.database.query({
    text: 'select number from backline.migrations where number > $1 order by number',
    values: [base],
  });
  assert.deepEqual(applied, [{ number: base + 1 }, { number: base + 2 }]);
});

test('several processes may migrate at once: every step happens once', async () => {
  await using db = await startDatabase();
  const migrations = [
    ...MIGRATIONS,
    step(base + 1, base, 'create table backline.a (id integer); insert into backline.a values (1)'),
    step(base + 2, base, 'insert into backline.a values (2)'),
  ];
  await Promise.all([1, 2, 3, 4].map(() => migrate(db.database, migrations)));
  assert.deepEqual(await db.database.query('select id from backline.a order by id'), [{ id: 1 }, { id: 2 }]);
});

test('a step that fails leaves nothing of itself, and everything before it', async () => {
  await using db = await startDatabase();
  const good = step(base + 1, base, 'create table backline.a (id integer)');
  const bad = step(base + 2, base, 'create table backline.b (id integer); select 1 / 0');
  await assert.rejects(migrate(db.database, [...MIGRATIONS, good, bad]), /division by zero/);
  const tables = await db.database.query(
    `select tablename from pg_tables where schemaname = 'backline' and tablename in ('a', 'b')`,
  );
  assert.deepEqual(tables, [{ tablename: 'a' }]);
  await migrate(db.database, [...MIGRATIONS, good, step(base + 2, base, 'create table backline.b (id integer)')]);
});

test('a database that takes no writes is served when its schema is whole, and refused with what it lacks when not', async () => {
  await using db = await startDatabase();
  const { pathname } = new URL(db.url);
  await db.database.query(`alter database ${pathname.slice(1)} set default_transaction_read_only = on`);
  const readOnly = openDatabase(db.url);
  try {
    await migrate(readOnly, MIGRATIONS);
    const more = [step(base + 1, base, 'select 1'), step(base + 2, base, 'select 1')];
    await assert.rejects(migrate(readOnly, [...MIGRATIONS, ...more]), (error) => {
      assert.ok(error instanceof Refusal);
      assert.equal(error.code, 'postgres/read-only');
      assert.match(error.message, new RegExp(`lacks 2 steps, from ${base + 1} \\(step ${base + 1}\\) on`));
      return true;
    });
    const other = [...MIGRATIONS.slice(0, -1), step(base, base, 'select 2')];
    await assert.rejects(migrate(readOnly, other), { code: 'postgres/other-migration' });
    await assert.rejects(migrate(readOnly, MIGRATIONS.slice(0, 1)), { code: 'postgres/schema-too-new' });
  } finally {
    await readOnly.close();
  }
});

test('a schema that a newer program made is refused only when it needs the newer program', async () => {
  await using db = await startDatabase();
  const addition = step(base + 1, base, 'create table backline.a (id integer)');
  await migrate(db.database, [...MIGRATIONS, addition]);
  await migrate(db.database, MIGRATIONS);
  await migrate(db.database, [...MIGRATIONS, addition, step(base + 2, base + 2, 'drop table backline.a')]);
  await assert.rejects(migrate(db.database, MIGRATIONS), (error) => {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, 'postgres/schema-too-new');
    assert.match(error.message, new RegExp(`has schema ${base + 2}, which needs .* knows ${base}\\.`));
    return true;
  });
});

test('a database that another program has changed otherwise is refused, and so is half of a schema', async () => {
  await using db = await startDatabase();
  const { query } = db.database;
  const mine = step(base + 1, base, 'create table backline.a (id integer)');
  await migrate(db.database, [...MIGRATIONS, mine]);
  const theirs = { ...mine, name: 'theirs', sql: 'create table backline.a (id bigint)' };
  await assert.rejects(
    migrate(db.database, [...MIGRATIONS, theirs]),
    (error) => error instanceof Refusal && error.code === 'postgres/other-migration' && /theirs/.test(error.message),
  );
  await query('update backline.migrations set checksum = null where number <= 5');
  await migrate(db.database, [...MIGRATIONS, mine]);
  assert.deepEqual(await query('select from backline.migrations where checksum is null'), []);
  await query('alter table backline.revisions drop constraint revisions_pkey');
  await assert.rejects(migrate(db.database, [...MIGRATIONS, mine]), /revisions have no primary key/);
});
