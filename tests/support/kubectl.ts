import { execFile } from 'node:child_process';
import assert from 'node:assert/strict';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { isLong } from './amount.ts';
import type { World } from './backline.ts';

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
    // A program that ends without reading its input shows by its exit status how it went.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

export interface Shell {
  readonly run: (args: string, input?: string, env?: Record<string, string>) => Promise<Ran>;
  /** Runs it and asserts that it succeeds. */
  readonly ok: (args: string, input?: string, env?: Record<string, string>) => Promise<string>;
  readonly folder: string;
}

/** A kubectl that speaks to a world as its administrator. */
export async function openShell(t: TestContext, world: World, kubectl: Kubectl): Promise<Shell> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-kubectl-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const base = ['--kubeconfig', world.running.kubeconfigFile, '--cache-dir', join(folder, 'cache')];
  const run: Shell['run'] = (args, input = '', env = {}) =>
    execute(kubectl.file, [...base, ...args.split(' ')], input, env);
  const ok: Shell['ok'] = async (args, input, env) => {
    const ran = await run(args, input, env);
    assert.equal(ran.code, 0, `kubectl ${args}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  };
  return { run, ok, folder };
}
