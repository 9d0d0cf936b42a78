import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startDatabase } from '#tests/support/database.ts';
import { sealingWith } from './encryption.ts';
import { sharedSecret } from './shared-secret.ts';

test('concurrent processes share one secret of each name, which is not readable in the database', async (t) => {
  const { database, [Symbol.asyncDispose]: stop } = await startDatabase();
  const directory = await mkdtemp(join(tmpdir(), 'backline-secret-'));
  t.after(async () => {
    await stop();
    await rm(directory, { recursive: true });
  });
  const sealing = await sealingWith(join(directory, 'keys'));
  const asked = await Promise.all(Array.from({ length: 8 }, () => sharedSecret(database, sealing, 'leases')));
  const [first = Buffer.alloc(0)] = asked;
  for (const secret of asked) assert.deepEqual(secret, first);
  assert.equal(first.length, 32);
  assert.notDeepEqual(await sharedSecret(database, sealing, 'other'), first);
  const rows = await database.query<{ sealed: string }>('select sealed from backline.secrets');
  assert.ok(rows.every(({ sealed }) => !sealed.includes(first.toString('base64'))));
});
