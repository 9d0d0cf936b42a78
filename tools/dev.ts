/**
 * `npm run dev -- [OPTIONS OF up]`: runs the product, starts it again when a source file changes, and prints its log for
 * people. `npm run dev -- --inspect` waits for no debugger, and takes one at any time.
 */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import pretty from 'pino-pretty';

const root = resolve(import.meta.dirname, '..');
const given = process.argv.slice(2);
const ofNode = given.filter((argument) => argument.startsWith('--inspect'));
const ofUp = given.filter((argument) => !argument.startsWith('--inspect'));
const level = ofUp.some((argument) => argument.startsWith('--log-level')) ? [] : ['--log-level', 'debug'];

const child = spawn(
  process.execPath,
  ['--watch-path=src', '--watch-preserve-output', ...ofNode, 'src/main.ts', 'up', ...level, ...ofUp],
  { cwd: root, stdio: ['inherit', 'inherit', 'pipe'] },
);
child.stderr.pipe(pretty({ destination: 2, ignore: 'pid,hostname' }));
// A terminal sends the signal to both: this one waits until the server has stopped.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.once('exit', (code) => process.exit(code ?? 1));
