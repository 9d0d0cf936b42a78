/**
 * A process that consumes one unit after the other, for tests that kill it. Each line it prints is one answer:
 * `KEY OUTCOME`. Arguments: the database, the prefix of its keys, how many requests, how many at a time, the limit.
 */
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase } from '#kernel/postgres/database.ts';
import { openQuotas } from '../open-quotas.ts';
import { hmacSigner } from '../signer.ts';
import { bucket } from './bucket.ts';

const [url = '', prefix = '', requests = '', atATime = '', limit = ''] = process.argv.slice(2);
const database = openDatabase(url);
const quotas = openQuotas({
  databases: [database],
  signer: hmacSigner(Buffer.alloc(32, 7)),
  log: openLog('silent'),
  registry: new Registry(),
});
const buckets = [bucket('cap', Number(limit), { window: { type: 'lifetime' } })];
let next = 0;

async function consume(): Promise<void> {
  while (next < Number(requests)) {
    const key = `${prefix}${(next += 1)}`;
    const answer = await quotas
      .consume({ subject: 'promotion', quota: 'redemptions', key, buckets, amount: 1 })
      .catch(() => undefined);
    if (answer !== undefined) process.stdout.write(`${key} ${answer.outcome}\n`);
  }
}

await Promise.all(Array.from({ length: Number(atATime) }, consume));
await quotas.close();
await database.close();
