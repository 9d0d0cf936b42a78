/**
 * `npm run coverage`: runs the pure tests with Node's coverage and prints the share of covered lines in each room. Files that no pure
 * test loads count as not covered; tests with processes of their own are left out.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { glob, mkdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const report = join(root, 'node_modules/.cache/coverage.lcov');

interface Lines {
  covered: number;
  all: number;
}

/** The covered lines of each file, by its path relative to `folder`, from an LCOV report. */
export function linesByFile(lcov: string, folder: string): ReadonlyMap<string, Readonly<Lines>> {
  const files = new Map<string, Lines>();
  let path = '';
  for (const line of lcov.split('\n')) {
    const [field, value = ''] = line.split(/:(.*)/s);
    if (field === 'SF') path = relative(folder, resolve(folder, value));
    const lines = files.get(path) ?? { covered: 0, all: 0 };
    if (field === 'LF') files.set(path, { ...lines, all: Number(value) });
    if (field === 'LH') files.set(path, { ...lines, covered: Number(value) });
  }
  return files;
}

/** The room of a source file: a folder of the kernel or a domain, or one of the other parts as a whole. */
export function roomOf(path: string): string {
  const parts = path.split('/');
  return parts.slice(0, /^src\/(kernel|domains)\//.test(path) ? 3 : 2).join('/');
}

if (import.meta.main) {
  const sources: string[] = [];
  const tests: string[] = [];
  for await (const path of glob('{src,clients/typescript/src}/**/*.ts', { cwd: root })) {
    if (!path.endsWith('.test.ts')) sources.push(path);
  }
  for await (const path of glob('{src,clients/typescript/src,tests}/**/*.test.ts', { cwd: root })) {
    if (!path.endsWith('.process.test.ts')) tests.push(path);
  }
  await mkdir(join(root, 'node_modules/.cache'), { recursive: true });
  const options = ['--test', '--experimental-test-coverage', '--test-isolation=none'];
  const reporters = ['dot', 'lcov'].map((name) => `--test-reporter=${name}`);
  const destinations = ['stdout', report].map((name) => `--test-reporter-destination=${name}`);
  const child = spawn(process.execPath, [...options, ...reporters, ...destinations, ...tests.sort()], {
    cwd: root,
    stdio: 'inherit',
  });
  const [status] = (await once(child, 'close')) as [number | null];

  const files = linesByFile(await readFile(report, 'utf8'), root);
  const rooms = new Map<string, Lines>();
  for (const path of sources) {
    if (path.includes('/testing/') || path.includes('/migrations/')) continue;
    const { covered, all } = files.get(path) ?? {
      covered: 0,
      all: (await readFile(join(root, path), 'utf8')).split('\n').length,
    };
    for (const name of [roomOf(path), 'total']) {
      const sum = rooms.get(name) ?? { covered: 0, all: 0 };
      rooms.set(name, { covered: sum.covered + covered, all: sum.all + all });
    }
  }
  for (const [name, { covered, all }] of [...rooms].sort(([a], [b]) => a.localeCompare(b))) {
    console.log(`${((100 * covered) / all).toFixed(1).padStart(5)} %  ${String(all).padStart(6)} lines  ${name}`);
  }
  process.exitCode = status ?? 1;
}
