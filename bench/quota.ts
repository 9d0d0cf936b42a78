import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { type Database, openDatabase } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import { allMigrations } from '#planes/catalogue.ts';
import type { Bucket } from '#kernel/quotas/rules/bucket.ts';
import type { Quotas } from '#kernel/quotas/rules/contract.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { absolute, against, median, type Figure } from './figure.ts';
import { onPostgres, onRedis, startRedis } from './limiters.ts';

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
 * Durable consumption by many listeners at once, beside rate-limiter-flexible with the same listeners and as many
 * requests under way: on the same PostgreSQL with as many connections as our pool has, on Redis with its log synced at
 * each write, and without a log. It only counts; so once more on Redis with what we keep beside the count: each key for as
 * long, and a ledger.
 */
export async function* run(): AsyncIterable<Figure> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-bench-'));
  await chmod(directory, 0o755);
  let postgres = await startEmbeddedPostgres({ dataDirectory: directory });
  let database = openDatabase(postgres.url);
  const closers: (() => Promise<void>)[] = [];
  try {
    await migrate(database, allMigrations());
    const quotas = open(database);
    const buckets = [bucket('cap', { type: 'calendar', per: 'P1D', zone: 'Europe/Berlin' })];
    const ours: number[] = [];
    const peers = await limiters(postgres.url);
    closers.push(...peers.map(({ close }) => close));
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(
        await perSecond(CONSUMES, async (n) => {
          const subject = `listener-${(n * 7) % SUBJECTS}`;
          await quotas.consume({ subject, quota: 'skips', key: `r${round}-${n}`, buckets, amount: 1 });
        }),
      );
      for (const { consume, rates, requests } of peers) {
        rates.push(
          await perSecond(requests, async (n) => {
            await consume(`listener-${(n * 7) % SUBJECTS}`, `r${round}-${n}`);
          }),
        );
      }
    }
    for (const { name, rates, min } of peers) {
      yield against(`quota/consume beside ${name}`, '/s', median(ours), median(rates), { min });
    }

    yield await spendFigure(quotas);
    const check = { subject: 'listener-0', quota: 'skips', buckets, amount: 1 };
    await quotas.check(check);
    yield absolute('quota/peek', 'µs', 1e6 / rate(PEEKS, () => quotas.peek(check, 3_600_000) !== undefined), {
      max: 1,
    });

    await quotas.close();
    for (const close of closers.splice(0)) await close();
    await database.close();
    process.kill(postgres.pid, 'SIGKILL');
    await postgres.close().catch(() => {});
    const killed = performance.now();
    postgres = await startEmbeddedPostgres({ dataDirectory: directory });
    database = openDatabase(postgres.url);
    const again = open(database);
    await again.consume({ subject: 'listener-0', quota: 'skips', key: 'after', buckets, amount: 1 });
    yield absolute('quota/recovery', 's', (performance.now() - killed) / 1_000, { max: 2 });
    await again.close();
  } finally {
    for (const close of closers) await close();
    await database.close().catch(() => {});
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Peer {
  readonly name: string;
  readonly consume: (subject: string, key: string) => Promise<unknown>;
  readonly rates: number[];
  /** Requests of one round: as many as ours, so that both are equally warm; fewer for a peer that takes seconds. */
  readonly requests: number;
  /** The least ratio of our rate to its rate; 0: no goal, for information. */
  readonly min: number;
  readonly close: () => Promise<void>;
}

const KEY_SECONDS = 32 * 86_400;

async function limiters(url: string): Promise<Peer[]> {
  const pool = new Pool({ connectionString: url, max: 10 });
  const limiterOnPostgres = await onPostgres(pool);
  const peers: Peer[] = [
    {
      name: 'its PostgreSQL',
      consume: (subject) => limiterOnPostgres.consume(subject, 1),
      rates: [],
      requests: Math.ceil(CONSUMES / 4),
      min: 4,
      close: () => pool.end(),
    },
  ];
  for (const log of ['always', 'no'] as const) {
    const redis = await startRedis(log);
    if (redis === undefined) continue;
    const client = await connect(redis.socket);
    const close = async (): Promise<void> => {
      client.disconnect();
      await redis.close();
    };
    const name = log === 'always' ? 'its Redis, synced at each write' : 'its Redis without a log';
    const limiter = onRedis(client);
    const one = (): Pick<Peer, 'rates' | 'requests'> => ({ rates: [], requests: CONSUMES });
    const consume = (subject: string) => limiter.consume(subject, 1);
    peers.push({ ...one(), name, consume, min: log === 'always' ? 1 : 0, close });
    if (log === 'no') continue;
    peers.push({
      ...one(),
      name: 'the same with its key and an entry of a ledger',
      // The records that we keep, in the cheapest way: sent together, but not atomic.
      consume: (subject, key) =>
        Promise.all([
          client.set(`${subject} ${key}`, '1', 'EX', KEY_SECONDS, 'NX'),
          limiter.consume(subject, 1),
          client.xadd('ledger', '*', 'subject', subject, 'key', key, 'amount', '1'),
        ]),
      min: 1,
      close: async () => {},
    });
  }
  return peers;
}

async function connect(socket: string): Promise<Redis> {
  const client = new Redis(socket, { retryStrategy: () => 50 });
  client.on('error', () => {});
  await client.ping();
  return client;
}

/** Spending from memory, with slices fetched in the background. */
async function spendFigure(quotas: Quotas): Promise<Figure> {
  const slices = quotas.slices({ name: 'bench', usableMs: 60_000, tokenMs: 60_000 });
  const budget = {
    id: 'campaign',
    subject: 'account',
    version: '',
    items: () => [{ quota: 'lifetime', buckets: [bucket('campaign', { type: 'lifetime' })] }],
  };
  let spent = 0;
  const started = performance.now();
  while (spent < SPENDS) {
    if ((await slices.take(budget, 1)) === undefined) throw new Error('the budget ended');
    for (spent += 1; spent < SPENDS && slices.reserve(budget, 1) !== undefined; spent += 1);
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
