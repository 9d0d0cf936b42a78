import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { decodeManifests } from '#kernel/api/codec/manifests.ts';
import { caller, type Answer, type Call } from './backline.ts';
import { startDatabase } from './database.ts';
import { changeSet, CHANGE_SETS } from './flags.ts';

const root = resolve(import.meta.dirname, '../..');
const MAIN = join(root, 'src/main.ts');
const RELEASES = '/apis/releases.backline.dev/v1/releases';

interface Process {
  readonly url: string;
  readonly child: ChildProcess;
}

// Tests look into answers of every shape.
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

/** Requests of release tests, with the token of the administrator unless another one is given. */
export interface Office {
  /** The API. */
  readonly call: Call;
  /** A process that decides. */
  readonly ask: Call;
  readonly declare: (objects: readonly object[], token?: string) => Promise<Answer>;
  readonly release: (name: string) => Promise<Json>;
  readonly tell: (name: string, verb: string, spec?: object, token?: string) => Promise<Answer>;
}

export function officeOf(call: Call, ask: Call): Office {
  return {
    call,
    ask,
    declare: (objects, token) => call('POST', CHANGE_SETS, { body: changeSet(...objects), token }),
    release: async (name) => (await call('GET', `${RELEASES}/${name}`)).json,
    tell: (name, verb, spec = {}, token) => {
      const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ReleaseCommand', metadata: {}, spec };
      return call('POST', `${RELEASES}/${name}/${verb}`, { body, token });
    },
  };
}

/** A Backline of two processes on one database, as an operator would start it, with people who may edit. */
export interface Installation extends Office {
  /** SIGKILL of the process that runs releases, and another one in its place. */
  readonly killEngine: () => Promise<void>;
}

/** The tokens of people who may edit. */
export const PEOPLE = { ann: 'ann-token-1234', bob: 'bob-token-1234', cem: 'cem-token-1234' } as const;

export async function startInstallation(t: TestContext): Promise<Installation> {
  const database = await startDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'backline-installation-'));
  const data = join(folder, 'api');
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(
    tokenFile,
    Object.entries(PEOPLE)
      .map(([name, token]) => `${token},${name},,`)
      .join('\n'),
  );
  const shared = ['--datasets', join(folder, 'datasets'), '--roll-up-seconds', '1', '--token-file', tokenFile];
  const start = (roles: readonly string[], port: number, args: readonly string[]) =>
    startProcess(database.url, [...serving(roles, port), ...args]);
  const startApi = (port: number) => start(['api', 'controllers'], port, [...shared, '--data', data]);
  let api = await startApi(0);
  const token = (await readFile(join(data, 'admin-token'), 'utf8')).trim();
  // The processes of one installation share their keys and tokens; the first one makes them.
  await cp(data, join(folder, 'node'), { recursive: true });
  const follow = ['--kubeconfig', join(data, 'kubeconfig'), '--data', join(folder, 'node')];
  const deciding = await start(['decide', 'ingest'], 0, [...shared, ...follow]);
  t.after(async () => {
    await Promise.all([end(deciding, 'SIGTERM'), end(api, 'SIGTERM')]);
    await database[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  const call = caller({ server: api.url, token });
  await grantEdit(call);
  return {
    ...officeOf(call, caller({ server: deciding.url, token })),
    killEngine: async () => {
      await end(api, 'SIGKILL');
      api = await startApi(Number(new URL(api.url).port));
    },
  };
}

function serving(roles: readonly string[], port: number): readonly string[] {
  const quietly = ['--quiet', '--log-level', 'error'];
  return [MAIN, 'serve', '--role', ...roles, '--port', String(port), ...quietly];
}

async function startProcess(databaseUrl: string, args: readonly string[]): Promise<Process> {
  const env = { ...process.env, DATABASE_URL: databaseUrl };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^ready (\S+)/.exec(line)?.[1];
    if (url !== undefined) return { url, child };
  }
  throw new Error(`a process ended before it was ready: ${args.join(' ')}`);
}

async function end({ child }: Process, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

async function grantEdit(call: Call): Promise<void> {
  const subjects = Object.keys(PEOPLE).map((name) => ({ kind: 'User', name }));
  const body = { metadata: { name: 'editors' }, roleRef: { kind: 'ClusterRole', name: 'edit' }, subjects };
  const made = await call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', { body });
  assert.equal(made.status, 201, made.text);
}

/** The objects of a file or folder of the examples. */
export async function example(path: string): Promise<Json[]> {
  const place = join(root, 'examples', path);
  const files = path.endsWith('.yaml')
    ? [place]
    : (await readdir(place, { recursive: true }))
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => join(place, name));
  const texts = await Promise.all(files.sort().map((file) => readFile(file, 'utf8')));
  return texts.flatMap((text) => decodeManifests(text).map(({ value }) => value as Json));
}

/** Asks until there is a value; fails with `what` after `seconds`. */
export async function until<Found>(
  look: () => Promise<Found | undefined>,
  what: () => string,
  seconds = 60,
): Promise<Found> {
  const endMs = performance.now() + seconds * 1_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(performance.now() < endMs, `waited for ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
