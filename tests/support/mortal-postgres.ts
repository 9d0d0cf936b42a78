import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#kernel/postgres/embedded.ts';

/** A PostgreSQL of one test, which may die, hang and come back; what it wrote to the disk survives that. */
export interface MortalPostgres extends AsyncDisposable {
  /** The same after every start. */
  readonly url: string;
  /** SIGKILL of all its processes, as the system does when memory is short. */
  readonly kill: () => Promise<void>;
  /** SIGSTOP of all its processes: connections stay open, and nothing is answered. */
  readonly hang: () => void;
  readonly goOn: () => void;
  /** Ends it in order. */
  readonly stop: () => Promise<void>;
  /** Starts it after `kill` or `stop`. */
  readonly start: () => Promise<void>;
}

export async function startMortalPostgres(): Promise<MortalPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-mortal-'));
  // As root the server runs as another user, who must be able to enter.
  await chmod(directory, 0o755);
  const start = (): Promise<EmbeddedPostgres> => startEmbeddedPostgres({ dataDirectory: directory });
  let server = await start();
  let isRunning = true;
  const signal = (name: NodeJS.Signals): void => {
    // A child that it starts meanwhile would answer on.
    if (name !== 'SIGCONT') process.kill(server.pid, 'SIGSTOP');
    for (const pid of [server.pid, ...childrenOf(server.pid)]) killIfThere(pid, name);
  };
  // A process that ends without running its hooks must not leave a server behind.
  const killNow = (): void => {
    if (isRunning) signal('SIGKILL');
  };
  process.once('exit', killNow);
  const stop = async (): Promise<void> => {
    isRunning = false;
    await server.close();
  };
  return {
    url: server.url,
    kill: async () => {
      signal('SIGKILL');
      await server.died;
      await stop();
    },
    hang: () => signal('SIGSTOP'),
    goOn: () => signal('SIGCONT'),
    stop,
    start: async () => {
      server = await start();
      isRunning = true;
    },
    [Symbol.asyncDispose]: async () => {
      process.off('exit', killNow);
      if (isRunning) {
        signal('SIGCONT');
        await stop();
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A child may end on its own. */
function killIfThere(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function childrenOf(parent: number): readonly number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  return lines.flatMap((line) => {
    const [pid, ppid] = line.trim().split(/\s+/).map(Number);
    return ppid === parent && pid !== undefined ? [pid] : [];
  });
}
