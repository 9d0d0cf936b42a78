import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { generate } from 'selfsigned';
import { Refusal } from '#kernel/base/failures.ts';
import { openLog } from '#kernel/base/log.ts';
import { queueUntil } from '#kernel/base/queue-until.ts';
import { readBody, send } from './exchange.ts';
import { healthRoutes } from './health.ts';
import { httpMetrics, openRegistry } from './metrics.ts';
import { routeRequests, type Route } from './router.ts';
import { serveHttp } from './server.ts';

const DEADLINE = { msDefault: 5_000, msMax: 5_000 };

type RouteParts = Pick<Route, 'path' | 'handle'> & Partial<Route>;

async function serveRoutes(t: TestContext, routes: readonly RouteParts[]) {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  const registry = openRegistry();
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    tls: { key: made.private, cert: made.cert },
    handle: routeRequests(
      routes.map((route) => ({ methods: ['GET'], by: 'everybody', deadline: DEADLINE, ...route })),
      new Set(),
    ),
    log: openLog('silent'),
    metrics: httpMetrics(registry),
  });
  t.after(server.close);
  const url = `http://127.0.0.1:${server.port}`;
  const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${url}${path}`, { method, headers });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text };
  };
  return { ask, port: server.port, metrics: () => registry.metrics() };
}

function saying(text: string): Route['handle'] {
  return (exchange) => send(exchange, 200, text);
}

test('a path is found as it is, then with its last part free, then below the longest beginning', async (t) => {
  const { ask, metrics } = await serveRoutes(t, [
    { path: '/flags', handle: saying('all') },
    { path: '/flags/*', handle: saying('one') },
    { path: '/flags/first', handle: saying('first') },
    { path: '/files/**', handle: saying('file'), countedAs: 'files' },
    { path: '/files/pages/**', handle: saying('page') },
  ]);
  const answerOf = async (path: string) => {
    const { status, text } = await ask('GET', path);
    return status === 200 ? text : status;
  };
  const paths = [
    '/flags',
    '/flags/x',
    '/flags/first',
    '/flags/x/y',
    '/files/a',
    '/files/a/b/c',
    '/files/pages/p/q',
    '/',
  ];
  assert.deepEqual(await Promise.all(paths.map(answerOf)), ['all', 'one', 'first', 404, 'file', 'file', 'page', 404]);
  const counted = await metrics();
  assert.match(counted, /backline_http_request_seconds_count\{route="\/flags\/\*",status="2xx"\} 1/);
  assert.match(counted, /backline_http_request_seconds_count\{route="files",status="2xx"\} 2/);
  assert.match(counted, /backline_http_request_seconds_count\{route="other",status="4xx"\} 2/);
});

test('a wrong method has one refusal, which names the right ones; a preflight is no wrong method', async (t) => {
  const { ask } = await serveRoutes(t, [
    { path: '/cap', methods: ['GET', 'HEAD'], handle: saying('read') },
    {
      path: '/cap',
      methods: ['POST'],
      handle: saying('written'),
    },
    {
      path: '/asked',
      handle: saying('read'),
      answerPreflight: (exchange) => {
        if (exchange.header('origin') === undefined) return false;
        send(exchange, 204, '');
        return true;
      },
    },
  ]);
  assert.deepEqual([(await ask('GET', '/cap')).text, (await ask('POST', '/cap')).text], ['read', 'written']);
  for (const method of ['DELETE', 'OPTIONS', 'PUT']) {
    const { status, headers, text } = await ask(method, '/cap');
    const { code } = JSON.parse(text) as { code: string };
    assert.deepEqual([status, headers.get('allow'), code], [405, 'GET, HEAD, POST', 'http/method-not-allowed']);
  }
  assert.equal((await ask('OPTIONS', '/asked', { origin: 'https://app.example' })).status, 204);
  assert.equal((await ask('OPTIONS', '/asked')).headers.get('allow'), 'GET');
});

test('a deadline that passes is refused with 504, the handler is aborted, and its later answer goes nowhere', async (t) => {
  const { promise: aborted, resolve } = Promise.withResolvers<unknown>();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const { ask } = await serveRoutes(t, [
    {
      path: '/slow',
      handle: async (exchange, { signal }) => {
        if (!signal.aborted) await once(signal, 'abort');
        resolve(signal.reason);
        send(exchange, 200, 'too late');
        end();
      },
    },
    {
      path: '/deaf',
      handle: async () => {
        await answered;
        throw new Error('a late failure is not answered');
      },
    },
    { path: '/streamed', deadline: 'stream', handle: saying('streamed') },
  ]);
  const late = await ask('GET', '/slow', { 'x-request-timeout-ms': '30' });
  const { code, detail } = JSON.parse(late.text) as { code: string; detail: string };
  assert.deepEqual([late.status, code], [504, 'http/deadline'], late.text);
  assert.match(detail, /deadline of 30 ms/);
  assert.equal(late.headers.get('content-type'), 'application/problem+json');
  await over;
  const reason = await aborted;
  assert.ok(reason instanceof Refusal && reason.reason === 'Timeout');
  assert.equal((await ask('GET', '/deaf', { 'x-request-timeout-ms': '1' })).status, 504);
  answer();
  assert.equal((await ask('GET', '/streamed', { 'x-request-timeout-ms': 'soon' })).text, 'streamed');
});

test('queued work is reported as not done after its deadline, and work that was taken as maybe done', async (t) => {
  const queue: string[] = [];
  const { ask } = await serveRoutes(t, [
    {
      path: '/queued/*',
      handle: ({ path }, { signal }) =>
        new Promise((_resolve, reject) => {
          queueUntil(queue, path, signal, reject);
          if (path === '/queued/taken') queue.pop();
        }),
    },
  ]);
  const remedyOf = async (path: string) => {
    const { status, text } = await ask('GET', path, { 'x-request-timeout-ms': '20' });
    assert.equal(status, 504, text);
    return (JSON.parse(text) as { remedy: string }).remedy;
  };
  assert.match(await remedyOf('/queued/waiting'), /^Nothing was done: send the request again/);
  const taken = remedyOf('/queued/taken');
  assert.match(await taken, /^A write may have been done/);
  assert.deepEqual(queue, []);
});

test('the wanted timeout is a number of milliseconds, and no more than the route allows', async (t) => {
  const { ask } = await serveRoutes(t, [
    {
      path: '/slow',
      deadline: { msDefault: 5_000, msMax: 20 },
      handle: (_exchange, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    },
  ]);
  for (const wrong of ['0', '-1', '1.5', 'soon', '']) {
    const { status, text } = await ask('GET', '/slow', { 'x-request-timeout-ms': wrong });
    assert.deepEqual([status, JSON.parse(text).code], [400, 'http/bad-timeout'], wrong);
  }
  for (const large of ['3600000', '9'.repeat(400)]) {
    const { status, text } = await ask('GET', '/slow', { 'x-request-timeout-ms': large });
    assert.equal(status, 504, large);
    assert.match(text, /deadline of 20 ms/);
  }
});

test('a header that counts once is refused twice', async (t) => {
  const { port } = await serveRoutes(t, [{ path: '/one', handle: saying('one') }]);
  for (const header of ['host: localhost', 'X-Request-Timeout-Ms: 50', 'x-subject-token: t']) {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    const host = header.startsWith('host') ? '' : 'host: localhost\r\n';
    socket.write(`GET /one HTTP/1.1\r\n${host}${header}\r\n${header}\r\nconnection: close\r\n\r\n`);
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    await once(socket, 'end');
    assert.match(answer, /^HTTP\/1\.1 400 /, header);
    if (host !== '') assert.match(answer, /"code":"http\/repeated-header"/, header);
  }
});

test('probes of health are answered whatever time they ask for', async (t) => {
  const { ask } = await serveRoutes(t, healthRoutes([], openRegistry()));
  for (const path of ['/livez', '/readyz', '/healthz']) {
    for (const timeout of ['soon', '0', '1']) {
      assert.equal((await ask('GET', path, { 'x-request-timeout-ms': timeout })).text, 'ok', path);
    }
  }
  assert.equal((await ask('GET', '/metrics', { 'x-request-timeout-ms': 'soon' })).status, 400);
});

test('a deadline says how a write is repeated that may have been done', async (t) => {
  const wait: Route['handle'] = (_exchange, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const { ask } = await serveRoutes(t, [
    { path: '/keyed', methods: ['POST'], handle: wait },
    { path: '/applied', methods: ['POST'], handle: wait, repetition: 'look first' },
  ]);
  const remedyAt = async (path: string) => (await ask('POST', path, { 'x-request-timeout-ms': '1' })).text;
  assert.match(await remedyAt('/keyed'), /may have been done: repeat it with the same key or id\./);
  assert.match(await remedyAt('/applied'), /may have been done: look first\./);
});

test('a caller that does not send the whole body in time is refused, and the connection ends', async (t) => {
  const { port } = await serveRoutes(t, [
    {
      path: '/body',
      methods: ['POST'],
      deadline: { msDefault: 50, msMax: 50 },
      handle: async (exchange) => void (await readBody(exchange, 100)),
    },
  ]);
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write('POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhalf');
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
  await once(socket, 'end');
  assert.match(answer, /^HTTP\/1\.1 504 /);
  assert.match(answer, /connection: close/i);
  assert.match(answer, /The body did not come whole .*Nothing was done/);
});

test('the signal of a request fires when the client goes away', async (t) => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: gone, resolve } = Promise.withResolvers<unknown>();
  const { port } = await serveRoutes(t, [
    {
      path: '/slow',
      handle: async (_exchange, { signal }) => {
        signal.addEventListener('abort', () => resolve(signal.reason));
        begin();
        await gone;
        signal.throwIfAborted();
      },
    },
  ]);
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await begun;
  socket.destroy();
  assert.match(String(await gone), /the client has gone/);
});
