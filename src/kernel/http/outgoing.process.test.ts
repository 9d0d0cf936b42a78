import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { test, type TestContext } from 'node:test';
import { generate } from 'selfsigned';
import { ask, Unanswered } from './outgoing.ts';

const LIMITS = { method: 'GET', headers: {}, msMax: 5_000, bytesMax: 1_000 } as const;

async function listening(t: TestContext, server: Server & { closeAllConnections: () => void }): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('a server that does not answer, or not to the end, is given up in time', async (t) => {
  for (const begins of [false, true]) {
    const port = await listening(
      t,
      createServer((_, response) => {
        if (begins) response.write('{');
      }),
    );
    await assert.rejects(ask({ ...LIMITS, url: `http://127.0.0.1:${port}/`, msMax: 100 }), {
      name: 'Unanswered',
      message: 'it did not answer in 0.1 s',
    });
  }
});

test('of a long answer only so much is read', async (t) => {
  const port = await listening(
    t,
    createServer((_, response) => response.end('x'.repeat(5_000_000))),
  );
  const { text, isCut } = await ask({ ...LIMITS, url: `http://127.0.0.1:${port}/` });
  assert.deepEqual([text.length, isCut], [1_000, true]);
});

test('a server is believed by its certificate, for the name that is asked for', async (t) => {
  const made = await generate([{ name: 'commonName', value: 'metrics.internal' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'metrics.internal' }] }],
  });
  const port = await listening(
    t,
    createSecureServer({ key: made.private, cert: made.cert }, (_, response) => response.end('yes')),
  );
  const url = `https://127.0.0.1:${port}/`;
  assert.equal((await ask({ ...LIMITS, url, ca: made.cert, serverName: 'metrics.internal' })).text, 'yes');
  await assert.rejects(ask({ ...LIMITS, url, serverName: 'metrics.internal' }), Unanswered);
  await assert.rejects(ask({ ...LIMITS, url, ca: made.cert, serverName: 'other.internal' }), {
    message: 'it cannot be reached (ERR_TLS_CERT_ALTNAME_INVALID)',
  });
});
