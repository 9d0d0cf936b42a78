import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase, urlOfDatabase } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import { allMigrations } from '#planes/catalogue.ts';

/** A PostgreSQL for tests. */
export interface TestServer {
  readonly url: string;
  /** A migrated database that those of tests are copied from. */
  readonly template: string;
  readonly stop: () => Promise<void>;
}

/** Signals that end a test process early: Ctrl-C, or the runner when the process takes too long. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Data of tests need not survive the machine; several test files share one server. */
const CHEAP_COMMITS = { fsync: 'off', full_page_writes: 'off', max_connections: '400' };

/** Starts a server of our own with a template; with `isDurable` its commits reach the disk, as an installation's do. */
export async function startTestServer({ isDurable = false } = {}): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-test-'));
  // As root the server runs as another user, who must be able to enter.
  await chmod(directory, 0o755);
  const postgres = await startEmbeddedPostgres({
    dataDirectory: directory,
    ...(isDurable ? {} : { settings: CHEAP_COMMITS }),
  });
  // A process that ends without running its hooks must not leave a server behind.
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
  return { url: postgres.url, template: await makeTemplate(postgres.url, 'backline_template'), stop };
}

/** Makes a migrated database that others are copied from. */
export async function makeTemplate(serverUrl: string, name: string): Promise<string> {
  const admin = openDatabase(serverUrl);
  await admin.query(`drop database if exists ${name} with (force)`);
  await admin.query(`create database ${name}`);
  await admin.close();
  const database = openDatabase(urlOfDatabase(serverUrl, name));
  await migrate(database, allMigrations());
  await database.close();
  return name;
}
