import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { call, ServerRefusal } from './call.ts';

/** A server that is busy for the first requests. */
async function startBusyServer(t: TestContext, busy: number, retryAfter?: string) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const isBusy = seen.length <= busy;
    const headers = isBusy && retryAfter !== undefined ? { 'retry-after': retryAfter } : {};
    response.writeHead(isBusy ? 429 : 200, headers).end(JSON.stringify(isBusy ? { message: 'busy' } : { seen }));
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  return { connection: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, seen };
}

const isBusyRefusal = (error: unknown): boolean => error instanceof ServerRefusal && error.status === 429;

test('a request that the server is too busy for is sent again when it says', async (t) => {
  const { connection } = await startBusyServer(t, 3, '0');
  assert.deepEqual(await call(connection, 'POST', '/x', { body: {} }), { seen: Array(4).fill('POST /x') });
});

test('a server that stays busy, or does not say for how long, or for too long, has refused', async (t) => {
  const always = await startBusyServer(t, Infinity, '0');
  await assert.rejects(call(always.connection, 'GET', '/x'), isBusyRefusal);
  assert.equal(always.seen.length, 30);
  for (const retryAfter of [undefined, '3600']) {
    const { connection, seen } = await startBusyServer(t, 1, retryAfter);
    await assert.rejects(call(connection, 'GET', '/x'), isBusyRefusal);
    assert.equal(seen.length, 1);
  }
});
