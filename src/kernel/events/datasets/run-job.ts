import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { type Answers, type Fault, type Job, parseQuestion, parseReply, type Reads, type Tables } from './jobs.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));

/** JavaScript heap of the child: three copies of the largest result. */
const HEAP_MB = 384;
const WATCH_MS = 100;
/** Characters of a child's standard error that are kept for its crash message. */
const STDERR_CHARS_MAX = 2_000;
/** Error codes of a pipe without a reader. */
const READER_GONE: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET']);

export interface JobLimits {
  /** Limit of the whole child; DuckDB's own limit (`memoryMb`) does not count all of its memory. */
  readonly residentMb: number;
  readonly msMax: number;
  /** Of everything below the job's scratch folder; absent: DuckDB's own limit (`spillMb`) is all that is written there. */
  readonly scratchMb?: number;
}

/** A job that failed, and why. */
export class JobFailure extends Error {
  override readonly name = 'JobFailure';
  readonly because: 'fault' | 'time' | 'memory' | 'disk' | 'input' | 'crash' | 'stopped';
  readonly fault: Fault | undefined;

  constructor(because: JobFailure['because'], message: string, more: { fault?: Fault; cause?: unknown } = {}) {
    super(message, { cause: more.cause });
    this.because = because;
    this.fault = more.fault;
  }
}

interface JobOptions {
  readonly directory: string;
  readonly limits: JobLimits;
  /** Standard input of the child; its error ends the job. */
  readonly input?: Readable;
  readonly signal?: AbortSignal;
  /** Gives the tables of the names in a query; its error ends the job. */
  readonly tablesFor?: (reads: Reads) => Promise<Tables>;
}

/**
 * Runs a job in its own process, in `directory`, and always ends that process and the input. A start takes about 0.2 s; a
 * new process for each job shares no state with the next. Throws JobFailure, or the signal's reason when it fired before
 * the start.
 */
export async function runJob<J extends Job>(job: J, options: JobOptions): Promise<Answers[J['does']]> {
  try {
    options.signal?.throwIfAborted();
    return await runInChild(job, options);
  } finally {
    // Also when nobody has begun to read it: its source waits for its end.
    options.input?.destroy();
  }
}

async function runInChild<J extends Job>(
  job: J,
  { directory, limits, input, signal, tablesFor }: JobOptions,
): Promise<Answers[J['does']]> {
  const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, '--no-warnings', WORKER], {
    cwd: directory,
    // An empty environment: no credentials, no proxies, no home.
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', TZ: 'UTC' },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe', 'ipc'],
    serialization: 'json',
  });
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const stopWatching: (() => void)[] = [];
  try {
    const failed = Promise.withResolvers<never>();
    const fail = (because: JobFailure['because'], message: string, cause?: unknown): void =>
      failed.reject(new JobFailure(because, message, { cause }));
    const stderr = { text: '' };
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr.text = (stderr.text + text).slice(-STDERR_CHARS_MAX);
    });
    child.once('error', (error) => fail('crash', `the DuckDB process cannot be started: ${error.message}`, error));
    child.once('close', (code, by) =>
      fail('crash', `the DuckDB process ended (${by ?? code}) before it had answered. ${stderr.text.trim()}`.trim()),
    );
    const answered = new Promise<unknown>((resolve) => {
      child.on('message', (message: unknown) => {
        const reads = tablesFor === undefined ? undefined : parseQuestion(message);
        if (reads === undefined) return resolve(message);
        tablesFor?.(reads).then((tables) => child.send(tables, () => {}), failed.reject);
      });
    });
    stopWatching.push(...watch(child, join(directory, job.scratch), limits, fail));
    const stop = (): void => fail('stopped', 'the DuckDB process was stopped');
    signal?.addEventListener('abort', stop);
    stopWatching.push(() => signal?.removeEventListener('abort', stop));
    if (input !== undefined && child.stdin !== null) {
      // A lost reader is reported by the child; an input that broke off must not pass for a complete one.
      pipeline(input, child.stdin).catch((error: NodeJS.ErrnoException) => {
        if (!READER_GONE.has(error.code)) fail('input', `its input broke off: ${error.message}`, error);
      });
    }
    // Fails when the child has ended; its exit then gives the reason.
    child.send(job, () => {});
    const reply = parseReply<J['does']>(job.does, await Promise.race([answered, failed.promise]));
    if ('answer' in reply) return reply.answer;
    throw new JobFailure('fault', reply.fault.message, { fault: reply.fault });
  } finally {
    for (const end of stopWatching) end();
    child.kill('SIGKILL');
    await gone;
    if (job.does === 'query' || job.does === 'parse')
      await rm(join(directory, job.scratch), { recursive: true, force: true });
  }
}

/** Fails the job when the child exceeds its time, memory or disk. */
function watch(
  child: ChildProcess,
  scratch: string,
  { residentMb, msMax, scratchMb }: JobLimits,
  fail: (because: 'time' | 'memory' | 'disk', message: string) => void,
): readonly (() => void)[] {
  const late = setTimeout(() => fail('time', `it took longer than ${msMax / 1000} seconds`), msMax);
  const bytesMax = residentMb * 1024 * 1024;
  const looking = setInterval(() => {
    void residentBytes(child.pid ?? 0).then((bytes) => {
      if (bytes > bytesMax) fail('memory', `it took more than ${residentMb} MB of memory`);
    });
    if (scratchMb === undefined) return;
    void bytesBelow(scratch).then((bytes) => {
      if (bytes > scratchMb * 1024 * 1024) fail('disk', `it wrote more than ${scratchMb} MB to disk`);
    });
  }, WATCH_MS);
  return [() => clearTimeout(late), () => clearInterval(looking)];
}

/** Resident memory of a process in bytes; 0 when it is gone. */
async function residentBytes(pid: number): Promise<number> {
  if (process.platform !== 'linux') {
    return Number(spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).stdout) * 1024;
  }
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Bytes of the files in a folder, which may change or vanish meanwhile. */
async function bytesBelow(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
