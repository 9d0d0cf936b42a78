import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { startDatabase } from '#tests/support/database.ts';
import { openQuotas } from './open-quotas.ts';
import { hmacSigner } from './signer.ts';
import { bucket } from './testing/bucket.ts';

test('subjects are spread over the databases, each in one for good, and a batch over two of them is refused', async () => {
  await using one = await startDatabase();
  await using two = await startDatabase();
  const quotas = openQuotas({
    databases: [one.database, two.database],
    signer: hmacSigner(Buffer.alloc(32, 7)),
    log: openLog('silent'),
    registry: new Registry(),
  });
  const item = { quota: 'minutes', buckets: [bucket('plan', 3)], amount: 1 };
  const subjects = Array.from({ length: 60 }, (_, index) => `listener-${index}`);
  for (const key of ['a', 'b']) await Promise.all(subjects.map((subject) => quotas.consume({ ...item, subject, key })));
  const here = await one.database.query<{ subject: string; used: number }>(
    'select subject, used from backline.quota_counters order by subject',
  );
  const there = await two.database.query<{ subject: string; used: number }>(
    'select subject, used from backline.quota_counters order by subject',
  );
  assert.ok(here.length > 15 && there.length > 15);
  assert.equal(here.length + there.length, 60);
  assert.ok([...here, ...there].every(({ used }) => used === 2));
  const [first, second] = [here[0]?.subject ?? '', there[0]?.subject ?? ''];
  const items = [{ ...item, subject: second }];
  await assert.rejects(quotas.batch({ subject: first, key: 'c', items }), { code: 'quotas/batch-across-shards' });
  assert.equal(await quotas.erase(second), 4);
  await quotas.close();
});
