import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import type { Log } from '#kernel/base/log.ts';
import { pause, within, type Time } from '#kernel/base/time.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';
import type { Program } from '../rules/cluster-state.ts';
import { identityOf, isRunning, processesWith, readProcess, type ProcessIdentity } from './process-identity.ts';
import { probe } from './probe.ts';
import { lastLine, openReplicaLog } from './replica-log.ts';

const LIMITS = {
  /** Times between starts after failures: doubled from the first to the last. */
  backOffMsFirst: 500,
  backOffMsLast: 60_000,
  /** A replica that was ready for so long has failed for the first time when it fails. */
  stableMs: 60_000,
  /** Time of one answer to a probe. */
  probeMsMax: 2_000,
  /** Probes in a row that fail before a replica is unready, or is started again. */
  readinessFailures: 2,
  livenessFailures: 3,
  /** Time between looks at a process that is stopping, or that has no probes. */
  lookMs: 100,
} as const;

/** Name of the environment variable by which processes of a local cluster are found after a crash. */
const OWNER = 'BACKLINE_LOCAL_CLUSTER';
const RECORD = 'replica.json';
/** Folder in which its process runs. */
const WORK = 'work';

export interface ReplicaPlace {
  /** Its own folder: files, log and record. */
  readonly folder: string;
  /** Folder of its cluster. */
  readonly owner: string;
  readonly program: Program;
  /** Variables by which its process knows itself. */
  readonly identity: Readonly<Record<string, string>>;
}

interface ReplicaParts {
  readonly time: Time;
  readonly log: Log;
  readonly onChange: () => void;
  /** It starts then. */
  readonly after: Promise<void>;
}

/** The process of a replica, as it is on record. */
interface ReplicaProcess extends ProcessIdentity {
  readonly port: number;
}

/** Runs one replica: starts its process, probes it, starts it again with back-off, and stops it. */
export class Replica {
  readonly #place: ReplicaPlace;
  readonly #time: Time;
  readonly #log: Log;
  readonly #onChange: () => void;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #isReady = false;
  #port: number | undefined;
  #restarts = 0;
  #failures = 0;
  #message: string | undefined;

  constructor(place: ReplicaPlace, parts: ReplicaParts) {
    this.#place = place;
    this.#time = parts.time;
    this.#log = parts.log;
    this.#onChange = parts.onChange;
    this.#running = parts.after.then(() => this.#run());
  }

  /** The port of its process while it is ready. */
  get port(): number | undefined {
    return this.#isReady ? this.#port : undefined;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Why it is not ready. */
  get message(): string | undefined {
    return this.#isReady ? undefined : this.#message;
  }

  /** Stops its process, and forgets it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let backOffMs: number = LIMITS.backOffMsFirst;
    let adopted = await readRecord(this.#place.folder);
    while (!signal.aborted) {
      const beganMs = this.#time.nowMs();
      try {
        const { started, child } = adopted === undefined ? await this.#start() : { started: adopted, child: undefined };
        this.#message = await this.#supervise(started, child);
      } catch (error) {
        this.#message = error instanceof Error ? error.message : String(error);
      }
      adopted = undefined;
      this.#setReady(false);
      if (signal.aborted) break;
      this.#restarts += 1;
      const wasStable = this.#time.nowMs() - beganMs > LIMITS.stableMs;
      if (wasStable) backOffMs = LIMITS.backOffMsFirst;
      this.#failures = wasStable ? 1 : this.#failures + 1;
      this.#log.warn(
        { folder: this.#place.folder, error: this.#message, backOffMs },
        'replica: failed; starting again',
      );
      await pause(this.#time, backOffMs, signal);
      backOffMs = Math.min(backOffMs * 2, LIMITS.backOffMsLast);
    }
    await removeFolder(this.#place.folder, this.#log);
  }

  async #start(): Promise<{ started: ReplicaProcess; child: ChildProcess }> {
    const { folder, owner, program, identity: variables } = this.#place;
    // Its own, so that no file of the program is one of ours.
    const work = join(folder, WORK);
    await mkdir(work, { recursive: true, mode: 0o700 });
    for (const [name, content] of Object.entries(program.files)) {
      const path = join(work, name);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(path, content, { mode: 0o600 });
    }
    const port = program.http === undefined ? 0 : await freePort();
    const [command, ...rest] = program.command;
    const log = await openReplicaLog(folder);
    try {
      const child = spawn(command, rest, {
        cwd: work,
        env: {
          // Of ours it gets where programs are, and nothing else.
          PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
          ...variables,
          ...program.env,
          ...(program.http === undefined ? {} : { PORT: String(port) }),
          [OWNER]: owner,
        },
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      });
      await once(child, 'spawn').catch((error: unknown) => Promise.reject(startError(command, error)));
      const { pid = 0 } = child;
      try {
        const identity = await identityOf(pid);
        if (identity === undefined) throw new Error(await this.#exitText(child));
        const started = { ...identity, port };
        await writeWhole(join(folder, RECORD), JSON.stringify(started));
        return { started, child };
      } catch (error) {
        // One that is not on record does not stay.
        signalGroup(pid, 'SIGKILL');
        throw error;
      }
    } finally {
      await log.close();
    }
  }

  /** Probes the process until it ends, or stops it. Returns why it ended. */
  async #supervise(started: ReplicaProcess, child: ChildProcess | undefined): Promise<string> {
    const { http, probeSeconds } = this.#place.program;
    const exited = new AbortController();
    child?.once('exit', () => exited.abort());
    if (child !== undefined && hasExited(child)) exited.abort();
    // A listener of each start would stay as long as the replica.
    const ended = AbortSignal.any([this.#stopping.signal, exited.signal]);
    this.#port = started.port;
    let unready = 0;
    let dead = 0;
    while (!ended.aborted && (child !== undefined || (await isRunning(started)))) {
      const problem = http === undefined ? undefined : await probe(started.port, http.readinessPath, LIMITS.probeMsMax);
      unready = problem === undefined ? 0 : unready + 1;
      if (problem !== undefined) this.#message = problem;
      if (unready === 0 || unready >= LIMITS.readinessFailures || !this.#isReady) this.#setReady(unready === 0);
      if (http?.livenessPath !== undefined && this.#isReady) {
        const lifeless = await probe(started.port, http.livenessPath, LIMITS.probeMsMax);
        dead = lifeless === undefined ? 0 : dead + 1;
        if (dead >= LIMITS.livenessFailures) {
          await this.#end(started);
          return `stopped: ${lifeless ?? ''}, ${dead} times in a row`;
        }
      }
      await pause(this.#time, probeSeconds * 1000, ended);
    }
    this.#setReady(false);
    if (!this.#stopping.signal.aborted) {
      // Its children do not stay beside the next one.
      signalGroup(started.pid, 'SIGKILL');
      return this.#exitText(child);
    }
    await this.#end(started);
    return 'stopped';
  }

  /** Ends a process and its children: asks it first, and waits. */
  async #end(started: ReplicaProcess): Promise<void> {
    const waitForEnd = async (): Promise<void> => {
      while (await isRunning(started)) await pause(this.#time, LIMITS.lookMs, NEVER);
    };
    signalGroup(started.pid, 'SIGTERM');
    await within(waitForEnd(), this.#place.program.graceSeconds * 1000, this.#time);
    // Also for children that outlive it.
    signalGroup(started.pid, 'SIGKILL');
    await waitForEnd();
  }

  async #exitText(child: ChildProcess | undefined): Promise<string> {
    const last = await lastLine(this.#place.folder);
    const how =
      child === undefined
        ? 'ended'
        : child.signalCode === null
          ? `exited with ${child.exitCode ?? 'an unknown status'}`
          : `was ended by ${child.signalCode}`;
    return last === undefined ? how : `${how}: ${last}`;
  }

  #setReady(isReady: boolean): void {
    if (this.#isReady === isReady) return;
    this.#isReady = isReady;
    this.#onChange();
  }
}

function hasExited({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

const NEVER = new AbortController().signal;

/** Stops what an agent that crashed has left in a folder. */
export async function stopRecorded(folder: string, log: Log): Promise<void> {
  const started = await readRecord(folder);
  if (started !== undefined) signalGroup(started.pid, 'SIGKILL');
  await removeFolder(folder, log);
}

/** Files that stay, as of a process that still writes there, go at the next start. */
async function removeFolder(folder: string, log: Log): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch((error: unknown) => {
    log.warn({ folder, err: error }, 'replica: folder not removed');
  });
}

/** The process on record, where it still runs. */
export async function readRecord(folder: string): Promise<ReplicaProcess | undefined> {
  const started = await readProcess(join(folder, RECORD));
  return started !== undefined && (await isRunning(started)) ? (started as ReplicaProcess) : undefined;
}

/** Sends a signal to a process and its children. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone.
  }
}

/** A port that nobody has. Another program may take it before the replica does: then it fails and gets another. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

function startError(command: string, error: unknown): Error {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
    return new Error(`there is no program ${command} on the PATH of this machine`);
  }
  if (error instanceof Error && 'code' in error && error.code === 'EACCES') {
    return new Error(`${command} may not be executed`);
  }
  return error instanceof Error ? error : new Error(String(error));
}

/** Ends all processes of a cluster but those of known groups, on Linux. */
export async function endProcesses(directory: string, known: ReadonlySet<number> = new Set()): Promise<void> {
  for (const { group } of await processesWith(OWNER, directory)) if (!known.has(group)) signalGroup(group, 'SIGKILL');
}
