/**
 * The pre-commit hook: checks staged files for lint, format and words that are out. Types are left to `npm run check`, which takes
 * longer. It reads the files of the working tree: stage whole files.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { findHeldWords } from './words.ts';

const root = resolve(import.meta.dirname, '..');
const staged = execFileSync('git', ['diff', '--cached', '--name-only', '--diff-filter=d', '-z'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '');

function run(command: string, ...parameters: readonly string[]): boolean {
  return spawnSync(command, parameters, { cwd: root, stdio: 'inherit' }).status === 0;
}

const sources = staged.filter((path) => /\.[jt]s$/.test(path));
const isLinted = sources.length === 0 || run('oxlint', '--deny-warnings', ...sources);
const isFormatted = staged.length === 0 || run('oxfmt', '--check', '--no-error-on-unmatched-pattern', ...staged);
const findings = await findHeldWords(staged.filter((path) => /\.(ts|md)$/.test(path)));
for (const { path, line, word, text } of findings) console.error(`${path}:${line} ${word}: ${text}`);
process.exitCode = isLinted && isFormatted && findings.length === 0 ? 0 : 1;
