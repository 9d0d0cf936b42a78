import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { Database } from '#kernel/postgres/database.ts';
import { startDecisionNode, startWorld, type Call } from '../support/backline.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { example } from '../support/installation.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const LISTENERS = Array.from({ length: 40 }, (_, index) => `listener-${index}`);

async function startTwo(t: TestContext): Promise<readonly [TestDatabase, TestDatabase]> {
  const two = [await startDatabase(), await startDatabase()] as const;
  for (const one of two) t.after(() => one[Symbol.asyncDispose]());
  return two;
}

async function use(call: Call, round: string): Promise<void> {
  await Promise.all(
    LISTENERS.map(async (listener) => {
      const body = { listener, plan: 'free', market: 'us', feature: 'skips', amount: 1, key: `${round}-${listener}` };
      const { status, text } = await call('POST', '/v1/consume', { body });
      assert.equal(status, 200, text);
    }),
  );
}

async function usedIn({ query }: Database): Promise<readonly number[]> {
  const rows = await query<{ used: number }>('select used from backline.quota_counters');
  return rows.map(({ used }) => used);
}

test('use is spread over several databases, whichever node is asked, and all of it is found, kept and erased', async (t) => {
  const [one, two] = await startTwo(t);
  const quotaDatabaseUrls = [one.url, two.url];
  const world = await startWorld(t, { roles: ['api', 'decide', 'ingest'], quotaDatabaseUrls });
  const declared = await world.call('POST', CHANGE_SETS, { body: changeSet(...(await example('aria'))) });
  assert.equal(declared.status, 201, declared.text);
  await world.running.control?.releases()?.caughtUp();
  const access = { encryptionKeyFile: join(world.dataDirectory, 'encryption-keys') };
  const node = await startDecisionNode(t, world, { databaseUrl: world.databaseUrl, quotaDatabaseUrls, access });
  const onNode: Call = (method, path, options) => node.call(method, path, { token: node.token, ...options });

  await use(world.call, 'a');
  await use(onNode, 'b');
  const [here, there] = [await usedIn(one.database), await usedIn(two.database)];
  assert.ok(here.length >= 10 && there.length >= 10, `${here.length} and ${there.length}`);
  assert.deepEqual(
    [...here, ...there],
    LISTENERS.map(() => 2),
  );
  assert.deepEqual(await usedIn(world.database), []);
  for (const listener of LISTENERS.slice(0, 8)) {
    const { json } = await onNode('GET', `/v1/check?listener=${listener}&feature=skips&plan=free&market=us`);
    assert.equal(json.usage.used, 2);
    const body = { apiVersion: 'events.backline.dev/v1', kind: 'Erasure', metadata: {}, spec: { subject: listener } };
    const erased = await world.call('POST', '/apis/events.backline.dev/v1/erasures', { body });
    assert.equal(erased.json.status.erased.quotas, 4, erased.text);
  }
  assert.equal((await usedIn(one.database)).length + (await usedIn(two.database)).length, LISTENERS.length - 8);
});

test('a process that is given the databases in another order says so and ends', async (t) => {
  const [one, two] = await startTwo(t);
  const world = await startWorld(t, { quotaDatabaseUrls: [one.url, two.url] });
  const args = [MAIN, 'serve', '--role', 'decide', '--port', '0', '--data', world.dataDirectory, '--api', world.url];
  const env = { ...process.env, DATABASE_URL: world.databaseUrl, QUOTA_DATABASE_URLS: `${two.url}, ${one.url}` };
  await assert.rejects(promisify(execFile)(process.execPath, args, { env, timeout: 60_000 }), (error: unknown) => {
    const { code, stderr } = error as { code: number; stderr: string };
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /Use is stored in 2 databases, and this list differs: number 2 of the earlier list, number 1 of the earlier list\./,
    );
    assert.match(stderr, /QUOTA_DATABASE_URLS/);
    return true;
  });
});
