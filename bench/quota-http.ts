import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { absolute, type Figure } from './figure.ts';
import { startRedis } from './limiters.ts';
import { startBackline, startScript } from './load.ts';

const RATE = 3_000;
const SECONDS = 15;
/** Time until the code is optimized and the queue of the start is empty. */
const WARM_SECONDS = 25;
const LISTENERS = 2_000;
/** Requests are sent on a beat, whether earlier ones are answered or not: three at a time, not a burst. */
const BEAT_MS = 1;
/** More than the requests that are ever under way; a wait for a free one is part of the measured time. */
const CONNECTIONS = 64;

/**
 * How long a durable consume takes over HTTP at 3,000 a second. The sender shares the two cores with what it measures,
 * so it is as small as can be: text on sockets. Beside it, at the same rate, what the machine gives right then: bare
 * node:http with rate-limiter-flexible, on an embedded PostgreSQL of its own, and on a Redis with its log synced.
 */
export async function* run(): AsyncIterable<Figure> {
  const ours = await measureOurs();
  const onPostgres = await peerOnPostgres();
  const onRedis = await peerOnRedis();
  for (const [name, q, max] of [
    ['p50', 0.5, 5],
    ['p99', 0.99, 5],
    ['p99.9', 0.999, 50],
  ] as const) {
    const took = quantile(ours.took, q);
    yield absolute(
      `quota-http/consume ${name} at 3,000/s beside rate-limiter-flexible on PostgreSQL`,
      'ms',
      took,
      { max },
      quantile(onPostgres.took, q),
    );
    if (onRedis === undefined) continue;
    yield absolute(
      `quota-http/consume ${name} at 3,000/s beside it on Redis, synced`,
      'ms',
      took,
      { max },
      quantile(onRedis.took, q),
    );
  }
  yield absolute('quota-http/under way at the end', 'requests', ours.behind, { max: 300 });
  yield absolute('quota-http/sender behind its beat, p99', 'ms', quantile(ours.lateMs, 0.99), { max: 5 });
}

async function peerOnPostgres(): Promise<Measurement> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-bench-'));
  await chmod(directory, 0o755);
  const postgres = await startEmbeddedPostgres({ dataDirectory: directory });
  try {
    return await measurePeer('postgres', postgres.url);
  } finally {
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function peerOnRedis(): Promise<Measurement | undefined> {
  const redis = await startRedis('always');
  try {
    return redis === undefined ? undefined : await measurePeer('redis', redis.socket);
  } finally {
    await redis?.close();
  }
}

async function measurePeer(kind: 'postgres' | 'redis', address: string): Promise<Measurement> {
  const { child, url } = await startScript('bench/limiter-server.ts', [kind, address]);
  const gone = once(child, 'exit');
  try {
    return await measure(url, '');
  } finally {
    child.kill();
    await gone;
  }
}

async function measureOurs(): Promise<Measurement> {
  const backline = await startBackline(['--no-simulation']);
  try {
    return await measure(backline.url, backline.token);
  } finally {
    await backline.close();
  }
}

interface Measurement {
  readonly took: number[];
  readonly lateMs: number[];
  /** Under way when the last one was sent. */
  readonly behind: number;
}

async function measure(url: string, token: string): Promise<Measurement> {
  const took: number[] = [];
  const waiting: { readonly number: number; readonly dueMs: number }[] = [];
  let open = 0;
  const free = await Promise.all(
    Array.from({ length: CONNECTIONS }, () =>
      openLine(new URL(url), (line, { number, ms }) => {
        open -= 1;
        if (number >= RATE * WARM_SECONDS) took.push(ms);
        const next = waiting.shift();
        if (next === undefined) free.push(line);
        else line.ask(next.number, next.dueMs, requestOf(next.number, token));
      }),
    ),
  );
  const lateMs: number[] = [];
  const begunMs = performance.now();
  for (let sent = 0; sent < RATE * (WARM_SECONDS + SECONDS);) {
    await new Promise((done) => setTimeout(done, BEAT_MS));
    const nowMs = performance.now();
    for (const due = ((nowMs - begunMs) * RATE) / 1_000; sent < due; sent += 1) {
      if (sent >= RATE * WARM_SECONDS) lateMs.push(nowMs - begunMs - (sent * 1_000) / RATE);
      open += 1;
      const line = free.pop();
      if (line === undefined) waiting.push({ number: sent, dueMs: nowMs });
      else line.ask(sent, nowMs, requestOf(sent, token));
    }
  }
  const behind = open;
  while (open > 0) await new Promise((done) => setTimeout(done, BEAT_MS));
  for (const { socket } of free) socket.destroy();
  return { took, lateMs, behind };
}

interface Line {
  readonly socket: Socket;
  readonly ask: (number: number, dueMs: number, request: string) => void;
}

/** A connection for one request after the other. */
async function openLine(
  { port, hostname }: URL,
  answered: (line: Line, answer: { readonly number: number; readonly ms: number }) => void,
): Promise<Line> {
  const socket = connect({ port: Number(port), host: hostname, noDelay: true });
  await once(socket, 'connect');
  let [number, dueMs, text] = [0, 0, ''];
  const line: Line = {
    socket,
    ask: (asked, askedDueMs, request) => {
      [number, dueMs, text] = [asked, askedDueMs, ''];
      socket.write(request);
    },
  };
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    const head = text.indexOf('\r\n\r\n');
    const length = head === -1 ? undefined : /content-length: (\d+)/.exec(text)?.[1];
    if (length === undefined || text.length < head + 4 + Number(length)) return;
    if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(`a consume was answered with ${text.slice(0, 500)}`);
    answered(line, { number, ms: performance.now() - dueMs });
  });
  return line;
}

function requestOf(number: number, token: string): string {
  const listener = `listener-${(number * 7919) % LISTENERS}`;
  const body = `{"listener":"${listener}","plan":"premium","market":"de","feature":"audiobooks","amount":1,"key":"bench-${number}"}`;
  const lines = ['POST /v1/consume HTTP/1.1', 'host: localhost', `authorization: Bearer ${token}`];
  lines.push('content-type: application/json', `content-length: ${body.length}`, '', body);
  return lines.join('\r\n');
}

function quantile(values: number[], q: number): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length * q)] ?? Number.NaN;
}
