import { execFile } from 'node:child_process';
import { readFile, readdir, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A process, unlike any other that gets its id later. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time, in the form of the platform. */
  readonly started: string;
}

const run = promisify(execFile);
const IS_LINUX = process.platform === 'linux';
/** Fields of `/proc/PID/stat` behind the name of the program: proc_pid_stat(5). */
const STATE = 0;
const GROUP = 2;
const START_TIME = 19;

/** The identity of a running process; undefined where there is none, or where it has only not been waited for. */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const started = await (IS_LINUX ? startedOnLinux(pid) : startedElsewhere(pid));
  return started === undefined ? undefined : { pid, started };
}

export async function isRunning({ pid, started }: ProcessIdentity): Promise<boolean> {
  return (await identityOf(pid))?.started === started;
}

/** The process that a file names; undefined where there is no such file, or where it is damaged. */
export async function readProcess(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Partial<ProcessIdentity> | null;
    const { pid = 0, started } = value ?? {};
    return Number.isSafeInteger(pid) && pid > 0 && typeof started === 'string' ? { ...value, pid, started } : undefined;
  } catch {
    return undefined;
  }
}

/** Processes whose environment has this entry, with their groups: a crash may have kept them from the record. Linux alone tells. */
export async function processesWith(
  name: string,
  value: string,
): Promise<readonly { readonly pid: number; readonly group: number }[]> {
  if (!IS_LINUX) return [];
  const entry = `${name}=${value}`;
  const found = [];
  for (const folder of await readdir('/proc')) {
    const pid = Number(folder);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (!environment.split('\0').includes(entry)) continue;
    found.push({ pid, group: Number((await statOf(pid))?.[GROUP] ?? pid) });
  }
  return found;
}

async function startedOnLinux(pid: number): Promise<string | undefined> {
  const fields = await statOf(pid);
  if (fields === undefined || fields[STATE] === 'Z') return undefined;
  // Ids and start times begin anew with the machine, or the container.
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return `${namespace} ${await bootId()} ${fields[START_TIME] ?? ''}`;
}

async function statOf(pid: number): Promise<readonly string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name of the program may have spaces and brackets.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

let boot: Promise<string> | undefined;

function bootId(): Promise<string> {
  boot ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then((text) => text.trim());
  return boot;
}

async function startedElsewhere(pid: number): Promise<string | undefined> {
  const answer = await run('ps', ['-o', 'lstart=', '-p', String(pid)]).catch(() => undefined);
  const started = answer?.stdout.trim();
  return started === '' ? undefined : started;
}
