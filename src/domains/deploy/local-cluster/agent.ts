/**
 * The agent of a local cluster: a process of its own that runs Components as child processes, behind a proxy. It outlives the server
 * that started it, as a kubelet outlives the control plane, and is started by `LocalAgent`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openLog } from '#kernel/base/log.ts';
import { systemTime } from '#kernel/base/time.ts';
import { version } from '#kernel/base/version.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';
import type { DesiredComponent } from '../rules/cluster-state.ts';
import { AGENT_FILE, AGENT_SETTINGS, type AgentRecord, type AgentSettings, type AgentState } from './agent-protocol.ts';
import { identityOf, readProcess } from './process-identity.ts';
import { Proxy } from './proxy.ts';
import { OldIntent, Supervisor } from './supervisor.ts';

const LIMITS = {
  bodyBytesMax: 4 << 20,
  logLinesMax: 10_000,
  /** Time between looks at its own record. */
  recordLookMs: 1_000,
} as const;

const settings = JSON.parse(process.env[AGENT_SETTINGS] ?? '{}') as AgentSettings;
const { directory, port, token } = settings;
process.umask(0o077);
const log = openLog('info').child({ cluster: settings.cluster });
let isStopping = false;
const proxy = new Proxy({ random: Math.random, now: Date.now });
const proxyPort = await proxy.listen(port).catch((error: unknown) => {
  const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  const why = isTaken
    ? 'another Cluster or program has it; stop that one, or declare another spec.local.port'
    : String(error);
  // The server shows the last line of this log.
  process.stderr.write(`error: port ${port} cannot be opened: ${why}\n`);
  process.exit(1);
});
const supervisor = await Supervisor.open({
  directory,
  time: systemTime,
  log,
  onRoutes: (routes) => proxy.route(routes),
});
const control = createServer((asked, answer) => {
  handle(asked, answer).catch((error: unknown) => {
    const status = error instanceof OldIntent ? 409 : 500;
    if (status === 500) log.error({ err: error }, 'agent: request failed');
    send(answer, status, { detail: error instanceof Error ? error.message : String(error) });
  });
});
control.listen(0, '127.0.0.1');
await once(control, 'listening');
const identity = await identityOf(process.pid);
const record: AgentRecord = {
  pid: process.pid,
  started: identity?.started ?? '',
  port: (control.address() as AddressInfo).port,
  proxyPort,
  token,
  version,
};
await writeWhole(join(directory, AGENT_FILE), JSON.stringify(record));
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop());
// Its processes stay, and the next agent adopts them.
process.on('SIGUSR2', () => process.exit(0));
setInterval(() => void checkRecord(), LIMITS.recordLookMs);

/** Ends an agent that nobody finds any more: another one has its folder, or the folder was removed. */
async function checkRecord(): Promise<void> {
  const path = join(directory, AGENT_FILE);
  if (isStopping || (await readProcess(path))?.pid === process.pid) return;
  const isRemoved = await stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
  log.warn({ path, isRemoved }, 'agent: not on record any more; ending');
  if (isRemoved) await stop();
  else process.exit(0);
}

async function handle(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  if (!isAllowed(asked)) return send(answer, 401, { detail: 'The token is wrong.' });
  const { pathname, searchParams } = new URL(asked.url ?? '/', 'http://agent');
  switch (`${asked.method} ${pathname}`) {
    case 'GET /v1/state':
      return send(answer, 200, { proxyPort, components: supervisor.observe() } satisfies AgentState);
    case 'PUT /v1/component':
      await supervisor.apply((await readJson(asked)) as DesiredComponent);
      return send(answer, 200, {});
    case 'GET /v1/traffic': {
      const traffic = supervisor.trafficOf(searchParams.get('name') ?? '');
      const counts = traffic?.between(Number(searchParams.get('from')), Number(searchParams.get('to')));
      return send(answer, 200, Object.fromEntries(counts ?? []));
    }
    case 'GET /v1/logs': {
      const revision = searchParams.get('revision');
      const text = searchParams.get('text');
      const linesMax = Math.min(Number(searchParams.get('lines')), LIMITS.logLinesMax);
      const chosen = { ...(revision === null ? {} : { revision }), ...(text === null ? {} : { text }) };
      return send(answer, 200, await supervisor.logs(searchParams.get('name') ?? '', { ...chosen, linesMax }));
    }
    default:
      return send(answer, 404, { detail: 'There is no such path.' });
  }
}

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await supervisor.stop();
  process.exit(0);
}

function isAllowed({ headers: { authorization = '' } }: IncomingMessage): boolean {
  const [given, right] = [Buffer.from(authorization), Buffer.from(`Bearer ${token}`)];
  return given.length === right.length && timingSafeEqual(given, right);
}

async function readJson(asked: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of asked as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LIMITS.bodyBytesMax) throw new Error(`the body has more than ${LIMITS.bodyBytesMax} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function send(answer: ServerResponse, status: number, value: object): void {
  const text = JSON.stringify(value);
  answer.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  answer.end(text);
}
