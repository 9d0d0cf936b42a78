import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { sealingWith } from '#kernel/access/encryption.ts';
import { Lifetime } from '#kernel/base/lifetime.ts';
import { openLog } from '#kernel/base/log.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { bucket } from '#kernel/quotas/testing/bucket.ts';
import { useSubject } from '#domains/products/rules/use-subject.ts';
import { startDatabase } from '#tests/support/database.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODULES } from '../modules.ts';
import { openRecords } from './records.ts';

/** Ids that are parts, beginnings and escapes of each other. */
const IDS = ['a', 'b', 'a/b', 'a/b/c', 'b/c', 'a%2Fb', '%', 'a/', '/', 'listener', 'ä'.repeat(253), '/'.repeat(253)];
const PARTS = [undefined, 'a', 'b/c', '%2F'];
const SCOPES = ['listener', 'household', 'device'] as const;
const TABLES = ['counters', 'operations', 'holds', 'slots', 'subjects'] as const;

async function subjectsIn(databases: readonly Database[]): Promise<readonly string[]> {
  const subjects = new Set<string>();
  for (const { query } of databases) {
    for (const table of TABLES) {
      for (const row of await query<{ subject: string }>(`select subject from backline.quota_${table}`)) {
        subjects.add(row.subject);
      }
    }
  }
  return [...subjects].sort();
}

test('an erasure takes the use of one listener, in whatever scope and database it is, and of nobody else', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'backline-records-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await using main = await startDatabase();
  await using one = await startDatabase();
  await using two = await startDatabase();
  const log = openLog('silent');
  const lifetime = new Lifetime(log);
  const options = { quotaDatabaseUrls: [one.url, two.url] };
  const records = await openRecords(
    { options, lifetime, modules: MODULES, log, registry: new Registry() },
    { database: main.database, sealing: await sealingWith(join(directory, 'keys')), isOwner: true },
  );
  const { quotas, erasers } = records;
  const owners = new Map<string, string>();
  const buckets = [bucket('plan', 10)];
  for (const owner of IDS) {
    for (const scope of SCOPES) {
      for (const part of PARTS) {
        const subject = useSubject({ scope, owner, part });
        assert.equal(owners.get(subject), undefined, `${subject} has two owners`);
        owners.set(subject, owner);
      }
    }
  }
  await Promise.all(
    [...owners.keys()].map(async (subject) => {
      const source = { subject, quota: 'minutes', buckets };
      await quotas.consume({ ...source, key: 'c', amount: 1 });
      await quotas.reserve({ ...source, key: 'r', amount: 1, ttlMs: 60_000 });
      await quotas.grantOffline({ ...source, key: 'o', amount: 1, device: 'd', owner: 'a', ttlMs: 60_000 });
      await quotas.acquire({ ...source, session: 's', holder: 'Kitchen', ttlMs: 60_000 });
    }),
  );
  const databases = [one.database, two.database];
  assert.deepEqual(await subjectsIn(databases), [...owners.keys()].sort());
  const left = new Map(owners);
  for (const listener of IDS) {
    for (const { erase } of erasers) await erase(listener);
    for (const [subject, owner] of left) if (owner === listener) left.delete(subject);
    assert.deepEqual(await subjectsIn(databases), [...left.keys()].sort(), `after ${listener} was erased`);
  }
  await lifetime.close();
});
