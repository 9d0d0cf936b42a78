import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import * as fc from 'fast-check';
import { LATENCY_MS, slowerThan } from '#kernel/releases/kinds/request-counts.ts';
import { Proxy, type Endpoint } from './proxy.ts';
import { Traffic } from './traffic.ts';

const HOST = 'player.aria.localhost';
const PATIENCE_MS = 5_000;
const MEGABYTE = 1 << 20;

test('headers pass as they are, but those of the connection', async (t) => {
  let raw: readonly string[] = [];
  const { talk, counts } = await proxyBefore(t, (asked, answer) => {
    raw = asked.rawHeaders;
    answer.writeHead(200, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Ours', 'y', 'Connection', 'x-ours', 'X-E', '']);
    answer.end('ok');
  });
  const sent = ['Connection: X-Mine, host, close', 'X-Mine: 1', 'X-Kept: 1', 'X-Kept: 2', 'TE: gzip', 'X-Empty:'];
  const answer = await talk(get('/a?b', sent));
  assert.match(answer, /^HTTP\/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-E: \r\n/);
  assert.doesNotMatch(answer, /x-ours/i);
  const pairs = Array.from({ length: raw.length / 2 }, (_, index) => `${raw[index * 2]}: ${raw[index * 2 + 1]}`);
  const ours = ['x-forwarded-for: 127.0.0.1', `x-forwarded-host: ${HOST}`, 'x-forwarded-proto: http'];
  const kept = [`Host: ${HOST}`, 'X-Kept: 1', 'X-Kept: 2', 'X-Empty: ', ...ours, 'Connection: keep-alive'];
  assert.deepEqual(pairs, kept);
  assert.equal((await talk(get('/', [`X-Huge: ${'x'.repeat(20_000)}`, 'Connection: close']))).slice(9, 12), '431');
  assert.equal(counts().requests, 1);
});

test('targets: absolute ones replace the host, and * passes', async (t) => {
  const { talk } = await proxyBefore(t, ({ url, headers }, answer) => answer.end(`${url} ${headers.host}`));
  const ask = (line: string, host = HOST) => talk(`${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  assert.match(await ask(`GET http://${HOST}:81/a?b`, 'other'), new RegExp(`/a\\?b ${HOST}:81`));
  assert.match(await ask(`GET http://${HOST}?b`), new RegExp(`/\\?b ${HOST}`));
  assert.match(await ask('OPTIONS *'), new RegExp(`\\* ${HOST}`));
  assert.match(await ask('GET ftp://x/'), /^HTTP\/1.1 400 .*The target of the request begins with/s);
  assert.match(await ask('GET /', 'nobody'), /^HTTP\/1.1 404 .*No Component has the host nobody.*player/s);
  assert.equal(await ask(`CONNECT ${HOST}:443`), '');
});

test('a request that two servers may read in two ways reaches no replica', async (t) => {
  let requests = 0;
  const { talk, endpoint } = await proxyBefore(t, (_, answer) => {
    requests += 1;
    answer.end();
  });
  const shapes: readonly (readonly [string, number])[] = [
    ['Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef', 400],
    ['Content-Length: +5\r\n\r\nabcde', 400],
    ['Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n', 400],
    ['Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 501],
    ['Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n', 400],
    ['Host: other\r\n\r\n', 400],
    [' folded: x\r\n\r\n', 400],
    ['X: a\nGET / HTTP/1.1\r\n\r\n', 400],
  ];
  for (const [shape, status] of shapes) {
    const answer = await talk(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n${shape}`);
    assert.equal(answer.slice(9, 12), String(status), shape);
  }
  // A body that Connection hides is still the body.
  const hidden = `Connection: content-length, close\r\nContent-Length: 30\r\n\r\nGET /smuggled HTTP/1.1\r\nA: b\r\n\r\n`;
  assert.equal((await talk(`POST / HTTP/1.1\r\nHost: ${HOST}\r\n${hidden}`)).slice(9, 12), '200');
  assert.equal(requests, 1);
  assert.equal(endpoint.underWay, 0);
});

test('answers without a body, and trailers both ways', async (t) => {
  const { talk, counts } = await proxyBefore(t, (asked, answer) => {
    if (asked.url === '/trailers') {
      asked.resume().once('end', () => {
        answer.writeHead(200, { trailer: 'x-sum' });
        answer.write('body');
        answer.addTrailers({ 'x-sum': asked.trailers['x-mine'] ?? '' });
        answer.end();
      });
      return;
    }
    answer.writeHead(Number(asked.url?.slice(1)), asked.method === 'HEAD' ? { 'content-length': 7 } : {});
    answer.end();
  });
  const close = ['Connection: close'];
  assert.match(await talk(get('/200', close, 'HEAD')), /^HTTP\/1.1 200 OK\r\ncontent-length: 7\r\n.*\r\n\r\n$/is);
  for (const status of [204, 304]) {
    const answer = await talk(get(`/${status}`, close));
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
    assert.doesNotMatch(answer, /transfer-encoding|content-length/i);
  }
  const body = 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Mine: 42\r\n\r\n';
  const answer = await talk(`POST /trailers HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n${body}`);
  assert.match(answer, /\r\n0\r\nx-sum: 42\r\n\r\n$/);
  assert.equal(counts().requests, 4);
  assert.equal(counts().errors, 0);
});

test('an event stream opens before its first event, stays open, and is not slow', async (t) => {
  let emit: (text: string) => void = () => undefined;
  const { port, counts, endpoint } = await proxyBefore(t, (_, answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.flushHeaders();
    emit = (text) => void (text === '' ? answer.end() : answer.write(text));
  });
  const sent = request({ port, headers: { host: HOST } }).end();
  const [answer] = (await once(sent, 'response', { signal: AbortSignal.timeout(PATIENCE_MS) })) as [IncomingMessage];
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    emit(event);
    assert.equal(String((await once(answer, 'data'))[0]), event);
  }
  await wait(150);
  assert.equal(endpoint.underWay, 1);
  emit('');
  await once(answer.resume(), 'end');
  await until(() => endpoint.underWay === 0);
  assert.equal(counts().requests, 1);
  assert.equal(slowerThan(counts(), 100), 0);
});

test('large bodies wait for their readers', async (t) => {
  const size = 48 * MEGABYTE;
  let reader: IncomingMessage | undefined;
  let written = 0;
  const { port, endpoint, counts } = await proxyBefore(t, (asked, answer) => {
    if (asked.method === 'POST') {
      reader = asked;
      asked.once('end', () => answer.end());
      return;
    }
    const write = (): void => {
      while (written < size) {
        written += MEGABYTE;
        if (!answer.write(Buffer.alloc(MEGABYTE))) {
          answer.once('drain', write);
          return;
        }
      }
      answer.end();
    };
    write();
  });
  const sent = request({ port, headers: { host: HOST } }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  await quiet(() => written);
  assert.ok(written < size / 2, `${written} bytes are on the way to a client that does not read`);
  let bytes = 0;
  answer.on('data', (chunk: Buffer) => (bytes += chunk.length));
  await once(answer, 'end');
  assert.equal(bytes, size);

  const upload = request({ port, method: 'POST', headers: { host: HOST, 'transfer-encoding': 'chunked' } });
  let taken = 0;
  for (let index = 0; index < size; index += MEGABYTE) {
    upload.write(Buffer.alloc(MEGABYTE), () => (taken += MEGABYTE));
  }
  await until(() => reader !== undefined);
  await quiet(() => taken);
  assert.ok(taken < size / 2, `${taken} bytes are on the way to a replica that does not read`);
  upload.end();
  bytes = 0;
  reader?.on('data', (chunk: Buffer) => (bytes += chunk.length));
  const [done] = (await once(upload, 'response')) as [IncomingMessage];
  await once(done.resume(), 'end');
  assert.equal(bytes, size);
  await until(() => endpoint.underWay === 0);
  assert.equal(counts().requests, 2);
});

test('a client that waits for 100 gets it, and its body arrives', async (t) => {
  const { port } = await proxyBefore(t, (asked, answer) => void asked.pipe(answer));
  const sent = request({ port, method: 'PUT', headers: { host: HOST, expect: '100-continue', 'content-length': 4 } });
  sent.flushHeaders();
  await once(sent, 'continue', { signal: AbortSignal.timeout(PATIENCE_MS) });
  sent.end('body');
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  assert.equal(String((await once(answer, 'data'))[0]), 'body');
});

test('a replica that answers before it has the body leaves the connection usable', async (t) => {
  const { port, endpoint } = await proxyBefore(t, (asked, answer) => {
    if (asked.method !== 'POST') return answer.end('next');
    answer.writeHead(413, { connection: 'close' });
    return answer.end('too large', () => setTimeout(() => asked.socket.destroy(), 50));
  });
  const socket = connect(port, '127.0.0.1');
  const text = collect(socket);
  const size = 8 * MEGABYTE;
  socket.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${size}\r\n\r\n`);
  await until(() => text().includes('too large'));
  socket.write(Buffer.alloc(size));
  socket.write(get('/'));
  await until(() => text().includes('next'));
  socket.destroy();
  await until(() => endpoint.underWay === 0);
});

test('a replica that closes kept connections fails no request', async (t) => {
  // The first answer on each connection announces nothing and closes after a while, like many servers.
  let connections = 0;
  const { ask, counts } = await rawBefore(t, (socket) => {
    connections += 1;
    socket.on('data', (chunk) => {
      if (!String(chunk).endsWith('\r\n\r\n') && !String(chunk).endsWith('body')) return;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok');
      setTimeout(() => socket.resetAndDestroy(), 20);
    });
  });
  for (let index = 0; index < 5; index += 1) {
    assert.equal((await ask('POST', 'body')).status, 200);
    await wait(15);
  }
  assert.equal(connections, 5, 'a connection with a timeout that short is not kept');
  assert.equal(counts().errors, 0);
});

test('a GET over a connection that its replica closed is sent again, and a POST is not', async (t) => {
  let requests = 0;
  const { ask, counts, endpoint } = await rawBefore(t, (socket) => {
    let first = true;
    socket.on('data', () => {
      requests += 1;
      if (!first) return socket.resetAndDestroy();
      first = false;
      return socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  assert.equal((await ask('GET')).status, 200);
  assert.equal((await ask('GET')).status, 200);
  assert.equal(requests, 3);
  assert.equal((await ask('GET')).status, 200);
  const post = await ask('POST', '');
  assert.equal(post.status, 502, 'nobody knows what it did');
  assert.equal(requests, 5);
  assert.equal(counts().requests, 4);
  assert.equal(endpoint.underWay, 0);
});

test('a body goes to another replica where the first does not run', async (t) => {
  const { port, route } = await proxyBefore(t, (asked, answer) => void asked.pipe(answer));
  const gone = await listen(t, createTcpServer());
  gone.server.close();
  const [good] = route.endpoints.get('one') ?? [];
  assert.ok(good);
  const dead: Endpoint = { port: gone.port, underWay: 0 };
  route.set(new Map([['one', [dead, good]]]));
  for (let index = 0; index < 10; index += 1) {
    const body = `body ${index}`;
    assert.deepEqual(await askAt(port, 'POST', body), { status: 200, body });
  }
  assert.equal(dead.underWay, 0);
});

test('answers that are not HTTP, that stop, and that never begin', async (t) => {
  let answer = '';
  const { ask, counts, endpoint } = await rawBefore(
    t,
    (socket) => socket.on('data', () => (answer === '' ? undefined : socket.end(answer))),
    { answerMsMax: 100 },
  );
  const shapes = [
    'HTTP/1.1 099 Low\r\n\r\n',
    'HTTP/1.1 999 High\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na',
    'HTTP/1.1 200 O\u0001K\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'SSH-2.0\r\n',
    '\r\n',
  ];
  for (answer of shapes) {
    const { status } = await ask('GET').catch(() => ({ status: 'none' }));
    assert.equal(status, 502, answer);
  }
  answer = '';
  const { status, body } = await ask('POST', 'body');
  assert.equal(status, 504);
  assert.match(body, /no answer within 0.1 s/);
  answer = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
  await assert.rejects(ask('GET'));
  assert.equal(counts().requests, shapes.length + 2);
  assert.equal(counts().errors, shapes.length + 2);
  assert.equal(endpoint.underWay, 0);
});

test('no ready replica: 503 with Retry-After, counted where it would have been', async (t) => {
  const { talk, route, counts } = await proxyBefore(t, (_, answer) => answer.end());
  route.set(new Map());
  assert.match(await talk(get('/', ['Connection: close'])), /^HTTP\/1.1 503 .*retry-after: 1\r\n/is);
  assert.match(await talk(upgrade()), /^HTTP\/1.1 503 .*No replica of aria\/player is ready/s);
  assert.match(await talk(upgrade().replace(HOST, 'nobody')), /^HTTP\/1.1 404 /);
  assert.deepEqual([counts().requests, counts().errors], [2, 2]);
});

test('WebSockets: early data, either side closes, and the whole of a last message arrives', async (t) => {
  const { port, server, endpoint, counts } = await proxyBefore(t, (_, answer) => answer.end());
  const last = 'x'.repeat(4 * MEGABYTE);
  server.on('upgrade', (_: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => undefined).once('end', () => socket.end());
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello');
    const take = (chunk: Buffer): void => {
      if (String(chunk) === 'bye') socket.end(last);
      else if (String(chunk) === 'crash') socket.resetAndDestroy();
      else socket.write(`got ${String(chunk)}`);
    };
    socket.on('data', take);
    if (head.length > 0) take(head);
  });
  const open = async (early = ''): Promise<{ socket: Socket; text: () => string }> => {
    const socket = connect(port, '127.0.0.1');
    const text = collect(socket);
    socket.write(upgrade() + early);
    await until(() => text().includes('hello'));
    return { socket, text };
  };
  const one = await open('early');
  await until(() => one.text().includes('got early'));
  assert.match(one.text(), /^HTTP\/1.1 101 /);
  await wait(120);
  one.socket.pause();
  one.socket.write('bye');
  await wait(50);
  one.socket.resume();
  await once(one.socket, 'close');
  assert.ok(one.text().endsWith(last), `${one.text().length} characters arrived`);
  const two = await open();
  two.socket.destroy();
  await until(() => endpoint.underWay === 0);
  const three = await open();
  three.socket.write('crash');
  await once(three.socket, 'close');
  await until(() => endpoint.underWay === 0);
  assert.deepEqual([counts().requests, counts().errors, slowerThan(counts(), 100)], [3, 0, 0]);
});

test('an upgrade that a replica refuses is an answer, and one to HTTP/2 is no upgrade', async (t) => {
  const { talk, endpoint, counts } = await proxyBefore(t, (asked, answer) => {
    answer.statusCode = asked.headers.upgrade === undefined ? 200 : 426;
    answer.write('no ');
    asked.on('data', (chunk) => answer.write(chunk)).once('end', () => answer.end('WebSockets'));
  });
  const refused = await talk(upgrade());
  assert.match(refused, /^HTTP\/1.1 426 .*connection: close\r\n\r\nno WebSockets$/is);
  assert.doesNotMatch(refused, /chunked/i);
  const h2c = `POST / HTTP/1.1\r\nHost: ${HOST}\r\nUpgrade: h2c\r\nConnection: upgrade, close\r\nContent-Length: 4\r\n\r\nbody`;
  assert.match(await talk(h2c), /^HTTP\/1.1 200 .*body/s);
  assert.deepEqual([endpoint.underWay, counts().requests, counts().errors], [0, 2, 0]);
});

test('weights are exact', async (t) => {
  const random = randomFrom(7);
  const traffic = new Traffic();
  const { server, port: upstream } = await listen(
    t,
    createServer((_, answer) => answer.end()),
  );
  t.after(() => server.close());
  const proxy = new Proxy({ random, now: () => 0 });
  t.after(() => proxy.close());
  const port = await proxy.listen(0);
  const weights = { a: 50, b: 0, c: 30, d: 19, e: 1 };
  const endpoints = new Map(Object.keys(weights).map((revision) => [revision, [{ port: upstream, underWay: 0 }]]));
  proxy.route(new Map([[HOST, { name: 'aria/player', weights, endpoints, traffic }]]));
  const total = 1_000;
  const socket = connect(port, '127.0.0.1');
  socket.write(get('/').repeat(total - 1) + get('/', ['Connection: close']));
  await once(socket.resume(), 'close');
  const counts = traffic.between(0, 1);
  let chiSquare = 0;
  for (const [revision, weight] of Object.entries(weights)) {
    const count = counts.get(revision)?.requests ?? 0;
    if (weight === 0) assert.equal(count, 0);
    else chiSquare += (count - (total * weight) / 100) ** 2 / ((total * weight) / 100);
  }
  // 3 degrees of freedom, p = 0.001.
  assert.ok(chiSquare < 16.27, `chi-square ${chiSquare}`);
  assert.equal(
    [...counts.values()].reduce((sum, { requests }) => sum + requests, 0),
    total,
  );
});

test('a sticky header, however written, keeps its senders while a weight grows', async (t) => {
  const { port: upstream } = await listen(
    t,
    createServer((_, answer) => answer.end()),
  );
  const proxy = new Proxy({ random: randomFrom(1), now: () => 0 });
  t.after(() => proxy.close());
  const port = await proxy.listen(0);
  const endpoints = new Map(['new', 'old'].map((revision) => [revision, [{ port: upstream, underWay: 0 }]]));
  const had = new Set<string>();
  const values = Array.from({ length: 100 }, (_, index) => `${'ä'.repeat(index * 40)}${index}`);
  let before = 0;
  for (const weight of [1, 10, 50, 99, 100]) {
    for (const value of values) {
      const traffic = new Traffic();
      const weights = { new: weight, old: 100 - weight };
      const one = { name: 'aria/player', stickyHeader: 'X-Listener', weights, endpoints, traffic };
      proxy.route(new Map([[HOST, one]]));
      const lines = [`x-listener: ${value}`, 'Connection: close'];
      const socket = connect(port, '127.0.0.1');
      socket.write(get('/', lines));
      await once(socket.resume(), 'close');
      const isNew = traffic.between(0, 1).has('new');
      assert.ok(isNew || !had.has(value), `${value} went back`);
      if (isNew) had.add(value);
    }
    assert.ok(had.size >= before);
    before = had.size;
  }
  assert.equal(had.size, values.length);
});

/** Ways in which a request ends, by the path that has a replica do its part, and by the client's part. */
const ENDINGS = ['/ok', '/error', '/slow', '/half', '/reset', '/silent', '/early'] as const;
const CLIENTS = [
  'reads',
  'leaves at once',
  'leaves at the head',
  'uploads',
  'leaves during its upload',
  'upgrades',
] as const;

test('after any mix of endings nothing is under way, and each request counts once', async (t) => {
  const { server, port, endpoint, takeCounts } = await proxyBefore(t, endAs, {
    // Longer than a busy machine takes to answer at once: what is over it is an error.
    answerMsMax: 600,
  });
  server.on('upgrade', (asked: IncomingMessage, socket: Socket) => {
    socket.on('error', () => undefined).resume();
    if (asked.url === '/reset') socket.resetAndDestroy();
    else if (asked.url !== '/silent')
      socket.end('HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nx');
  });
  const one = fc.record({ path: fc.constantFrom(...ENDINGS), client: fc.constantFrom(...CLIENTS) });
  // A client that leaves at once may leave before the proxy has read its request: it counts later, or never. So sums are compared.
  const sums = { sent: 0, leavers: 0, surely: 0, requests: 0, errors: 0 };
  const property = fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 24 }), async (all) => {
    await Promise.all(all.map(({ path, client }) => play(port, path, client)));
    await until(() => endpoint.underWay === 0);
    const { requests, errors, latencies } = takeCounts();
    sums.sent += all.length;
    sums.leavers += all.filter(({ client }) => client === 'leaves at once').length;
    sums.surely += all.filter(
      ({ path, client }) => client === 'reads' && !['/ok', '/slow', '/early'].includes(path),
    ).length;
    sums.requests += requests;
    sums.errors += errors;
    const text = JSON.stringify(sums);
    assert.ok(sums.requests <= sums.sent && sums.requests >= sums.sent - sums.leavers, text);
    assert.ok(sums.errors >= sums.surely, text);
    assert.equal(
      latencies.reduce((sum, count) => sum + count, 0),
      requests,
    );
    assert.equal(latencies.length, LATENCY_MS.length + 1);
  });
  await fc.assert(property, { numRuns: 8, endOnFailure: true });
});

const endAs: RequestListener = (asked, answer) => {
  asked.on('error', () => undefined).resume();
  if (asked.url === '/error') answer.writeHead(500);
  if (asked.url === '/silent') return;
  if (asked.url === '/reset') asked.socket.resetAndDestroy();
  else if (asked.url === '/half') {
    answer.writeHead(200, { 'content-length': 10 });
    answer.write('half', () => setImmediate(() => asked.socket.destroy()));
  } else if (asked.url === '/slow') {
    answer.write('a');
    setTimeout(() => answer.end('b'), 20);
  } else if (asked.url === '/early' || asked.complete || asked.headers['content-length'] === undefined)
    answer.end('ok');
  else asked.once('end', () => answer.end('ok'));
};

async function play(port: number, path: string, client: (typeof CLIENTS)[number]): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const length = 200_000;
  const upload = `POST ${path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;
  const hasUpload = client === 'uploads' || client === 'leaves during its upload';
  if (client === 'upgrades') socket.write(upgrade(path));
  else socket.write(hasUpload ? upload : get(path, ['Connection: close']));
  if (client === 'uploads') socket.write(Buffer.alloc(length));
  if (client === 'leaves at once') socket.end(() => socket.destroy());
  if (client === 'leaves at the head') socket.once('data', () => socket.destroy());
  if (client === 'leaves during its upload') socket.write('a', () => setTimeout(() => socket.destroy(), 30));
  socket.resume();
  // The proxy ends its side of an upgraded connection; ours ends with it.
  socket.once('end', () => socket.end());
  await closed;
}

interface Limits {
  readonly headMsMax?: number;
  readonly answerMsMax?: number;
}

async function proxyBefore(t: TestContext, handle: RequestListener, limits: Limits = {}) {
  const { server, port } = await listen(t, createServer(handle));
  return { server, ...(await proxyTo(t, port, limits)) };
}

async function rawBefore(t: TestContext, onSocket: (socket: Socket) => unknown, limits: Limits = {}) {
  const { port } = await listen(
    t,
    createTcpServer((socket) => {
      socket.on('error', () => undefined);
      onSocket(socket);
    }),
  );
  const parts = await proxyTo(t, port, limits);
  return { ...parts, ask: (method: string, body?: string) => askAt(parts.port, method, body) };
}

/** A proxy before one replica of one revision. */
async function proxyTo(t: TestContext, upstream: number, limits: Limits) {
  const proxy = new Proxy({ random: randomFrom(3), now: () => 0, limits });
  t.after(() => proxy.close());
  const port = await proxy.listen(0);
  const endpoint: Endpoint = { port: upstream, underWay: 0 };
  let traffic = new Traffic();
  const route = {
    endpoints: new Map<string, readonly Endpoint[]>([['one', [endpoint]]]),
    set: (endpoints: Map<string, readonly Endpoint[]>): void => {
      route.endpoints = endpoints;
      proxy.route(new Map([[HOST, { name: 'aria/player', weights: { one: 100 }, endpoints, traffic }]]));
    },
  };
  route.set(route.endpoints);
  const counts = () => traffic.between(0, 1).get('one') ?? { requests: 0, errors: 0, latencies: NO_LATENCIES };
  const takeCounts = () => {
    const sum = counts();
    traffic = new Traffic();
    route.set(route.endpoints);
    return sum;
  };
  const talk = async (text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    const answer = collect(socket);
    socket.write(text);
    await once(socket, 'close', { signal: AbortSignal.timeout(PATIENCE_MS) });
    return answer();
  };
  return { port, endpoint, route, counts, takeCounts, talk };
}

const NO_LATENCIES = Array.from({ length: LATENCY_MS.length + 1 }, () => 0);

async function listen<Kind extends Server | ReturnType<typeof createTcpServer>>(t: TestContext, server: Kind) {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

function askAt(
  port: number,
  method: string,
  body?: string,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const sent = request({ port, method, headers: { host: HOST, ...length } }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => (text += String(chunk)));
      answer.once('error', reject);
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body: text }));
    });
    sent.once('error', reject);
    sent.setTimeout(2_000, () => sent.destroy(new Error('no answer')));
    sent.end(body);
  });
}

function get(path: string, lines: readonly string[] = [], method = 'GET'): string {
  return [`${method} ${path} HTTP/1.1`, `Host: ${HOST}`, ...lines, '', ''].join('\r\n');
}

function upgrade(path = '/'): string {
  return get(path, ['Connection: Upgrade', 'Upgrade: websocket']);
}

function collect(socket: Socket): () => string {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('latin1');
}

async function until(holds: () => boolean): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS;
  while (!holds()) {
    assert.ok(performance.now() < untilMs, `it does not hold: ${holds.toString()}`);
    await wait(5);
  }
}

/** Waits until a number grows no more. */
async function quiet(value: () => number): Promise<void> {
  for (let last = -1; last !== value();) {
    last = value();
    await wait(150);
  }
}

/** Park and Miller's generator. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
