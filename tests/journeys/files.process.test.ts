import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { caller } from '../support/backline.ts';
import { startDatabase } from '../support/database.ts';
import { until } from '../support/installation.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const OTHERS = 0o077;

test('nobody but the user of the server reads what it writes, Parquet files included', async (t) => {
  await using database = await startDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'backline-files-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const data = join(folder, 'made', 'data');
  const args = ['serve', '--role', 'api', 'decide', 'ingest', '--port', '0', '--quiet', '--log-level', 'error'];
  // The umask of most systems lets others read.
  const shell = ['-c', `umask 022; exec "$0" "$@"`, process.execPath, MAIN, ...args, '--roll-up-seconds', '1'];
  const server = spawn('/bin/sh', [...shell, '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DATABASE_URL: database.url },
  });
  const exited = once(server, 'exit');
  let url = '';
  for await (const line of createInterface({ input: server.stdout })) {
    url = /^ready (\S+)/.exec(line)?.[1] ?? '';
    break;
  }
  const call = caller({ server: url, token: (await readFile(join(data, 'admin-token'), 'utf8')).trim() });
  const spec = { owner: 'o', purpose: 'p', retention: 'P30D', schema: { properties: {} } };
  const types = '/apis/events.backline.dev/v1/namespaces/default/eventtypes';
  const body = { apiVersion: 'events.backline.dev/v1', kind: 'EventType', metadata: { name: 'play' }, spec };
  assert.equal((await call('POST', types, { body })).status, 201);
  await until(
    async () => {
      const events = [{ type: 'play', id: '1', at: new Date().toISOString() }];
      const { json } = await call('POST', '/v1/events', { body: { events } });
      return json.accepted === 1 || json.duplicates === 1 ? true : undefined;
    },
    () => 'the event to be accepted',
  );
  const names = await until(
    async () => {
      const found = await readdir(data, { recursive: true });
      return found.some((name) => name.endsWith('.parquet') && !name.includes('.work')) ? found : undefined;
    },
    () => 'a Parquet file',
  );
  for (const name of names) {
    const { mode } = await stat(join(data, name)).catch(() => ({ mode: 0 }));
    assert.equal(mode & OTHERS, 0, `${name} has mode ${(mode & 0o777).toString(8)}`);
  }
  const { mode } = await stat(data);
  assert.equal(mode & OTHERS & ~0o011, 0, 'nobody lists the data directory');
  server.kill('SIGTERM');
  await exited;
});
