/**
 * Changes rules by one operator at a time and runs their tests: what no test notices survives and is listed.
 * `npm run mutate -- FILE[:LINE-LINE]… --tests TEST…`. StrykerJS is fetched when it is used: few need its 145 packages.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const STRYKER = ['@stryker-mutator/core@10.0.0', '@stryker-mutator/tap-runner@10.0.0'];
/** A mutant that ends no loop is given up after so long beyond what its tests take. */
const TIMEOUT_MS = 20_000;
const root = resolve(import.meta.dirname, '..');

interface Mutant {
  readonly status: string;
  readonly replacement: string;
  readonly location: { readonly start: { readonly line: number; readonly column: number } };
}

interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

async function run(folder: string, command: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, PATH: `${join(folder, 'node_modules/.bin')}:${process.env['PATH']}` };
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'], env });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args[0]} ended with ${code}`);
}

/** Tells what survived, and how much was killed. */
function tell({ files }: Report): void {
  let [killed, all] = [0, 0];
  for (const [path, { source, mutants }] of Object.entries(files)) {
    const lines = source.split('\n');
    for (const { status, replacement, location } of mutants) {
      if (['Ignored', 'CompileError', 'RuntimeError'].includes(status)) continue;
      all += 1;
      if (status !== 'Survived' && status !== 'NoCoverage') {
        killed += 1;
        continue;
      }
      const { line, column } = location.start;
      const [now = ''] = replacement.split('\n');
      process.stdout.write(`${path}:${line}:${column} ${lines[line - 1]?.trim()}\n    ${now}\n`);
    }
  }
  process.stdout.write(`${killed} of ${all} killed: ${((100 * killed) / all).toFixed(1)} %\n`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { tests: { type: 'string', multiple: true, default: [] } },
});
const [mutate, tests] = [positionals, values.tests];
if (mutate.length === 0 || tests.length === 0) {
  process.stderr.write('npm run mutate -- FILE[:LINE-LINE]… --tests TEST [--tests TEST]…\n');
  process.exit(64);
}
// It rewrites the sources: a copy has them, with what is not committed yet.
const folder = await mkdtemp(join(tmpdir(), 'backline-mutate-'));
try {
  const skipped = new Set(['.git', 'bench', 'docs', '.backline'].map((name) => join(root, name)));
  await cp(root, folder, { recursive: true, verbatimSymlinks: true, filter: (path) => !skipped.has(path) });
  await run(folder, 'npm', ['install', '--no-save', '--silent', '--no-audit', '--no-fund', ...STRYKER]);
  const config = {
    packageManager: 'npm',
    plugins: ['@stryker-mutator/tap-runner'],
    // Without a compiler: Node runs the sources as they are.
    tsconfigFile: 'none.json',
    testRunner: 'tap',
    tap: { testFiles: tests, nodeArgs: ['--test-reporter=tap', '-r', '{{hookFile}}', '{{testFile}}'] },
    mutate,
    // Sentences are no rules.
    mutator: { excludedMutations: ['StringLiteral'] },
    coverageAnalysis: 'perTest',
    concurrency: 2,
    timeoutMS: TIMEOUT_MS,
    reporters: ['json', 'progress-append-only'],
  };
  await writeFile(join(folder, 'stryker.config.json'), JSON.stringify(config));
  await run(folder, 'node', ['node_modules/@stryker-mutator/core/bin/stryker.js', 'run']);
  tell(JSON.parse(await readFile(join(folder, 'reports/mutation/mutation.json'), 'utf8')) as Report);
} finally {
  await rm(folder, { recursive: true, force: true });
}
