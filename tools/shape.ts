/**
 * Finds functions that are too long, and holds them to `shape.json`, whose numbers may only shrink: `node tools/shape.ts` records
 * what did.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const LINES_MAX = 80;
const root = resolve(import.meta.dirname, '..');
const RECORD = join(import.meta.dirname, 'shape.json');

/** Functions by `path name`, with their lines. */
type Shape = Readonly<Record<string, number>>;

interface Finding {
  readonly filename: string;
  readonly message: string;
}

/** Functions that are over the limit now. */
export async function measureShape(): Promise<Shape> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-shape-'));
  const config = join(folder, 'oxlint.json');
  const rules = { 'max-lines-per-function': ['error', { max: LINES_MAX, skipBlankLines: true, skipComments: true }] };
  await writeFile(config, JSON.stringify({ categories: { correctness: 'off' }, rules }));
  const printed = await lint(['-c', config, '--format', 'json', 'src', 'clients/typescript/src']);
  await rm(folder, { recursive: true });
  const { diagnostics } = JSON.parse(printed) as { diagnostics: readonly Finding[] };
  const lines: Record<string, number> = {};
  for (const { filename, message } of diagnostics) {
    if (/\.test\.ts$|\/testing\//.test(filename)) continue;
    const name = /[`'](\w+)[`']/.exec(message)?.[1] ?? 'a function without a name';
    const key = `${filename} ${name}`;
    // Functions of one name in one file count together.
    lines[key] = (lines[key] ?? 0) + Number(/\((\d+)\)/.exec(message)?.[1]);
  }
  return Object.fromEntries(Object.entries(lines).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export async function recordedShape(): Promise<Shape> {
  return JSON.parse(await readFile(RECORD, 'utf8')) as Shape;
}

/** Functions that are longer than recorded, or were not there. */
export function growth(recorded: Shape, measured: Shape): readonly string[] {
  return Object.entries(measured)
    .filter(([key, count]) => count > (recorded[key] ?? 0))
    .map(([key, count]) => `${key}: ${count} lines, ${recorded[key] ?? 'not over the limit'} before`);
}

function lint(args: readonly string[]): Promise<string> {
  return new Promise((done) => {
    const file = join(root, 'node_modules/.bin/oxlint');
    execFile(file, args, { cwd: root, maxBuffer: 64 * 1024 * 1024 }, (_, stdout) => done(stdout));
  });
}

if (import.meta.main) {
  const measured = await measureShape();
  const grown = growth(await recordedShape(), measured);
  if (grown.length > 0) {
    process.stderr.write(`These grew; make them smaller:\n${grown.join('\n')}\n`);
    process.exit(1);
  }
  await writeFile(RECORD, `${JSON.stringify(measured, undefined, 2)}\n`);
}
