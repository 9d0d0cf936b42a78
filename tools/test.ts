/**
 * Runs the tests: `npm test` all of them, `npm test -- PATH…` those files or folders, `npm run test:long -- PATH…` with as
 * many steps, schedules and seconds as before a release.
 *
 * Two lanes, one after the other. Pure tests (`*.test.ts`) share two processes, which makes hundreds of files cheap. Tests
 * that own a server, a child process or a signal (`*.process.test.ts`) get a process each, four at a time, and share a
 * PostgreSQL, where each makes databases of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { glob } from 'node:fs/promises';
import { resolve } from 'node:path';
import { startTestServer } from '#tests/support/postgres-server.ts';

const root = resolve(import.meta.dirname, '..');
const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const isLong = process.argv.includes('--long');
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-') && argument !== '--long');

const files: string[] = [];
for await (const file of glob('{src,clients/typescript/src,tests,tools,bench,examples}/**/*.test.ts', { cwd: root })) {
  const path = resolve(root, file);
  if (
    asked.length === 0 ||
    asked.some(
      (wanted) => path === resolve(wanted) || ['/', '.'].some((end) => path.startsWith(`${resolve(wanted)}${end}`)),
    )
  ) {
    files.push(path);
  }
}
files.sort();
if (files.length === 0) {
  console.error(`no test files match ${asked.join(' ')}`);
  process.exit(2);
}
const owningProcess = files.filter((file) => file.endsWith('.process.test.ts'));
const pure = files.filter((file) => !file.endsWith('.process.test.ts'));

const CORES = 2;
/** Many wait for something real most of their time. */
const PROCESSES = 4;
const TEST_MS_MAX = isLong ? 3_600_000 : 240_000;
/** A file whose tests have ended and that something keeps running has no other limit. */
const LANE_MS_MAX = isLong ? 10_800_000 : 1_200_000;
/** Fewer pure files are soon done in one process. */
const SHARED_FILES = 20;

/** Runs files in one child; what it prints comes at once, or in one piece at its end where another prints meanwhile. */
async function run(
  paths: readonly string[],
  laneFlags: readonly string[],
  { isAlone = true, env = {} }: { readonly isAlone?: boolean; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<boolean> {
  const child = spawn(process.execPath, ['--test', ...laneFlags, ...flags, ...paths], {
    cwd: root,
    stdio: ['ignore', isAlone ? 'inherit' : 'pipe', isAlone ? 'inherit' : 'pipe'],
    env: {
      ...process.env,
      ...env,
      ...(isLong && { BACKLINE_TEST_LONG: '1' }),
      NODE_COMPILE_CACHE: resolve(root, 'node_modules/.cache/compile'),
    },
  });
  // Interrupted, it names the files that are not done.
  const limit = setTimeout(() => {
    console.error(`tests: still running after ${LANE_MS_MAX / 60_000} minutes; interrupted`);
    child.kill('SIGINT');
  }, LANE_MS_MAX);
  const printed: Buffer[] = [];
  for (const output of [child.stdout, child.stderr]) output?.on('data', (chunk: Buffer) => printed.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(limit);
  process.stdout.write(Buffer.concat(printed));
  return code === 0;
}

async function runPure(paths: readonly string[]): Promise<boolean> {
  if (paths.length === 0) return true;
  console.log(`# pure: ${paths.length} files`);
  const shares = paths.length < SHARED_FILES ? 1 : CORES;
  const parts = Array.from({ length: shares }, (_, share) => paths.filter((_, index) => index % shares === share));
  const done = await Promise.all(parts.map((part) => run(part, ['--test-isolation=none'], { isAlone: shares === 1 })));
  return done.every(Boolean);
}

async function runProcess(paths: readonly string[]): Promise<boolean> {
  if (paths.length === 0) return true;
  console.log(`# process: ${paths.length} files`);
  const flagsOfLane = [`--test-concurrency=${PROCESSES}`, `--test-timeout=${TEST_MS_MAX}`];
  const isServed = process.env['BACKLINE_TEST_DATABASE_URL'] !== undefined;
  if (isServed || paths.length === 1) return run(paths, flagsOfLane);
  const { url, template, stop } = await startTestServer();
  try {
    return await run(paths, flagsOfLane, {
      env: { BACKLINE_TEST_DATABASE_URL: url, BACKLINE_TEST_TEMPLATE: template },
    });
  } finally {
    await stop();
  }
}

const pureOk = await runPure(pure);
const processOk = await runProcess(owningProcess);
process.exit(pureOk && processOk ? 0 : 1);
