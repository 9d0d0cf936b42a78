import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase, urlOfDatabase } from '#kernel/postgres/database.ts';
import { startBackline } from '#planes/start.ts';
import { caller } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';

const url = process.env['BACKLINE_TEST_POSTGRES_URL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';
const admin = openDatabase(url);
const reachable = await admin.query('select 1').then(
  () => true,
  () => false,
);
const skip = reachable ? false : `SKIPPED: no PostgreSQL answers at ${new URL(url).host}`;
if (!reachable) await admin.close();

test('any PostgreSQL serves as well as the embedded one, and is left in order', { skip }, async (t) => {
  const name = `backline_test_${process.pid}`;
  await admin.query(`drop database if exists ${name} with (force)`);
  await admin.query(`create database ${name}`);
  const dataDirectory = await mkdtemp(join(tmpdir(), 'backline-test-'));
  t.after(async () => {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.close();
    await rm(dataDirectory, { recursive: true, force: true });
  });
  const start = () =>
    startBackline({
      roles: ['api', 'decide'],
      host: '127.0.0.1',
      port: 0,
      dataDirectory,
      databaseUrl: urlOfDatabase(url, name),
      log: openLog('silent'),
    });
  const first = await start();
  const path = '/apis/products.backline.dev/v1/namespaces/default/features';
  const call = caller({ server: `http://127.0.0.1:${first.port}`, token: first.token });
  for (let index = 0; index < 50; index += 1) {
    assert.equal((await call('POST', path, { body: feature(`f${index}`) })).status, 201);
  }
  await first.close();
  const second = await start();
  const again = caller({ server: `http://127.0.0.1:${second.port}`, token: second.token });
  const listed = await again('GET', path);
  await second.close();
  assert.equal(listed.json.items.length, 50);
});
