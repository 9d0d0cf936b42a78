import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Registry } from 'prom-client';
import { generate } from 'selfsigned';
import { sealingWith } from '#kernel/access/encryption.ts';
import { type Log, openLog } from '#kernel/base/log.ts';
import { httpMetrics, openRegistry } from '#kernel/http/metrics.ts';
import { routeRequests } from '#kernel/http/router.ts';
import { type HttpServer, serveHttp } from '#kernel/http/server.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import type { Sealing } from '#kernel/store/contract.ts';
import type { EventTable } from '../event-table.ts';
import type { Admit, INGEST_LIMITS } from '../ingest-api.ts';
import { startEvents, type Events } from '../start-events.ts';
import { tableOf } from './table.ts';

export const NOON = Temporal.Instant.from('2026-05-01T12:00:00Z');

/** One ingest process, called over HTTP and in process. */
export interface Ingest {
  readonly events: Events;
  readonly database: Database;
  readonly url: string;
  readonly post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Answer>;
  /** The clock of the process; set by tests. */
  now: Temporal.Instant;
  table: EventTable;
  readonly metrics: () => Promise<string>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Tests read answers of every shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any;
}

/** Sealing with keys of a test's own. */
export async function testSealing(t: TestContext): Promise<Sealing> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-keys-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return sealingWith(join(folder, 'encryption-keys'));
}

/** Starts an ingest process. Several on one database need the same sealing. */
export async function startIngest(
  t: TestContext,
  options: {
    readonly databaseUrl: string;
    readonly sealing?: Sealing;
    readonly admit?: Admit;
    readonly limits?: Partial<Record<keyof typeof INGEST_LIMITS, number>>;
  },
): Promise<Ingest> {
  const sealing = options.sealing ?? (await testSealing(t));
  const database = openDatabase(options.databaseUrl);
  const registry = openRegistry();
  const log = openLog('silent');
  const state = { now: NOON, table: tableOf() };
  const events = startEvents({
    database,
    sealing,
    table: () => state.table,
    clock: () => state.now,
    log,
    registry,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const server = await serveEvents(events, { log, registry, admit: options.admit });
  t.after(async () => {
    await server.close();
    await events.close();
    await database.close();
  });
  const url = `http://127.0.0.1:${server.port}`;
  return Object.assign(state, {
    events,
    database,
    url,
    metrics: () => registry.metrics(),
    post: async (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
      const answer = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, json: text === '' ? undefined : JSON.parse(text) };
    },
  });
}

/** Serves nothing but the paths that events are sent to, on a free port. */
export async function serveEvents(
  events: Events,
  { log, registry, admit }: { readonly log: Log; readonly registry: Registry; readonly admit?: Admit | undefined },
): Promise<HttpServer> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  return serveHttp({
    host: '127.0.0.1',
    port: 0,
    tls: { key: made.private, cert: made.cert },
    handle: routeRequests(
      events.routes({ admit: admit ?? (() => ({ client: 'client:app' })), chargeStranger: () => {} }),
      new Set(),
    ),
    log,
    metrics: httpMetrics(registry),
  });
}

/** A play that happened a minute before noon. */
export function play(id: string, change: Record<string, unknown> = {}): Record<string, unknown> {
  return { type: 'play', id, at: '2026-05-01T11:59:00Z', subject: 'u1', properties: { track: 't1' }, ...change };
}
