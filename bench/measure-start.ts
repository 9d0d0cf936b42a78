import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startScript } from './load.ts';

/** A start is over when the process has used less than a tenth of a core for so long. */
const QUIET_MS = 2_000;
const HEALTH_EVERY_MS = 20;

/** A process that has started, and what that took. */
export interface MeasuredProcess {
  readonly url: string;
  /** Its memory after a collection of garbage. */
  readonly heldBytes: number;
  /** The largest that was seen: ready, or quiet. */
  readonly residentBytes: number;
  /** CPU until the line `ready`. */
  readonly cpuReady: number;
  /** CPU until the process is quiet. */
  readonly cpuQuiet: number;
  readonly secondsToReady: number;
  /** The longest wait for an answer of `/livez`, from the first answer until it is quiet. */
  readonly slowestHealthMs: number;
  readonly stop: () => Promise<void>;
}

/**
 * Starts the program, and measures it until it is quiet.
 * @param args of `src/main.ts`, without `--port`
 */
export async function measureStart(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<MeasuredProcess> {
  const port = await freePort();
  const health = watchHealth(`http://127.0.0.1:${port}/livez`);
  const startedMs = performance.now();
  const { child, url } = await startScript(
    'src/main.ts',
    [...args, '--port', String(port), '--quiet', '--log-level', 'error'],
    {
      nodeArgs: ['--expose-gc', '--import', join(import.meta.dirname, 'memory-probe.ts')],
      channel: true,
      env,
    },
  );
  const secondsToReady = (performance.now() - startedMs) / 1_000;
  const ask = async (what: 'use' | 'collect') => {
    child.send(what);
    const [use] = (await once(child, 'message')) as [NodeJS.MemoryUsage & { readonly cpuSeconds: number }];
    return use;
  };
  const stop = async () => {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  };
  try {
    const { cpuSeconds: cpuReady, ...ready } = await ask('use');
    let { rss } = ready;
    let cpuQuiet = cpuReady;
    for (let isQuiet = false; !isQuiet;) {
      await sleep(QUIET_MS);
      const now = await ask('use');
      isQuiet = now.cpuSeconds - cpuQuiet < QUIET_MS / 10_000;
      cpuQuiet = now.cpuSeconds;
      rss = Math.max(rss, now.rss);
    }
    const slowestHealthMs = await health.stop();
    const { heapUsed, arrayBuffers } = await ask('collect');
    const heldBytes = heapUsed + arrayBuffers;
    return { url, heldBytes, residentBytes: rss, cpuReady, cpuQuiet, secondsToReady, slowestHealthMs, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    await health.stop();
  }
}

/** Asks for health all the time, in this process; what the asking itself waits for is not counted. */
function watchHealth(url: string): { readonly stop: () => Promise<number> } {
  let isOver = false;
  let slowestMs = 0;
  const asking = (async () => {
    for (let hasAnswered = false; !isOver;) {
      const askedMs = performance.now();
      const isAnswered = await fetch(url).then(
        (answer) => answer.text().then(() => true),
        () => false,
      );
      hasAnswered ||= isAnswered;
      if (hasAnswered) slowestMs = Math.max(slowestMs, isAnswered ? performance.now() - askedMs : Infinity);
      await sleep(HEALTH_EVERY_MS);
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await asking;
      return slowestMs;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
