import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { systemClock } from '#kernel/base/clock.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { openLog } from '#kernel/base/log.ts';
import { startRollUps } from '#kernel/events/datasets/roll-ups.ts';
import { dayOf, turnPartitions } from '#kernel/events/event-days.ts';
import { EVENT_TYPE } from '#kernel/events/kinds/identity.ts';
import { type Database, openDatabase } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import { allMigrations } from '#planes/catalogue.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { absolute, type Figure } from './figure.ts';

const ROWS = Number(process.env['BENCH_ROWS'] ?? 10_000_000);
/** The goal is for 10,000,000 rows; fewer have a share of it. */
const SECONDS_MAX = (60 * ROWS) / 10_000_000;
const MEMORY_MB_MAX = 2_048;
const SAMPLE_MS = 250;

const SPEC = {
  owner: 'playback',
  purpose: 'bench',
  subject: 'optional',
  schema: {
    properties: {
      track: { type: 'string' },
      playedMs: { type: 'integer' },
      device: { type: 'string' },
      position: { type: 'number' },
      offline: { type: 'boolean' },
      startedAt: { type: 'timestamp' },
      context: { type: 'string' },
      bitrate: { type: 'integer' },
    },
    required: [],
    additional: false,
  },
  retention: 'P30D',
  lateness: 'P3D',
};

/**
 * A backlog of events of eight fields and four types, from the log in PostgreSQL to Parquet files that count, durably.
 * Memory is that of this process, its children and PostgreSQL, shared pages counted once. The peer is COPY to nowhere:
 * what PostgreSQL alone takes to give the rows away.
 */
export async function* run(): AsyncIterable<Figure> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-bench-'));
  const postgres = await startEmbeddedPostgres({ dataDirectory: join(directory, 'postgres') });
  const database = openDatabase(postgres.url);
  try {
    await migrate(database, allMigrations());
    await fill(database);
    const started = performance.now();
    const { stream } = await database.copyOut('copy (select * from backline.event_log) to stdout (format csv)');
    for await (const chunk of stream) void chunk;
    const alone = (performance.now() - started) / 1000;
    const rollUps = await startRollUps({
      database,
      directory: join(directory, 'datasets'),
      world: () => world,
      clock: systemClock,
      log: openLog('warn'),
      registry: new Registry(),
      rollUpSeconds: 3_600,
    });
    const peak = watchMemory(postgres.pid);
    const before = performance.now();
    const result = await rollUps.rollUpNow();
    const seconds = (performance.now() - before) / 1000;
    const bytes = await peak();
    await rollUps.close();
    if (result?.rows !== ROWS) throw new Error(`${result?.rows} of ${ROWS} rows were rolled`);
    yield absolute('roll-up/seconds', 's', seconds, { max: SECONDS_MAX }, alone);
    yield absolute('roll-up/rate', 'events/s', ROWS / seconds, { min: 10_000_000 / 60 });
    yield absolute('roll-up/memory', 'MB', bytes / 1024 / 1024, { max: MEMORY_MB_MAX });
  } finally {
    await database.close();
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  }
}

const types = ['play', 'skip', 'like', 'seek'].map((name): LiveObject => ({
  kind: EVENT_TYPE,
  namespace: 'bench',
  name,
  labels: {},
  spec: SPEC,
  revision: contentHash(SPEC),
}));

const world: World = {
  get: (_kind, name) => types.find((type) => type.name === name),
  list: () => types,
  find: () => [],
};

async function fill(database: Database): Promise<void> {
  const today = dayOf(systemClock());
  await turnPartitions(database, today);
  const connection = await database.connect('housekeeping');
  await connection.query({
    text: `
      insert into backline.event_log
        (day, type, id, client, pseudonym, event_at, sent_at, received_at, corrected_at, revision, payload)
      select $2::date, (array['play', 'skip', 'like', 'seek'])[1 + i % 4], 'event-' || i, 'web', gen_random_uuid(), at,
        at, at, at, $3,
        format('{"track":"track-%s","playedMs":%s,"device":"phone","position":%s,"offline":false,' ||
          '"startedAt":"2026-01-01T00:00:00.000Z","context":"playlist-%s","bitrate":320}',
          i % 100000, i % 300000, random(), i % 1000)
      from generate_series(1, $1::int) i, lateral (select $2::date + i * interval '1 millisecond' as at) t`,
    values: [ROWS, today, contentHash(SPEC)],
  });
  await connection.query('vacuum analyze backline.event_log');
  await connection.close();
}

/** Samples until it is called: gives the largest sum, in bytes. */
function watchMemory(postmaster: number): () => Promise<number> {
  let most = 0;
  let sampling = Promise.resolve();
  const timer = setInterval(() => {
    sampling = sampling.then(async () => {
      most = Math.max(most, await familyBytes([process.pid, postmaster]));
    });
  }, SAMPLE_MS);
  return async () => {
    clearInterval(timer);
    await sampling;
    return most;
  };
}

/** Proportional set size of these processes and all below them. */
async function familyBytes(roots: readonly number[]): Promise<number> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '');
    parents.set(Number(name), Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0));
  }
  const isOurs = (pid: number): boolean => roots.includes(pid) || (pid > 1 && isOurs(parents.get(pid) ?? 0));
  let bytes = 0;
  for (const pid of [...parents.keys()].filter(isOurs)) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    bytes += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  }
  return bytes;
}
