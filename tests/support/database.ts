import { mkdtemp, chmod, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { type Database, openDatabase, urlOfDatabase } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import { allMigrations } from '#planes/catalogue.ts';

/** A database of one test: migrated, empty, gone at the end of its block. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
}

interface TestServer {
  readonly url: string;
  readonly admin: Database;
  /** A migrated database that the others are copied from. */
  readonly template: string;
  databases: number;
  readonly stop: () => Promise<void>;
}

/** How a test process is told to end before its tests are done: by Ctrl-C, or by the runner when it takes too long. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

let server: Promise<TestServer> | undefined;
after(async () => {
  await (await server)?.stop();
});

/**
 * A fresh database: `await using db = await startDatabase()`. The server is one of our own for each test process,
 * started at the first call and stopped when the tests are done; or the one at BACKLINE_TEST_DATABASE_URL.
 */
export async function startDatabase(): Promise<TestDatabase> {
  server ??= startServer();
  const { url: serverUrl, admin, template } = await server;
  const name = `${template}_${++(await server).databases}`;
  await admin.query(`create database ${name} template ${template}`);
  const url = urlOfDatabase(serverUrl, name);
  const database = openDatabase(url);
  return {
    url,
    database,
    [Symbol.asyncDispose]: async () => {
      await database.close();
      await admin.query(`drop database ${name} with (force)`);
    },
  };
}

async function startServer(): Promise<TestServer> {
  const outside = process.env['BACKLINE_TEST_DATABASE_URL'];
  const own = outside === undefined ? await startOwnServer() : undefined;
  const url = outside ?? own?.url ?? '';
  const admin = openDatabase(url);
  const template = `backline_test_${process.pid}`;
  await admin.query(`drop database if exists ${template} with (force)`);
  await admin.query(`create database ${template}`);
  const database = openDatabase(urlOfDatabase(url, template));
  await migrate(database, allMigrations());
  await database.close();
  const stop = async (): Promise<void> => {
    if (own === undefined) await admin.query(`drop database ${template} with (force)`);
    await admin.close();
    await own?.stop();
  };
  return { url, admin, template, databases: 0, stop };
}

async function startOwnServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-test-'));
  // As root the server runs as another user, who must be able to enter.
  await chmod(directory, 0o755);
  const postgres = await startEmbeddedPostgres({ dataDirectory: directory });
  // A test process that ends without running its hooks must not leave a server behind.
  const stopNow = (): boolean => process.kill(postgres.pid, 'SIGQUIT');
  process.once('exit', stopNow);
  const exit = (): never => process.exit(1);
  for (const signal of SIGNALS) process.once(signal, exit);
  const stop = async (): Promise<void> => {
    process.off('exit', stopNow);
    for (const signal of SIGNALS) process.off(signal, exit);
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  };
  return { url: postgres.url, stop };
}
