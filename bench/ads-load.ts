/**
 * The listeners of `ads-http`, in a process of their own: `ads-load.ts LISTENERS`. Each message of its parent is a `Run`, and is
 * answered by a `RunResult`.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { chance } from '#simulation/chance.ts';
import { CLIENT_KEY, questionOf } from './ads-world.ts';

/** Beats of an open loop. */
const BEAT_MS = 1;
const PATH = '/v1/ads/decide';

export interface Run {
  readonly url: string;
  readonly path?: string;
  readonly requests: number;
  readonly connections: number;
  /** Requests a second, whether earlier ones are answered or not. Absent: each connection asks when it was answered. */
  readonly rate?: number;
}

export interface RunResult {
  readonly seconds: number;
  /** From when a request was due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Part of the answers that have ads. */
  readonly withAds: number;
}

const luck = chance(11);
const listeners = Number(process.argv[2]);
process.on('message', (run: Run) => void measure(run).then((result) => process.send?.(result)));
process.once('disconnect', () => process.exit(0));
console.log('ready http://none');

async function measure({ url, path = PATH, requests, connections, rate }: Run): Promise<RunResult> {
  const took = new Float64Array(requests);
  const begunMs = performance.now();
  let [next, answered, withAds] = [0, 0, 0];
  const done = Promise.withResolvers<void>();
  const waiting: number[] = [];
  const free: Line[] = [];
  const isDue = (at: number): boolean => at < requests;
  const onAnswer = (line: Line, text: string): void => {
    took[answered] = performance.now() - line.dueMs;
    answered += 1;
    if (text.includes('"adSet"')) withAds += 1;
    if (answered === requests) done.resolve();
    else if (rate !== undefined) {
      const dueMs = waiting.shift();
      if (dueMs === undefined) free.push(line);
      else line.ask(requestOf(path), dueMs);
    } else if (isDue(next)) {
      next += 1;
      line.ask(requestOf(path), performance.now());
    }
  };
  const lines = await Promise.all(Array.from({ length: connections }, () => openLine(new URL(url), onAnswer)));
  if (rate === undefined) {
    for (const line of lines.slice(0, requests)) {
      next += 1;
      line.ask(requestOf(path), performance.now());
    }
  } else {
    free.push(...lines);
    while (next < requests) {
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
      const due = Math.min(requests, ((performance.now() - begunMs) * rate) / 1_000);
      for (; next < due; next += 1) {
        const dueMs = begunMs + (next * 1_000) / rate;
        // The one that has rested longest: a server closes connections that rest for seconds.
        const line = free.shift();
        if (line === undefined) waiting.push(dueMs);
        else line.ask(requestOf(path), dueMs);
      }
    }
  }
  await done.promise;
  const seconds = (performance.now() - begunMs) / 1_000;
  for (const { socket } of lines) socket.destroy();
  took.sort();
  const quantile = (q: number): number => took[Math.floor(requests * q)] ?? Number.NaN;
  return { seconds, p50Ms: quantile(0.5), p99Ms: quantile(0.99), withAds: withAds / requests };
}

function requestOf(path: string): string {
  const body = questionOf(luck, Math.floor(luck.next() * listeners));
  const lines = [`POST ${path} HTTP/1.1`, 'host: localhost', `authorization: Bearer ${CLIENT_KEY}`];
  lines.push('content-type: application/json', `content-length: ${body.length}`, '', body);
  return lines.join('\r\n');
}

/** A connection for one request after the other. */
interface Line {
  readonly socket: Socket;
  dueMs: number;
  readonly ask: (request: string, dueMs: number) => void;
}

async function openLine({ port, hostname }: URL, onAnswer: (line: Line, text: string) => void): Promise<Line> {
  const socket = connect({ port: Number(port), host: hostname, noDelay: true });
  await once(socket, 'connect');
  socket.once('close', () => {
    if (isAsked) throw new Error('a break was not answered: the connection was closed');
  });
  let text = '';
  let isAsked = false;
  const line: Line = {
    socket,
    dueMs: 0,
    ask: (request, dueMs) => {
      if (socket.destroyed) throw new Error('a connection was closed before a break was asked for');
      line.dueMs = dueMs;
      text = '';
      isAsked = true;
      socket.write(request);
    },
  };
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    const head = text.indexOf('\r\n\r\n');
    const length = head === -1 ? undefined : /content-length: (\d+)/i.exec(text)?.[1];
    if (length === undefined || text.length < head + 4 + Number(length)) return;
    if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(`a break was answered with ${text.slice(0, 500)}`);
    isAsked = false;
    onAnswer(line, text);
  });
  return line;
}
