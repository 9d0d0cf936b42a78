import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';

const root = resolve(import.meta.dirname, '..');

export interface Server {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly close: () => Promise<void>;
}

/** Starts a script with our Node.js and waits for its line `ready URL …`. */
export async function startScript(
  script: string,
  args: readonly string[],
  {
    nodeArgs = [],
    channel = false,
    env = {},
  }: {
    readonly nodeArgs?: readonly string[];
    readonly channel?: boolean;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<{ child: ChildProcess; url: string; line: string }> {
  const child = spawn(process.execPath, ['--v8-pool-size=0', ...nodeArgs, resolve(root, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit', channel ? 'ipc' : 'ignore'],
    env: { ...process.env, ...env, NODE_COMPILE_CACHE: resolve(root, 'node_modules/.cache/compile') },
  });
  if (child.stdout === null) throw new Error(`${script} has no output`);
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^ready (\S+)/.exec(line)?.[1];
    if (url !== undefined) return { child, url, line };
  }
  throw new Error(`${script} ended before it was ready`);
}

/** Starts a whole Backline on a fresh data directory (or a given one) and a free port. */
export async function startBackline(args: readonly string[] = [], data?: string): Promise<Server & { data: string }> {
  const directory = data ?? (await mkdtemp(join(tmpdir(), 'backline-bench-')));
  const { child, url } = await startScript('src/main.ts', [
    'up',
    '--port',
    '0',
    '--data',
    directory,
    '--quiet',
    ...args,
  ]);
  const { readFile } = await import('node:fs/promises');
  return {
    url,
    data: directory,
    token: (await readFile(join(directory, 'admin-token'), 'utf8')).trim(),
    pid: child.pid ?? 0,
    close: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      if (data === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The server gives the same metrics again within 100 ms. */
const METRICS_OLD_MS = 110;

/** CPU seconds that a process has used so far, by its own account. */
export async function cpuSeconds(url: string): Promise<number> {
  await setTimeout(METRICS_OLD_MS);
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(text)?.[1]);
}

/** Sends requests over `connections` kept-alive connections until `count` are answered; gives the wall seconds. */
export async function load(
  url: string,
  count: number,
  connections: number,
  make: (index: number) => {
    method: string;
    path: string;
    headers?: Record<string, string>;
    body?: string;
    status: number;
  },
): Promise<number> {
  const { hostname, port, protocol } = new URL(url);
  const isTls = protocol === 'https:';
  // The server has its own certificate authority; the benchmark measures encryption, not trust.
  const agent = isTls
    ? new TlsAgent({ keepAlive: true, maxSockets: connections, rejectUnauthorized: false })
    : new Agent({ keepAlive: true, maxSockets: connections });
  let next = 0;
  const one = (index: number) =>
    new Promise<void>((done, fail) => {
      const { method, path, headers = {}, body, status } = make(index);
      const outgoing = (isTls ? tlsRequest : request)(
        {
          agent,
          hostname,
          port,
          method,
          path,
          headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
        },
        (answer) => {
          if (answer.statusCode !== status) fail(new Error(`${method} ${path} answered ${answer.statusCode}`));
          answer.resume();
          answer.once('end', done);
        },
      );
      outgoing.once('error', fail);
      outgoing.end(body);
    });
  const started = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (next < count) {
        next += 1;
        await one(next - 1);
      }
    }),
  );
  agent.destroy();
  return (performance.now() - started) / 1000;
}
