import { execFile } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { isLong } from './amount.ts';

export interface Kubectl {
  readonly version: string;
  readonly file: string;
}

/**
 * The kubectl programs of this machine, from 1.27 on: the one on the PATH and versioned ones beside it, of which the oldest
 * and the newest; in the long version each of them.
 */
export async function findKubectls(): Promise<Kubectl[]> {
  const onPath = (process.env['PATH'] ?? '')
    .split(':')
    .map((folder) => join(folder, 'kubectl'))
    .find((file) => existsSync(file));
  if (onPath === undefined) return [];
  const folder = dirname(realpathSync(onPath));
  const versioned = readdirSync(folder).filter((name) => /^kubectl\.1\.(2[789]|[3-9]\d)$/.test(name));
  const files = versioned.length > 0 ? versioned.map((name) => join(folder, name)) : [onPath];
  const found = await Promise.all(
    files.map(async (file) => {
      const { stdout } = await execute(file, ['version', '--client', '-o', 'json'], '');
      const { clientVersion } = JSON.parse(stdout) as { clientVersion: { gitVersion: string } };
      return { file, version: clientVersion.gitVersion };
    }),
  );
  const sorted = found.sort((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }));
  return isLong() ? sorted : sorted.filter((_, index) => index === 0 || index === sorted.length - 1);
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function execute(
  file: string,
  args: readonly string[],
  input: string,
  env: Record<string, string> = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024, timeout: 60_000 },
      (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : 1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.end(input);
  });
}
