import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { RateLimiterPostgres, RateLimiterRedis } from 'rate-limiter-flexible';

const LIMIT = { points: 1_000_000_000, duration: 86_400 } as const;

/** rate-limiter-flexible, the peer of quotas, on a PostgreSQL (a URL) or a Redis (a socket). Gives what is left. */
export async function limiterOn(
  kind: 'postgres' | 'redis',
  address: string,
): Promise<(subject: string) => Promise<number>> {
  const limiter =
    kind === 'redis' ? onRedis(new Redis(address)) : await onPostgres(new Pool({ connectionString: address, max: 10 }));
  return async (subject) => (await limiter.consume(subject, 1)).remainingPoints;
}

export function onRedis(client: Redis): RateLimiterRedis {
  return new RateLimiterRedis({ ...LIMIT, storeClient: client });
}

/** @param pool as many connections as our own pool has */
export function onPostgres(pool: Pool): Promise<RateLimiterPostgres> {
  return new Promise((done, fail) => {
    const limiter: RateLimiterPostgres = new RateLimiterPostgres(
      { ...LIMIT, storeClient: pool, tableName: 'limits' },
      (error) => (error instanceof Error ? fail(error) : done(limiter)),
    );
  });
}

/** A Redis of our own; undefined, and a line that says so, where there is none on this machine. */
export async function startRedis(
  log: 'always' | 'no',
): Promise<{ readonly socket: string; readonly close: () => Promise<void> } | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-bench-redis-'));
  const socket = join(directory, 'redis.sock');
  const args = ['--port', '0', '--unixsocket', socket, '--dir', directory, '--save', ''];
  const sync = log === 'always' ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  const server = spawn('redis-server', [...args, ...sync], { stdio: 'ignore' });
  const missing = await Promise.race([once(server, 'error').then(() => true), once(server, 'spawn').then(() => false)]);
  if (missing) {
    console.error('  SKIPPED: there is no redis-server on this machine');
    return undefined;
  }
  return {
    socket,
    close: async () => {
      const ended = once(server, 'exit');
      server.kill();
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
