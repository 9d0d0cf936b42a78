import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { generate } from 'selfsigned';
import { openLog } from '#kernel/base/log.ts';
import { readBody, send, sendPieces } from './exchange.ts';
import { healthRoutes } from './health.ts';
import { routeRequests } from './router.ts';
import { openPulledAnswer } from './long-answer.ts';
import { httpMetrics, openRegistry } from './metrics.ts';
import { paceAnswer } from './paced-answer.ts';
import { serveHttp, type HttpServerOptions } from './server.ts';

const LIMITS = { headersMsMax: 200, requestMsMax: 400, checkMs: 50, firstByteMsMax: 300 };

interface ServerOptions {
  readonly handle?: HttpServerOptions['handle'];
  readonly limits?: HttpServerOptions['limits'];
  readonly trustedProxies?: readonly string[];
}

/** A server that answers every request with the size of its body. */
async function startServer(t: TestContext, options: ServerOptions = {}): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-http-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  const registry = openRegistry();
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    tls: { key: made.private, cert: made.cert },
    handle:
      options.handle ??
      (async (exchange) => {
        const body = await readBody(exchange, 1_000_000);
        send(exchange, 200, `${exchange.method} ${exchange.path} ${body.length}`);
      }),
    log: openLog('silent'),
    metrics: httpMetrics(registry),
    limits: { ...LIMITS, ...options.limits },
    trustedProxies: options.trustedProxies,
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

test('another certificate is shown from now on, and connections that are there go on', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'backline-http-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const made = await Promise.all(
    ['first', 'second'].map((value) =>
      generate([{ name: 'commonName', value }], { keyType: 'ec', algorithm: 'sha256' }),
    ),
  );
  const [first, second] = made.map(({ private: key, cert }) => ({ key, cert }));
  assert.ok(first !== undefined && second !== undefined);
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    tls: first,
    handle: (exchange) => send(exchange, 200, 'ok'),
    log: openLog('silent'),
    metrics: httpMetrics(openRegistry()),
  });
  t.after(server.close);
  const connectAgain = async () => {
    const socket = connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
    await new Promise((done) => socket.once('secureConnect', done));
    return { socket, name: socket.getPeerCertificate().subject.CN };
  };
  const before = await connectAgain();
  server.renew(second);
  const after = await connectAgain();
  assert.deepEqual([before.name, after.name], ['first', 'second']);
  before.socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  assert.match(await answerOf(before.socket, /ok$/), /^HTTP\/1\.1 200/);
  after.socket.destroy();
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

test('a request line that is too long is refused with how long it may be, and what helps', async (t) => {
  const port = await startServer(t);
  const socket = connectTcp(port, '127.0.0.1');
  socket.write(`GET /?labelSelector=${'x'.repeat(40_000)} HTTP/1.1\r\nhost: a\r\n\r\n`);
  const answer = await answerOf(socket, /^never$/);
  assert.match(answer, /^HTTP\/1\.1 431 .*longer than 32768 bytes: spread a long selector/s);
});

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

/** Resolves when nothing more happens for some turns of the loop, in which sockets are served. */
async function waitForQuiet(read: () => number): Promise<number> {
  for (let before = -1, same = 0; same < 20;) {
    const now = read();
    same = now === before ? same + 1 : 0;
    before = now;
    await new Promise((done) => setTimeout(done, 5));
  }
  return read();
}

test('a connection that reads nothing costs a few pieces of one answer, however many it asks for', async (t) => {
  let pieces = 0;
  let answers = 0;
  const piece = 'x'.repeat(16 * 1024);
  const port = await startServer(t, {
    handle: (exchange) => {
      answers += 1;
      sendPieces(
        exchange,
        200,
        (function* () {
          for (let at = 0; at < 4_000; at++) {
            pieces += 1;
            yield piece;
          }
        })(),
      );
    },
  });
  const socket = connectTcp(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.pause();
  socket.write(GET.repeat(50));
  await waitForQuiet(() => pieces);
  assert.equal(answers, 1);
  // As much as the kernel's buffers of both sides hold, and little more: 64 MB would be 4,000.
  assert.ok(pieces < 1_000, `${pieces} pieces of 16 KiB were made`);
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > 2 * 4_000 * piece.length) socket.destroy();
  });
  socket.resume();
  await new Promise<void>((closed) => void socket.once('close', () => closed()));
  assert.ok(answers >= 2, 'the answers behind it follow');
});

test('answers to requests that were sent ahead come in order, and too many of them end the connection', async (t) => {
  const port = await startServer(t);
  const socket = connectTcp(port, '127.0.0.1');
  const requests = Array.from({ length: 60 }, (_, index) => `GET /${index} HTTP/1.1\r\nhost: a\r\n\r\n`);
  socket.write(requests.join(''));
  const text = await answerOf(socket, /GET \/59 0$/);
  assert.deepEqual(
    [...text.matchAll(/GET \/(\d+) 0/g)].map(([, index]) => Number(index)),
    requests.map((_, index) => index),
  );
  const greedy = connectTcp(port, '127.0.0.1');
  greedy.write(GET.repeat(1_000));
  assert.equal((await answerOf(greedy, /^never$/)).split('HTTP/1.1 200').length - 1 < 1_000, true);
});

test('no character is cut in two between pieces', async (t) => {
  const text = `a${'🎧'.repeat(200_000)}`;
  const port = await startServer(t, { handle: (exchange) => send(exchange, 200, text) });
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'accept-encoding': 'identity' } });
  assert.equal(await response.text(), text);
  assert.equal(response.headers.get('content-length'), String(Buffer.byteLength(text)));
});

test('one address opens so many connections, and more once it proves who it is or is a trusted proxy', async (t) => {
  const handle: HttpServerOptions['handle'] = (exchange) => {
    const caller = exchange.header('authorization');
    if (caller !== undefined) exchange.countCaller(caller.startsWith('nobody') ? undefined : caller);
    send(exchange, 200, 'ok');
  };
  const limits = { unprovenPerAddressMax: 5, perCallerMax: 7, firstByteMsMax: 60_000 };
  const port = await startServer(t, { handle, limits });
  const open = async (authorization = '', at = port): Promise<string> => {
    const socket = connectTcp(at, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.write(`GET / HTTP/1.1\r\nhost: a\r\n${authorization}\r\n`);
    return new Promise((done) => {
      socket.once('data', (chunk: Buffer) => done(chunk.toString().slice(9, 12)));
      socket.once('close', () => done('closed'));
    });
  };
  const statuses: string[] = [];
  for (let count = 0; count < 9; count++) statuses.push(await open('authorization: ann\r\n'));
  assert.deepEqual(statuses, [...Array<string>(7).fill('200'), '429', '429']);
  assert.equal(await open('authorization: nobody counts this\r\n'), '200');
  const strangers: string[] = [];
  for (let count = 0; count < 7; count++) strangers.push(await open());
  assert.deepEqual(strangers, [...Array<string>(5).fill('200'), 'closed', 'closed']);
  const behindProxy = await startServer(t, { handle, limits, trustedProxies: ['127.0.0.1'] });
  for (let count = 0; count < 12; count++) assert.equal(await open('', behindProxy), '200');
});

test('a TLS handshake that is not ended is cut off', async (t) => {
  const port = await startServer(t);
  const socket = connectTcp(port, '127.0.0.1');
  socket.write(Buffer.from([0x16, 0x03, 0x01]));
  // LIMITS.firstByteMsMax; without a limit of its own this is two minutes.
  assert.equal(await answerOf(socket, /^never$/), '');
});

test('a caller who has too many connections loses the one that was refused', async (t) => {
  const handle: HttpServerOptions['handle'] = (exchange) => {
    exchange.countCaller('ann');
    send(exchange, 200, 'ok');
  };
  const port = await startServer(t, { handle, limits: { perCallerMax: 1 } });
  const first = connectTcp(port, '127.0.0.1');
  t.after(() => first.destroy());
  first.write(GET);
  await new Promise((done) => first.once('data', done));
  const second = connectTcp(port, '127.0.0.1');
  second.write(GET.repeat(2));
  const text = await answerOf(second, /^never$/);
  assert.equal(text.split('HTTP/1.1 ').length - 1, 1, text);
  assert.match(text, /^HTTP\/1\.1 429 [^]*connection: close/i);
});

test('when connections run out, the caller that holds the most makes room for others', async (t) => {
  const handle: HttpServerOptions['handle'] = (exchange) => {
    exchange.countCaller(exchange.header('authorization') ?? 'nobody');
    send(exchange, 200, 'ok');
  };
  // A hundred before the last one.
  const port = await startServer(t, { handle, limits: { connectionsMax: 110, perCallerMax: 100 } });
  const open = async (caller: string): Promise<Socket> => {
    const socket = connectTcp(port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.write(`GET / HTTP/1.1\r\nhost: a\r\nauthorization: ${caller}\r\n\r\n`);
    await new Promise((done) => socket.once('data', done));
    return socket;
  };
  const bob = await open('bob');
  const greedy: Socket[] = [];
  for (let count = 0; count < 9; count++) greedy.push(await open('greedy'));
  const closed = new Promise((done) => greedy[0]?.once('close', done));
  await open('ann');
  await closed;
  assert.deepEqual([bob.destroyed, greedy.slice(1).some(({ destroyed }) => destroyed)], [false, false]);
});

test('a reader that takes nothing is cut off, and one that takes a little now and then is not', async (t) => {
  const piece = 'x'.repeat(64 * 1024);
  let stalled = 0;
  const port = await startServer(t, {
    handle: ({ response }) => {
      let left = 400;
      const answer = paceAnswer(response, {
        next: () => (left-- > 0 ? piece : null),
        onFailure: (error) => assert.fail(String(error)),
        onStall: () => {
          stalled += 1;
        },
        // Far longer than a busy machine keeps a reader from reading.
        stalledMs: 1_000,
      });
      // As a busy store wakes a watch: that is no sign of life of its reader.
      const waking = setInterval(answer.wake, 50);
      response.once('close', () => clearInterval(waking));
    },
  });
  const deaf = connectTcp(port, '127.0.0.1');
  deaf.on('error', () => {});
  deaf.pause();
  deaf.write(GET);
  while (stalled === 0) await new Promise((done) => setTimeout(done, 10));
  const slow = connectTcp(port, '127.0.0.1');
  let bytes = 0;
  slow.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    slow.pause();
    setTimeout(() => slow.resume(), bytes < 10_000_000 ? 5 : 0);
    if (bytes >= 400 * piece.length) slow.destroy();
  });
  slow.write(GET);
  await new Promise<void>((closed) => void slow.once('close', () => closed()));
  assert.ok(bytes >= 400 * piece.length, `${bytes} bytes`);
  assert.equal(stalled, 1);
});

test('a warning is shown by /readyz, and keeps no request away', async (t) => {
  const problems: { store: string | undefined; datasets: string | undefined } = {
    store: undefined,
    datasets: 'no space is left',
  };
  const checks = [
    { name: 'store', problem: () => problems.store },
    { name: 'datasets', problem: () => problems.datasets, isWarning: true },
  ];
  const port = await startServer(t, { handle: routeRequests(healthRoutes(checks, openRegistry()), new Set()) });
  const ask = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await ask(), [200, '[+] store ok\n[!] datasets: no space is left\n']);
  problems.store = 'it is away';
  assert.deepEqual(await ask(), [503, '[-] store: it is away\n[!] datasets: no space is left\n']);
  problems.store = problems.datasets = undefined;
  assert.deepEqual(await ask(), [200, 'ok']);
});

test('a stream of any size is made as its reader takes it, and goes on with what is new', async (t) => {
  const PIECES = 2_000;
  const piece = `${'x'.repeat(32 * 1024 - 1)}\n`;
  let made = 0;
  let isNew = false;
  let wake = (): void => {};
  const port = await startServer(t, {
    handle: async (exchange) => {
      const answer = openPulledAnswer(exchange, {
        contentType: 'application/x-ndjson',
        beat: '\n',
        onEnd: () => {},
        admit: () => {},
        next: () => {
          if (made < PIECES) {
            made += 1;
            return piece;
          }
          if (!isNew) return undefined;
          isNew = false;
          return 'new\n';
        },
      });
      wake = answer.wake;
    },
  });
  const answer = await fetch(`http://127.0.0.1:${port}/stream`);
  const reader = answer.body?.getReader();
  await new Promise((done) => setTimeout(done, 100));
  assert.ok(made < PIECES / 2, `${made} of ${PIECES} pieces for a reader that took nothing yet`);
  let bytes = 0;
  while (bytes < PIECES * piece.length) bytes += (await reader?.read())?.value?.length ?? 0;
  isNew = true;
  wake();
  assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), 'new\n');
  await reader?.cancel();
});

test('a long answer is packed for who takes that, whole or in pieces, and short ones are not', async (t) => {
  const long = JSON.stringify(Array.from({ length: 20_000 }, (_, index) => ({ number: index, text: 'ä😀' })));
  const bodies: Readonly<Record<string, string>> = { '/short': '{}', '/long': long, '/pieces': long, '/bytes': long };
  const port = await startServer(t, {
    handle: (exchange) => {
      const body = bodies[exchange.path] ?? '';
      const headers = { etag: '"1"' };
      if (exchange.path === '/pieces') sendPieces(exchange, 200, [body.slice(0, 9), body.slice(9)], { headers });
      else send(exchange, 200, exchange.path === '/bytes' ? Buffer.from(body) : body, { headers });
    },
  });
  const ask = (path: string, encoding?: string, method = 'GET') =>
    new Promise<{ headers: IncomingHttpHeaders; bytes: Buffer }>((done, failed) => {
      const headers = encoding === undefined ? {} : { 'accept-encoding': encoding };
      request({ port, path, method, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('end', () => done({ headers: answer.headers, bytes: Buffer.concat(chunks) }));
        answer.once('error', failed);
      }).end();
    });
  for (const path of ['/long', '/pieces', '/bytes']) {
    for (const encoding of ['gzip', 'br, GZIP;q=0.5', '*', 'x-gzip']) {
      const { headers, bytes } = await ask(path, encoding);
      assert.deepEqual(
        [headers['content-encoding'], headers['etag'], headers['vary']],
        ['gzip', 'W/"1"', 'Accept-Encoding'],
      );
      assert.ok(bytes.length < long.length / 5, `${path}: ${bytes.length} bytes`);
      assert.equal(gunzipSync(bytes).toString(), long, path);
    }
    for (const encoding of [undefined, 'br', 'gzip;q=0, *', 'gzip; q=0.0']) {
      const { headers, bytes } = await ask(path, encoding);
      assert.deepEqual(
        [headers['content-encoding'], headers['etag'], headers['vary']],
        [undefined, '"1"', 'Accept-Encoding'],
      );
      assert.equal(bytes.toString(), long, `${path} ${encoding}`);
    }
    assert.equal((await ask(path, 'gzip', 'HEAD')).bytes.length, 0);
  }
  assert.equal((await ask('/short', 'gzip')).headers['content-encoding'], undefined);
});

test('a reader that takes nothing of what is packed costs a few pieces, and leaves nothing when it goes', async (t) => {
  let made = 0;
  const port = await startServer(t, {
    handle: (exchange) => {
      // Random bytes do not compress, so they fill the socket.
      const pieces = (function* () {
        for (; made < 2_000; made += 1) yield randomBytes(48 * 1024).toString('base64');
      })();
      sendPieces(exchange, 200, pieces);
    },
  });
  const deaf = connectTcp(port, '127.0.0.1');
  deaf.on('error', () => {});
  deaf.pause();
  deaf.write(GET.replace('\r\n\r\n', '\r\naccept-encoding: gzip\r\n\r\n'));
  for (let before = -1; before !== made;) {
    before = made;
    await new Promise((done) => setTimeout(done, 200));
  }
  assert.ok(made > 2 && made < 500, `${made} pieces`);
  deaf.destroy();
  const after = made;
  await new Promise((done) => setTimeout(done, 200));
  assert.equal(made, after);
});
