import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import type { Clock } from '#kernel/base/clock.ts';
import { THIS_MACHINE } from '#kernel/outbound/address-policy.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { readText, send, type Connection } from '#kernel/api/client/http.ts';
import type { AccessOptions, Role, StartOptions } from '#planes/parts/shared.ts';
import { startBackline, type Running } from '#planes/start.ts';
import { startDatabase, startDatabaseToRoll, type TestDatabase } from './database.ts';
import { requireDocumented } from './require-documented.ts';

/** A whole Backline in this process, on a real PostgreSQL, with a client that holds the administrator's token. */
export interface World extends AsyncDisposable {
  readonly running: Running;
  readonly url: string;
  readonly connection: Connection;
  readonly dataDirectory: string;
  readonly database: Database;
  readonly databaseUrl: string;
  readonly call: Call;
  /** Stops it and starts it again on the same data and port. */
  readonly restart: () => Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  // Tests look into answers of every shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any;
}

export type Call = (
  method: string,
  path: string,
  options?: { readonly body?: unknown; readonly headers?: Record<string, string>; readonly token?: string | undefined },
) => Promise<Answer>;

export async function startWorld(
  t: TestContext,
  options: {
    readonly clock?: Clock;
    readonly roles?: readonly Role[];
    readonly access?: AccessOptions;
    readonly rollUpSeconds?: number;
    readonly quotaDatabaseUrls?: readonly string[];
    readonly modules?: StartOptions['modules'] | undefined;
    /** Default this machine, where the servers of tests are. */
    readonly allowOutbound?: readonly string[];
    readonly localRuntime?: boolean;
    /** A database with data; it is closed with the world. */
    readonly database?: TestDatabase;
  } = {},
): Promise<World> {
  const database =
    options.database ?? (await (options.rollUpSeconds === undefined ? startDatabase() : startDatabaseToRoll()));
  const dataDirectory = await mkdtemp(join(tmpdir(), 'backline-test-'));
  const start = (port: number) =>
    startBackline({
      roles: options.roles ?? ['api', 'decide'],
      host: '127.0.0.1',
      port,
      dataDirectory,
      databaseUrl: database.url,
      log: openLog('silent'),
      allowOutbound: options.allowOutbound ?? THIS_MACHINE,
      localRuntime: options.localRuntime,
      access: options.access,
      rollUpSeconds: options.rollUpSeconds,
      quotaDatabaseUrls: options.quotaDatabaseUrls,
      modules: options.modules,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    });
  let running = await start(0);
  await running.ready;
  const url = `http://127.0.0.1:${running.port}`;
  const connection: Connection = { server: url, token: running.token };
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await running.close();
    await database[Symbol.asyncDispose]();
    await rm(dataDirectory, { recursive: true, force: true });
  };
  t.after(stop);
  return {
    get running() {
      return running;
    },
    url,
    connection,
    dataDirectory,
    database: database.database,
    databaseUrl: database.url,
    call: caller(connection),
    restart: async () => {
      await running.close();
      running = await start(Number(new URL(url).port));
      await running.ready;
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** A decision node of its own, which follows the API server of a world over HTTP; asked by its administrator. */
export async function startDecisionNode(
  t: TestContext,
  { connection }: Pick<World, 'connection'>,
  options: Pick<StartOptions, 'databaseUrl' | 'quotaDatabaseUrls' | 'access'> = {},
): Promise<{ readonly call: Call; readonly token: string; readonly close: () => Promise<void> }> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'backline-test-'));
  t.after(() => rm(dataDirectory, { recursive: true, force: true }));
  const node = await startBackline({
    roles: ['decide'],
    host: '127.0.0.1',
    port: 0,
    dataDirectory,
    follow: connection,
    log: openLog('silent'),
    ...options,
  });
  t.after(node.close);
  await node.ready;
  return {
    call: caller({ server: `http://127.0.0.1:${node.port}`, token: node.token }),
    token: node.token,
    close: node.close,
  };
}

/** Sends requests as a bare HTTP client would; a body that is no text goes as JSON. */
export function caller(connection: Connection): Call {
  return async (method, path, { body, headers, token = connection.token } = {}) => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await send({ ...connection, token: token === '' ? undefined : token }, method, path, {
      ...(text === undefined ? {} : { body: text }),
      ...(headers === undefined ? {} : { headers }),
    });
    const received = await readText(answer);
    if (answer.statusCode === 200 && method !== 'HEAD') requireDocumented(path, received);
    return {
      status: answer.statusCode ?? 0,
      headers: answer.headers,
      text: received,
      get json() {
        return JSON.parse(received);
      },
    };
  };
}
