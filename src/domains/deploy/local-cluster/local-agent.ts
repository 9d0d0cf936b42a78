import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { makeFolder } from '#kernel/base/make-folder.ts';
import { pause, systemTime as time } from '#kernel/base/time.ts';
import { version } from '#kernel/base/version.ts';
import type { DesiredComponent } from '../rules/cluster-state.ts';
import {
  AGENT_FILE,
  AGENT_SETTINGS,
  type AgentRecord,
  type AgentSettings,
  type AgentState,
  type ReplicaLog,
} from './agent-protocol.ts';
import { isRunning, readProcess } from './process-identity.ts';
import { endProcesses } from './replica.ts';
import { lastLine } from './replica-log.ts';
import type { RequestCounts } from '#kernel/releases/kinds/request-counts.ts';

const LIMITS = {
  /** Time for an agent to start, and to end. */
  startMsMax: 10_000,
  endMsMax: 60_000,
  answerMsMax: 5_000,
  lookMs: 50,
  answerBytesMax: 32 << 20,
} as const;

const AGENT = resolve(import.meta.dirname, 'agent.ts');

/** An agent that does not answer, or refuses. */
class AgentError extends Error {
  override readonly name = 'AgentError';
}

interface AgentPlace {
  readonly cluster: string;
  /** Folder of the cluster, which keeps what it runs. */
  readonly directory: string;
  /** The port of the proxy, where the agent may be started; absent: it has to run. */
  readonly port?: number;
}

/** Speaks to the agent of a local cluster, and starts it where none runs. */
export class LocalAgent {
  readonly #place: AgentPlace;
  #record: AgentRecord | undefined;
  #opening: Promise<AgentRecord> | undefined;

  constructor(parts: AgentPlace) {
    this.#place = parts;
  }

  /** Finds the agent, or starts it. One of another version ends, and its processes are adopted. */
  open(): Promise<AgentRecord> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async state(): Promise<AgentState> {
    return (await this.#ask('GET', '/v1/state')) as AgentState;
  }

  async apply(desired: DesiredComponent): Promise<void> {
    await this.#ask('PUT', '/v1/component', desired);
  }

  /** Counts by revision of the windows from one time on and before another. */
  async traffic(name: string, fromMs: number, toMs: number): Promise<ReadonlyMap<string, RequestCounts>> {
    const query = new URLSearchParams({ name, from: String(fromMs), to: String(toMs) });
    return new Map(
      Object.entries((await this.#ask('GET', `/v1/traffic?${query.toString()}`)) as Record<string, RequestCounts>),
    );
  }

  /** The last lines of the replicas of a Component. */
  async logs(
    name: string,
    asked: { readonly revision?: string; readonly text?: string; readonly linesMax: number },
  ): Promise<readonly ReplicaLog[]> {
    const { linesMax, ...chosen } = asked;
    const query = new URLSearchParams({ name, lines: String(linesMax), ...chosen });
    return (await this.#ask('GET', `/v1/logs?${query.toString()}`)) as readonly ReplicaLog[];
  }

  /** Ends the agent and all processes of its cluster, where one runs or starts. */
  async end(): Promise<void> {
    await this.#opening?.catch(() => {});
    const record = await this.#running();
    if (record === undefined) return;
    sendSignal(record, 'SIGTERM');
    await this.#waitForEnd(record);
  }

  /** Ends it with everything of its cluster, also with what an agent that crashed has left. */
  async remove(): Promise<void> {
    await this.end();
    await endProcesses(this.#place.directory);
    await rm(this.#place.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  async #open(): Promise<AgentRecord> {
    const running = await this.#running();
    if (running !== undefined && (running.version === version || this.#place.port === undefined)) {
      this.#record = running;
      return running;
    }
    if (this.#place.port === undefined) throw new Error('it does not run');
    if (running !== undefined) {
      sendSignal(running, 'SIGUSR2');
      await this.#waitForEnd(running);
    }
    this.#record = await this.#start(this.#place.port);
    return this.#record;
  }

  async #start(port: number): Promise<AgentRecord> {
    await makeFolder(this.#place.directory, 0o700);
    const settings: AgentSettings = {
      cluster: this.#place.cluster,
      directory: this.#place.directory,
      port,
      token: randomBytes(32).toString('hex'),
    };
    // It is emptied here, and later by the agent: so it is written at its end only.
    const path = join(this.#place.directory, 'log');
    await writeFile(path, '', { mode: 0o600 });
    const output = await open(path, 'a', 0o600);
    try {
      const child = spawn(process.execPath, [AGENT], {
        cwd: this.#place.directory,
        env: { PATH: process.env['PATH'] ?? '', [AGENT_SETTINGS]: JSON.stringify(settings) },
        detached: true,
        stdio: ['ignore', output.fd, output.fd],
      });
      child.unref();
      const untilMs = time.nowMs() + LIMITS.startMsMax;
      while (time.nowMs() < untilMs && child.exitCode === null) {
        const found = await this.#running();
        if (found?.token === settings.token) return found;
        await pause(time, LIMITS.lookMs, new AbortController().signal);
      }
      child.kill();
      throw new AgentError(
        `the agent of ${this.#place.cluster} does not start: ${(await lastLine(this.#place.directory)) ?? ''}`,
      );
    } finally {
      await output.close();
    }
  }

  /** The agent on record, where it runs. */
  async #running(): Promise<AgentRecord | undefined> {
    const record = await readProcess(join(this.#place.directory, AGENT_FILE));
    return record !== undefined && (await isRunning(record)) ? (record as AgentRecord) : undefined;
  }

  async #waitForEnd(record: AgentRecord): Promise<void> {
    const untilMs = time.nowMs() + LIMITS.endMsMax;
    while (await isRunning(record)) {
      if (time.nowMs() > untilMs) throw new AgentError(`the agent of ${this.#place.cluster} does not end`);
      await pause(time, LIMITS.lookMs, new AbortController().signal);
    }
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    try {
      const { port, token } = this.#record ?? (await this.open());
      return await ask({ method, path, port, token, body });
    } catch (error) {
      // Who is there now is looked up at the next request.
      this.#record = undefined;
      throw new AgentError(
        `the agent of ${this.#place.cluster}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}

interface AgentQuestion {
  readonly method: string;
  readonly path: string;
  readonly port: number;
  readonly token: string;
  readonly body: object | undefined;
}

function ask({ method, path, port, token, body }: AgentQuestion): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${token}`,
      ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }),
    };
    const signal = AbortSignal.timeout(LIMITS.answerMsMax);
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false, signal }, (answer) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > LIMITS.answerBytesMax) answer.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      answer.once('error', reject);
      answer.once('end', () => {
        const value = readObject(Buffer.concat(chunks).toString('utf8'));
        // Another program may have its port by now.
        if (value === undefined) return reject(new Error(`port ${port} does not answer as an agent`));
        if (answer.statusCode === 200) return resolve(value);
        const { detail } = value as { readonly detail?: string };
        return reject(new Error(detail ?? `it answered ${answer.statusCode}`));
      });
    });
    sent.once('error', reject);
    sent.end(text);
  });
}

/** A JSON object; undefined for any other text. */
function readObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function sendSignal({ pid }: AgentRecord, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It may have ended by itself.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
