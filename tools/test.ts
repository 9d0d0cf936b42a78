/**
 * Runs the tests: `npm test` all of them, `npm test -- PATH…` those files or folders.
 *
 * Two lanes. Pure tests (`*.test.ts`) share one process, which makes hundreds of files cheap. Tests that own a server,
 * a child process or a signal (`*.process.test.ts`) get a process each.
 */
import { spawn } from 'node:child_process';
import { glob } from 'node:fs/promises';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-'));

const files: string[] = [];
for await (const file of glob('{src,tests,tools,bench,examples}/**/*.test.ts', { cwd: root })) {
  const path = resolve(root, file);
  if (
    asked.length === 0 ||
    asked.some((wanted) => path === resolve(wanted) || path.startsWith(`${resolve(wanted)}/`))
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

async function lane(name: string, paths: string[], laneFlags: string[]): Promise<boolean> {
  if (paths.length === 0) return true;
  console.log(`# ${name}: ${paths.length} files`);
  const child = spawn(process.execPath, ['--test', ...laneFlags, ...flags, ...paths], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: resolve(root, 'node_modules/.cache/compile') },
  });
  return new Promise((done) => child.on('exit', (code) => done(code === 0)));
}

const pureOk = await lane('pure', pure, ['--test-isolation=none']);
const processOk = await lane('process', owningProcess, ['--test-concurrency=2', '--test-timeout=240000']);
process.exit(pureOk && processOk ? 0 : 1);
