import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { type Database, openDatabase } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import type { Bucket } from '#kernel/quotas/bucket.ts';
import type { Quotas } from '#kernel/quotas/contract.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { absolute, against, median, type Figure } from './figure.ts';

/** QUOTA_BENCH_SCALE makes it smaller or larger: 0.01 is enough to see that it runs. */
const SCALE = Number(process.env['QUOTA_BENCH_SCALE'] ?? 1);
const ROUNDS = 5;
const CONSUMES = Math.ceil(40_000 * SCALE);
/** Requests under way at a time, as of a busy decision node. */
const AT_A_TIME = 256;
const SUBJECTS = 5_000;
const SPENDS = Math.ceil(5_000_000 * SCALE);
const PEEKS = Math.ceil(2_000_000 * SCALE);

/**
 * Durable consumption by many listeners at once; the peer is what limiters on PostgreSQL do, one conditional upsert and
 * one commit for each request, on the same server with as many connections as our pool has, without ledger or replay.
 */
export async function* run(): AsyncIterable<Figure> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-bench-'));
  await chmod(directory, 0o755);
  let postgres = await startEmbeddedPostgres({ dataDirectory: directory });
  let database = openDatabase(postgres.url);
  try {
    await migrate(database);
    const quotas = open(database);
    const buckets = [bucket('cap', { type: 'calendar', per: 'P1D', zone: 'Europe/Berlin' })];
    const ours: number[] = [];
    const peers: number[] = [];
    await database.query('create table limits (key text primary key, points bigint not null, expire bigint)');
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(
        await perSecond(CONSUMES, async (n) => {
          const subject = `listener-${(n * 7) % SUBJECTS}`;
          await quotas.consume({ subject, quota: 'skips', key: `r${round}-${n}`, buckets, amount: 1 });
        }),
      );
      peers.push(
        await perSecond(Math.ceil(CONSUMES / 10), async (n) => {
          await database.query({
            name: 'peer',
            text: `
              insert into limits as l (key, points, expire) values ($1, 1, $2)
              on conflict (key) do update set points = l.points + 1 returning points`,
            values: [`listener-${(n * 7) % SUBJECTS}`, Date.now() + 86_400_000],
          });
        }),
      );
    }
    yield against('quota/consume', '/s', median(ours), median(peers), { min: 4 });

    yield await spendFigure(quotas);
    const check = { subject: 'listener-0', quota: 'skips', buckets, amount: 1 };
    await quotas.check(check);
    yield absolute('quota/peek', 'µs', 1e6 / rate(PEEKS, () => quotas.peek(check, 3_600_000) !== undefined), {
      max: 1,
    });

    await quotas.close();
    await database.close();
    process.kill(postgres.pid, 'SIGKILL');
    await postgres.close().catch(() => {});
    const killed = performance.now();
    postgres = await startEmbeddedPostgres({ dataDirectory: directory });
    database = openDatabase(postgres.url);
    const again = open(database);
    await again.consume({ subject: 'listener-0', quota: 'skips', key: 'after', buckets, amount: 1 });
    yield absolute('quota/recovery', 's', (performance.now() - killed) / 1_000, { max: 10 });
    await again.close();
  } finally {
    await database.close().catch(() => {});
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Spending from memory, with slices fetched in the background. */
async function spendFigure(quotas: Quotas): Promise<Figure> {
  const slices = quotas.slices({ name: 'bench', unitsMax: 1_000_000, usableMs: 60_000, tokenMs: 60_000 });
  const budget = {
    id: 'campaign',
    subject: 'account',
    items: [{ quota: 'lifetime', buckets: [bucket('campaign', { type: 'lifetime' })] }],
  };
  let spent = 0;
  const started = performance.now();
  while (spent < SPENDS) {
    if (!(await slices.take(budget, 1))) throw new Error('the budget ended');
    for (spent += 1; spent < SPENDS && slices.spend(budget, 1); spent += 1);
  }
  const seconds = (performance.now() - started) / 1_000;
  await slices.close();
  return absolute('quota/slice-spend', '/s', SPENDS / seconds, { min: 100_000 });
}

function open(database: Database): Quotas {
  return openQuotas({
    databases: [database],
    signer: hmacSigner(Buffer.alloc(32, 7)),
    log: openLog('warn'),
    registry: new Registry(),
  });
}

function bucket(id: string, window: Bucket['window']): Bucket {
  return { id, limit: 1_000_000_000, window, priority: 0, createdMs: 0 };
}

async function perSecond(count: number, ask: (n: number) => Promise<void>): Promise<number> {
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      while (next < count) await ask((next += 1));
    }),
  );
  return (count * 1_000) / (performance.now() - started);
}

function rate(count: number, ask: () => boolean): number {
  const started = performance.now();
  for (let n = 0; n < count; n += 1) if (!ask()) throw new Error('nothing was seen of the subject');
  return (count * 1_000) / (performance.now() - started);
}
