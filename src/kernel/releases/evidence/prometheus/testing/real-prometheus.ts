import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

interface Sample {
  readonly series: string;
  readonly atMs: number;
  readonly value: number;
}

const READY_MS_MAX = 30_000;

/** A real Prometheus process with samples of any time. */
export async function startRealPrometheus(t: TestContext): Promise<{
  readonly url: string;
  /** Starts it with these samples. */
  readonly start: (samples: readonly Sample[]) => Promise<void>;
  readonly stop: () => Promise<void>;
}> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-prometheus-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await gone;
  };
  t.after(async () => {
    await stop();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    url,
    stop,
    start: async (samples) => {
      const input = join(directory, 'samples.txt');
      const storage = join(directory, 'data');
      // Each series in the order of time.
      const inOrder = samples.toSorted((a, b) =>
        a.series === b.series ? a.atMs - b.atMs : a.series < b.series ? -1 : 1,
      );
      const lines = inOrder.map(({ series, atMs, value }) => `${series} ${value} ${atMs / 1_000}\n`);
      await writeFile(input, `${lines.join('')}# EOF\n`);
      await writeFile(join(directory, 'prometheus.yml'), '{}\n');
      if (samples.length > 0) {
        const made = spawnSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', input, storage], {
          encoding: 'utf8',
        });
        if (made.status !== 0) throw new Error(`promtool: ${made.stderr}`);
      }
      child = spawn(
        'prometheus',
        [
          `--config.file=${join(directory, 'prometheus.yml')}`,
          `--storage.tsdb.path=${storage}`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--storage.tsdb.retention.time=100y',
          '--log.level=error',
        ],
        { stdio: 'ignore' },
      );
      await untilReady(`${url}/-/ready`);
    },
  };
}

/** Why a real one is not available; undefined when it is. */
startRealPrometheus.missing = ['prometheus', 'promtool'].every(
  (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0,
)
  ? undefined
  : 'there is no prometheus with its promtool on PATH (Debian: apt-get install prometheus)';

async function untilReady(url: string): Promise<void> {
  const endMs = performance.now() + READY_MS_MAX;
  for (;;) {
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    if (performance.now() > endMs) throw new Error('Prometheus did not get ready');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
