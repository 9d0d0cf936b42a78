import { after } from 'node:test';
import { type Database, openDatabase, urlOfDatabase } from '#kernel/postgres/database.ts';
import { makeTemplate, startTestServer, type TestServer } from './postgres-server.ts';

/** A database of one test: migrated, empty, gone at the end of its block. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
}

let shared: Promise<TestServer> | undefined;
let own: Promise<TestServer> | undefined;
let databases = 0;
after(async () => {
  for (const server of [shared, own]) await (await server)?.stop();
});

/**
 * A fresh database: `await using db = await startDatabase()`. The server is that of the runner, or the one at
 * BACKLINE_TEST_DATABASE_URL, or else one of this process, started at the first call and stopped when its tests are done.
 */
export async function startDatabase(): Promise<TestDatabase> {
  shared ??= findServer();
  return copyTemplate(await shared);
}

/**
 * The same on a server of this process: a roll-up waits for every transaction of its server, and those of other files
 * would hold it up.
 */
export async function startDatabaseToRoll(): Promise<TestDatabase> {
  own ??= startTestServer();
  return copyTemplate(await own);
}

/** A fresh database on a durable server of its own, which a test may crash. */
export async function startDatabaseAlone(): Promise<TestDatabase> {
  const server = await startTestServer({ isDurable: true });
  const { url, database, [Symbol.asyncDispose]: drop } = await copyTemplate(server);
  return {
    url,
    database,
    [Symbol.asyncDispose]: async () => {
      await drop();
      await server.stop();
    },
  };
}

async function copyTemplate({ url: serverUrl, template }: TestServer): Promise<TestDatabase> {
  const name = `backline_test_${process.pid}_${(databases += 1)}`;
  const admin = openDatabase(serverUrl);
  await admin.query(`create database ${name} template ${template}`);
  const url = urlOfDatabase(serverUrl, name);
  const database = openDatabase(url);
  return {
    url,
    database,
    [Symbol.asyncDispose]: async () => {
      await database.close();
      await admin.query(`drop database ${name} with (force)`);
      await admin.close();
    },
  };
}

async function findServer(): Promise<TestServer> {
  const url = process.env['BACKLINE_TEST_DATABASE_URL'];
  if (url === undefined) return startTestServer();
  const template = process.env['BACKLINE_TEST_TEMPLATE'];
  if (template !== undefined) return { url, template, stop: async () => {} };
  const own = await makeTemplate(url, `backline_template_${process.pid}`);
  const stop = async (): Promise<void> => {
    const admin = openDatabase(url);
    await admin.query(`drop database ${own} with (force)`);
    await admin.close();
  };
  return { url, template: own, stop };
}
