import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startWorld } from '../support/backline.ts';

test('a user who floods the resource API is told to wait; the administrator still gets through', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'ann-token-0123456789,ann,u1\n');
  await using world = await startWorld(t, { access: { tokenFile } });
  const statuses = new Map<number, number>();
  let left = 2_500;
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      while (left > 0) {
        left -= 1;
        const { status } = await world.call('GET', '/version', { token: 'ann-token-0123456789' });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }),
  );
  assert.ok((statuses.get(200) ?? 0) >= 1_000, 'a burst is fine');
  assert.ok((statuses.get(429) ?? 0) > 0, [...statuses].join(' '));
  assert.equal(statuses.size, 2);
  const refused = await world.call('GET', '/version', { token: 'ann-token-0123456789' });
  if (refused.status === 429) assert.equal(refused.headers['retry-after'], '1');
  assert.equal((await world.call('GET', '/version')).status, 200);
});

test('a watcher that does not read is dropped and counted, and holds up nobody', async (t) => {
  await using world = await startWorld(t);
  const { call, url } = world;
  const { hostname, port } = new URL(url);
  const deaf = connect(Number(port), hostname);
  deaf.on('error', () => {});
  t.after(() => deaf.destroy());
  const path = '/api/v1/namespaces/default/configmaps';
  deaf.write(
    `GET ${path}?watch=true HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${world.running.token}\r\n\r\n`,
  );
  deaf.pause();
  const metric = async (name: string) =>
    Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await call('GET', '/metrics')).text)?.[1]);
  while ((await metric('backline_watchers')) === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const data = { text: 'x'.repeat(1_000_000) };
  for (let index = 0; index < 40 && (await metric('backline_watchers_dropped_total')) === 0; index += 1) {
    assert.equal((await call('POST', path, { body: { metadata: { name: `m${index}` }, data } })).status, 201);
  }
  assert.equal(await metric('backline_watchers_dropped_total'), 1);
  assert.equal(await metric('backline_watchers'), 0);
});
