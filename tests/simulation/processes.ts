import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(import.meta.dirname, '../..');

/** One API server process of an installation, as an operator would start it. */
export interface ApiProcess {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly child: ChildProcess;
}

/** Starts `backline serve --role api` on a database, and resolves when it says that it is ready. */
export async function startApi(
  databaseUrl: string,
  data: string,
  port = 0,
  more: readonly string[] = [],
): Promise<ApiProcess> {
  const child = spawn(
    process.execPath,
    [
      join(root, 'src/main.ts'),
      'serve',
      '--role',
      'api',
      '--port',
      String(port),
      '--data',
      data,
      '--quiet',
      '--log-level',
      'error',
      ...more,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, DATABASE_URL: databaseUrl } },
  );
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^ready (\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    const token = (await readFile(join(data, 'admin-token'), 'utf8')).trim();
    return { url, token, pid: child.pid ?? 0, child };
  }
  throw new Error('an API server ended before it was ready');
}

export async function kill(api: ApiProcess, signal: NodeJS.Signals): Promise<void> {
  if (api.child.exitCode !== null || api.child.signalCode !== null) return;
  const gone = once(api.child, 'exit');
  api.child.kill(signal);
  await gone;
}
