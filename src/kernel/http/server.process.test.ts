import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { generate } from 'selfsigned';
import { openLog } from '#kernel/base/log.ts';
import { readBody, send } from './exchange.ts';
import { httpMetrics, openRegistry } from './metrics.ts';
import { serveHttp } from './server.ts';

const LIMITS = { headersMsMax: 200, requestMsMax: 400, checkMs: 50, firstByteMsMax: 300 };

/** A server that answers every request with the size of its body. */
async function startServer(t: TestContext): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-http-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  const registry = openRegistry();
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    tls: { key: made.private, cert: made.cert },
    handle: async (exchange) => {
      const body = await readBody(exchange, 1_000_000);
      send(exchange, 200, 'text/plain', `${exchange.method} ${exchange.path} ${body.length}`);
    },
    log: openLog('silent'),
    metrics: httpMetrics(registry, () => undefined),
    limits: LIMITS,
  });
  t.after(server.close);
  return server.port;
}

/** Everything that comes back before the connection ends, or until `enough` has come. */
async function answerOf(socket: Socket, enough: RegExp): Promise<string> {
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (enough.test(text)) socket.destroy();
  });
  // A connection that was reset is closed too: whatever came before counts.
  await new Promise<void>((closed) => void socket.once('close', () => closed()));
  return text;
}

test('one port speaks TLS and plain HTTP, as the first byte says', async (t) => {
  const port = await startServer(t);
  const request = 'POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello';
  const plain = connectTcp(port, '127.0.0.1');
  plain.write(request);
  assert.match(await answerOf(plain, /POST \/x 5$/), /^HTTP\/1\.1 200/);
  const secure = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  secure.write(request);
  assert.match(await answerOf(secure, /POST \/x 5$/), /^HTTP\/1\.1 200/);
});

test('clients that dawdle over their first byte, their headers or their body are cut off', async (t) => {
  const port = await startServer(t);
  const beginnings: [name: string, bytes: string][] = [
    ['nothing at all', ''],
    ['half of the headers', 'GET / HTTP/1.1\r\nhost: a\r\nx: '],
    ['half of the body', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nhalf'],
  ];
  await Promise.all(
    beginnings.map(async ([name, bytes]) => {
      const socket = connectTcp(port, '127.0.0.1');
      if (bytes !== '') socket.write(bytes);
      const started = performance.now();
      const answer = await answerOf(socket, /^never$/);
      assert.ok(performance.now() - started < 5_000, name);
      assert.ok(answer === '' || answer.startsWith('HTTP/1.1 408'), `${name}: ${answer}`);
    }),
  );
});

test('whatever bytes come, the answer is no 5xx and the next client is served', async (t) => {
  const port = await startServer(t);
  const line = fc.oneof(
    fc.string({ maxLength: 60, unit: 'binary' }),
    fc.constantFrom(
      'GET / HTTP/1.1',
      'GET /%zz HTTP/1.1',
      'host: a',
      'content-length: -1',
      'content-length: 99999999999999999999',
      'transfer-encoding: chunked',
      'ffffffffffffffff',
      'authorization: Bearer \u0000',
      'connection: upgrade',
      'upgrade: h2c',
      'expect: 100-continue',
      `x: ${'y'.repeat(40_000)}`,
      'PRI * HTTP/2.0',
      '',
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.end(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
      const answer = await answerOf(socket, /^never$/);
      assert.ok(!answer.startsWith('HTTP/1.1 5'), answer.slice(0, 200));
    }),
    { numRuns: 150 },
  );
  const plain = connectTcp(port, '127.0.0.1');
  plain.write('GET /still-there HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.match(await answerOf(plain, /still-there 0$/), /^HTTP\/1\.1 200/);
});
