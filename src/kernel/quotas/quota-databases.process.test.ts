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

test('which databases use is spread over, and their order, hold from the first use on', async (t) => {
  const [main, a, b, c] = await startDatabases(t, 4);
  assert.ok(main !== undefined && a !== undefined && b !== undefined && c !== undefined);
  const open = async (...urls: readonly string[]) => {
    const { all, close } = await openQuotaDatabases({ main: main.database, urls, migrations: allMigrations(), log });
    await close();
    return all.length;
  };
  assert.equal(await open(), 1);
  assert.equal(await open(a.url, b.url), 2, 'nothing was used yet');
  assert.equal(await open(a.url, b.url), 2);
  await assert.rejects(open(), {
    code: 'quotas/other-databases',
    message: /^Use is spread over 2 databases, and these are others: a new one\.$/,
  });
  await assert.rejects(open(b.url, a.url), { message: /these are others: number 2 of before, number 1 of before\.$/ });
  await assert.rejects(open(a.url, b.url, c.url), { message: /number 1 of before, number 2 of before, a new one\.$/ });
  await assert.rejects(open(a.url, b.url, a.url), {
    code: 'quotas/database-twice',
    message: /number 3 is the same as number 1\.$/,
  });
  assert.equal(await open(a.url, b.url), 2);
});

test('one database beside the main one holds as well', async (t) => {
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

test('use in the one database that there was is not left behind', async (t) => {
  const [main, a] = await startDatabases(t, 2);
  assert.ok(main !== undefined && a !== undefined);
  const open = (...urls: readonly string[]) =>
    openQuotaDatabases({ main: main.database, urls, migrations: allMigrations(), log }).then(({ close }) => close());
  await open();
  await main.database.query(`insert into backline.quota_subjects values ('listener/anna')`);
  await assert.rejects(open(a.url), {
    code: 'quotas/other-databases',
    message: /^Use is spread over 1 database, and these are others: a new one\.$/,
  });
  await open();
});

test('a database that does not answer, or is not there, is told at the start', async (t) => {
  const [main] = await startDatabases(t, 1);
  assert.ok(main !== undefined);
  const urls = [main.url.replace(/\/[^/?]+(\?|$)/, '/nowhere$1')];
  await assert.rejects(openQuotaDatabases({ main: main.database, urls, migrations: allMigrations(), log }), /nowhere/);
});
