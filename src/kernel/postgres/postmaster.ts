import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { postgresRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';

/** How long a server may take to end after a signal before the next, harder one: flushing its memory to a slow disk. */
const STOP_SECONDS_MAX = 30;
const POLL_MS = 20;

/** The content of `postmaster.pid`, which a running server writes into its data directory. */
export interface Postmaster {
  readonly pid: number;
  /** True once it takes connections. */
  readonly ready: boolean;
  /** The directory of its socket. */
  readonly sockets: string;
}

const SOCKETS_LINE = 4;
const STATUS_LINE = 7;

export function readPostmaster(dataDirectory: string): Postmaster | undefined {
  // A server that ends removes its file, also just after somebody saw it.
  const lines = (readIfThere(pidFile(dataDirectory)) ?? '').split('\n');
  const pid = Number.parseInt(lines[0] ?? '', 10);
  const sockets = lines[SOCKETS_LINE]?.trim() ?? '';
  return Number.isNaN(pid) ? undefined : { pid, ready: lines[STATUS_LINE]?.trim() === 'ready', sockets };
}

/**
 * Ends a server that outlived its owner (the owner was killed), and prepares the directory for the next server.
 * Call only as the holder of the owner lock.
 */
export async function clearOrphan(dataDirectory: string, log: Log | undefined): Promise<void> {
  if (!existsSync(pidFile(dataDirectory))) return;
  const found = readPostmaster(dataDirectory);
  if (found === undefined) return clearUnreadable(dataDirectory, log);
  if (isServerOf(found.pid, dataDirectory)) {
    log?.warn(`postgres: a server (pid ${found.pid}) outlived its parent process; stopping it`);
    await stopServer(found.pid, () => isServerOf(found.pid, dataDirectory));
  }
  if (existsSync(pidFile(dataDirectory))) markStale(dataDirectory);
}

/** A file that tells no pid, as after a power cut or on a full disk: whatever still works on the data is looked for. */
async function clearUnreadable(dataDirectory: string, log: Log | undefined): Promise<void> {
  log?.warn(`postgres: ${pidFile(dataDirectory)} is empty or damaged; removing it`);
  const processesLeft = (): number[] => processesOn(dataDirectory);
  const isServer = (pid: number): boolean => isServerOf(pid, dataDirectory);
  // With the server its other processes end as well.
  for (const pid of processesLeft().toSorted((a, b) => Number(isServer(b)) - Number(isServer(a)))) {
    await stopServer(pid, () => processesLeft().includes(pid));
  }
  rmSync(pidFile(dataDirectory), { force: true });
}

/** Whether there is a server on this directory whose owner still runs: without its owner it has another parent. */
export function isServedBy(owner: number, dataDirectory: string): boolean {
  const pid = readPostmaster(dataDirectory)?.pid;
  if (owner === process.pid || pid === undefined || !isServerOf(pid, dataDirectory)) return false;
  const parent =
    process.platform === 'linux'
      ? /^PPid:\s+(\d+)$/m.exec(readIfThere(`/proc/${pid}/status`) ?? '')?.[1]
      : ps('-o', 'ppid=', '-p', String(pid));
  return Number(parent) === owner;
}

/** Fast shutdown: open transactions are rolled back, everything committed is flushed. */
export async function stopServer(pid: number, isRunning: () => boolean): Promise<void> {
  // SIGINT is PostgreSQL's fast shutdown; SIGQUIT ends it at once and leaves the rest to recovery at the next start.
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (isRunning()) process.kill(pid, signal);
    for (let waited = 0; waited < STOP_SECONDS_MAX * 1000; waited += POLL_MS) {
      if (!isRunning()) return;
      await sleep(POLL_MS);
    }
  }
  throw postgresRefusal(
    'does-not-stop',
    `PostgreSQL (pid ${pid}) still runs ${2 * STOP_SECONDS_MAX} seconds after its stop signal.`,
    { remedy: `Look at what it is waiting for; "kill -9 ${pid}" ends it, and the next start recovers.` },
  );
}

/**
 * Whether this pid is a server on this directory now, not a later process with the same number, nor a dead one that
 * nobody waited for.
 */
export function isServerOf(pid: number, dataDirectory: string): boolean {
  const commandLine =
    process.platform === 'linux'
      ? readIfThere(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ')
      : ps('-o', 'args=', '-p', String(pid));
  return commandLine !== undefined && commandLine.includes('postgres') && commandLine.includes(` -D ${dataDirectory} `);
}

/** The server on a directory, and its other processes: all of them work in it. */
function processesOn(dataDirectory: string): number[] {
  if (process.platform !== 'linux') {
    const lines = ps('-axo', 'pid=,args=').split('\n');
    return lines.filter((line) => line.includes(` -D ${dataDirectory} `)).map((line) => Number.parseInt(line, 10));
  }
  const home = realpathSync(dataDirectory);
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => workingDirectory(pid) === home);
}

function workingDirectory(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

function ps(...asked: readonly string[]): string {
  return spawnSync('ps', asked, { encoding: 'utf8' }).stdout ?? '';
}

/**
 * PostgreSQL refuses to start while the pid in the file is alive, even when it belongs to something else by now. It
 * takes a file with its parent's pid for stale, and then still checks that no process of the old server is left in
 * the shared memory that the file names. So the file gets our pid; deleting it would skip that check.
 */
function markStale(dataDirectory: string): void {
  const path = pidFile(dataDirectory);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^.*/, String(process.pid)));
}

function pidFile(dataDirectory: string): string {
  return join(dataDirectory, 'postmaster.pid');
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
