import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { allMigrations } from '#planes/catalogue.ts';
import { startDatabase } from '#tests/support/database.ts';
import { openQuotaDatabases } from './quota-databases.ts';

const log = openLog('silent');

async function startDatabases(t: TestContext, count: number) {
  const all = [];
  for (let number = 0; number < count; number += 1) {
    const one = await startDatabase();
    t.after(() => one[Symbol.asyncDispose]());
    all.push(one);
  }
  return all;
}

test('the quota databases and their order are permanent from the first use on', async (t) => {
  const [main, a, b, c] = await startDatabases(t, 4);
  assert.ok(main !== undefined && a !== undefined && b !== undefined && c !== undefined);
  const open = async (...urls: readonly string[]) => {
    const { all, close } = await openQuotaDatabases({ main: main.database, urls, migrations: allMigrations(), log });
    await close();
    return all.length;
  };
  assert.equal(await open(), 1);
  assert.equal(await open(a.url, b.url), 2, 'no use is recorded yet');
  assert.equal(await open(a.url, b.url), 2);
  await assert.rejects(open(), {
    code: 'quotas/other-databases',
    message: /^Use is stored in 2 databases, and this list differs: a new one\.$/,
  });
  await assert.rejects(open(b.url, a.url), {
    message: /this list differs: number 2 of the earlier list, number 1 of the earlier list\.$/,
  });
  await assert.rejects(open(a.url, b.url, c.url), {
    message: /number 1 of the earlier list, number 2 of the earlier list, a new one\.$/,
  });
  await assert.rejects(open(a.url, b.url, a.url), {
    code: 'quotas/database-twice',
    message: /number 3 is the same as number 1\.$/,
  });
  assert.equal(await open(a.url, b.url), 2);
});

test('one database beside the main one is permanent as well', async (t) => {
  const [main, a, b] = await startDatabases(t, 3);
  assert.ok(main !== undefined && a !== undefined && b !== undefined);
  const open = (...urls: readonly string[]) =>
    openQuotaDatabases({ main: main.database, urls, migrations: allMigrations(), log }).then(({ close }) => close());
  await open(a.url);
  await a.database.query(`insert into backline.quota_subjects values ('listener/anna')`);
  await assert.rejects(open(), { code: 'quotas/other-databases' });
  await assert.rejects(open(b.url), { code: 'quotas/other-databases' });
  await open(a.url);
});

test('use in the only database is not left behind', async (t) => {
  const [main, a] = await startDatabases(t, 2);
  assert.ok(main !== undefined && a !== undefined);
  const open = (...urls: readonly string[]) =>
    openQuotaDatabases({ main: main.database, urls, migrations: allMigrations(), log }).then(({ close }) => close());
  await open();
  await main.database.query(`insert into backline.quota_subjects values ('listener/anna')`);
  await assert.rejects(open(a.url), {
    code: 'quotas/other-databases',
    message: /^Use is stored in 1 database, and this list differs: a new one\.$/,
  });
  await open();
});

test('a database that does not answer, or does not exist, is reported at the start', async (t) => {
  const [main] = await startDatabases(t, 1);
  assert.ok(main !== undefined);
  const urls = [main.url.replace(/\/[^/?]+(\?|$)/, '/nowhere$1')];
  await assert.rejects(openQuotaDatabases({ main: main.database, urls, migrations: allMigrations(), log }), /nowhere/);
});
