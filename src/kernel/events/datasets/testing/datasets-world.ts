import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { startDatabaseToRoll, type TestDatabase } from '#tests/support/database.ts';
import { turnPartitions } from '../../event-days.ts';
import { worldOf } from '../../testing/world.ts';
import { startQueries, type QueryMemory } from '../queries.ts';
import type { QuerySpec } from '../query-kind.ts';
import { startRollUps, type RollUps } from '../roll-ups.ts';

/** The answer to a query, as the resource API gives it. */
interface Answer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows?: readonly (readonly unknown[])[];
  readonly data?: string;
  readonly rowCount: number;
  readonly truncated: boolean;
  readonly completeUntil: string;
}

export interface DatasetsWorld extends AsyncDisposable {
  readonly db: TestDatabase;
  readonly directory: string;
  readonly registry: Registry;
  /** Can be replaced by another process's. */
  rollUps: RollUps;
  /** Replaces the live world. */
  readonly declare: (specs: Parameters<typeof worldOf>[0]) => void;
  readonly revisionOf: (type: string) => string;
  readonly setNow: (now: string) => void;
  readonly query: (
    sql: string,
    more?: Partial<QuerySpec>,
    call?: { readonly dryRun?: boolean; readonly user?: string; readonly signal?: AbortSignal },
  ) => Promise<Answer>;
  /** Queries as parts of this program do. */
  readonly ask: (sql: string) => Promise<readonly (readonly unknown[])[]>;
  /** The problems of declared Datasets with faulty SQL. */
  readonly examine: (datasets: Readonly<Record<string, object>>) => Promise<readonly (readonly string[])[]>;
}

export const PLAY = {
  owner: 'playback',
  purpose: 'tests',
  subject: 'optional',
  schema: {
    properties: { track: { type: 'string' }, playedMs: { type: 'integer' } },
    required: ['track'],
    additional: false,
  },
  retention: 'P30D',
  lateness: 'P3D',
} as const;

export async function startDatasetsWorld(
  specs: Parameters<typeof worldOf>[0],
  options: { readonly now?: string; readonly memory?: QueryMemory } = {},
): Promise<DatasetsWorld> {
  const db = await startDatabaseToRoll();
  const directory = await mkdtemp(join(tmpdir(), 'backline-datasets-'));
  let world = worldOf(specs);
  let now = Temporal.Instant.from(options.now ?? '2026-05-10T12:00:00Z');
  const registry = new Registry();
  const parts = { database: db.database, directory, world: () => world, clock: () => now, log: openLog('silent') };
  await turnPartitions(db.database, now.toString().slice(0, 10));
  const rollUps = await startRollUps({ ...parts, registry, rollUpSeconds: 3_600 });
  const queries = startQueries({ ...parts, ...(options.memory && { memory: options.memory }) });
  const answer = queries.query;
  const made: DatasetsWorld = {
    db,
    directory,
    registry,
    rollUps,
    declare: (changed) => {
      world = worldOf(changed);
    },
    revisionOf: (type) => world.get('events.backline.dev/EventType', type)?.revision ?? '',
    setNow: (text) => {
      now = Temporal.Instant.from(text);
    },
    query: async (sql, more = {}, { dryRun = false, user = 'tester', signal } = {}) => {
      const object = { apiVersion: 'events.backline.dev/v1', kind: 'Query', metadata: {}, spec: { sql, ...more } };
      const call = {
        user: { name: user, groups: [] },
        author: { name: user },
        dryRun,
        namespace: undefined,
        name: undefined,
        ...(signal && { limit: { signal, leftMs: Infinity } }),
      };
      const { status } = (await answer(object as never, call as never)) as { status: Answer };
      return status;
    },
    ask: (sql) => queries.ask(sql, new AbortController().signal),
    examine: async (datasets) => {
      const objects = Object.entries(datasets).map(([name, spec]) => ({
        apiVersion: 'events.backline.dev/v1',
        kind: 'Dataset',
        metadata: { name },
        spec,
      }));
      const problems = await queries.examiner.examine(objects, { user: 'tester', requestId: 'r' });
      return problems.map((ofOne) => ofOne.map(({ detail }) => detail));
    },
    [Symbol.asyncDispose]: async () => {
      await made.rollUps.close();
      await queries.close();
      await db[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return made;
}

export interface LoggedEvent {
  readonly type?: string;
  readonly id: string;
  readonly at?: string;
  readonly receivedAt?: string;
  readonly pseudonym?: string;
  readonly revision?: string;
  readonly payload?: object;
}

/** The current day of the log in these tests. */
const LOG_DAY = '2026-05-10';

/** Writes events into the log as ingest does, with their count. */
export async function logEvents(
  world: Pick<DatasetsWorld, 'revisionOf'>,
  { query }: Pick<Database, 'query'>,
  events: readonly LoggedEvent[],
): Promise<void> {
  const rows = events.map(
    ({ type = 'play', id, at = '2026-05-10T11:00:00Z', receivedAt = '2026-05-10T11:30:00Z', ...more }) => ({
      type,
      id,
      at,
      received: receivedAt,
      pseudonym: more.pseudonym ?? null,
      revision: more.revision ?? world.revisionOf(type),
      payload: JSON.stringify(more.payload ?? { track: id }),
    }),
  );
  await query({
    text: `
      with given as (
        select * from jsonb_to_recordset($1::jsonb)
          as e (type text, id text, at timestamptz, received timestamptz, pseudonym uuid, revision text, payload text)
      ), counted as (
        insert into backline.event_batches (received_at, client, producer, type, accepted, duplicates, quarantined)
        select received, 'web', '', type, count(*), 0, 0 from given group by received, type
      )
      insert into backline.event_log
        (day, type, id, client, pseudonym, event_at, received_at, corrected_at, revision, payload)
      select $2::date, type, id, 'web', pseudonym, at, received, at, revision, payload
      from given`,
    values: [JSON.stringify(rows), LOG_DAY],
  });
}
