import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { CLIENT_ENVIRONMENT, SERVER_ENVIRONMENT } from '#cli/environment.ts';
import { parseAllDocuments } from 'yaml';
import { Compile } from 'typebox/schema';
import { limitsPage } from './reference/limits.ts';
import { logLinesIn } from './reference/log-lines.ts';
import { HAND_WRITTEN, referencePages } from './reference/pages.ts';
import { registries } from './reference/registries.ts';
import { statusCodesIn } from './reference/status-codes.ts';

const root = resolve(import.meta.dirname, '..');

test('the reference is made of what the program uses', async () => {
  const folder = join(root, 'docs/reference');
  const pages = referencePages();
  const there: string[] = [];
  for await (const path of glob('**/*.{md,json}', { cwd: folder })) there.push(path);
  assert.deepEqual(there.sort(), [...pages.keys(), ...HAND_WRITTEN].sort(), 'run `npm run reference`');
  for (const [path, text] of pages) {
    assert.equal(await readFile(join(folder, path), 'utf8'), text, `${path} is stale: run \`npm run reference\``);
  }
});

test('each limit has its own comment, whatever the values beside it are', () => {
  const source = `export const PACE_TIMING = {
  /** Between looks. */
  paceMs: { least: 10, most: 60 },
  /** Before rows go. */
  keptMs: TOKEN_LIMITS.lifetimeMs + 24 * 3_600,
  /** For the first. */
  waitMs: 5_000,
};
/** Free space. */
const FREE_BYTES_MIN = 2 * 1024 * 1024;
`;
  const rows = limitsPage(new Map([['src/kernel/pace/pace.ts', source]]))
    .split('\n')
    .filter((line) => line.includes('pace.ts'));
  assert.deepEqual(
    rows.map((row) => row.split(' | ').slice(0, 3)),
    [
      ['| `PACE_TIMING.paceMs`', '{ least: 10, most: 60 }', 'Between looks.'],
      ['| `PACE_TIMING.keptMs`', 'TOKEN_LIMITS.lifetimeMs + 24 * 3_600', 'Before rows go.'],
      ['| `PACE_TIMING.waitMs`', '5,000', 'For the first.'],
      ['| `FREE_BYTES_MIN`', '2,097,152 (2 MiB)', 'Free space.'],
    ],
  );
});

test('every manifest of the examples is of the schema that editors check by', async () => {
  const { oneOf } = JSON.parse(referencePages().get('manifest.schema.json') ?? '') as { oneOf: readonly Manifest[] };
  const checks = new Map(oneOf.map((schema) => [idOf(schema.properties), Compile(schema)]));
  let checked = 0;
  for await (const path of glob('examples/**/*.yaml', { cwd: root })) {
    for (const document of parseAllDocuments(await readFile(join(root, path), 'utf8'))) {
      const object = document.toJS() as { apiVersion: string; kind: string } | null;
      const check = object === null ? undefined : checks.get(`${object.apiVersion} ${object.kind}`);
      if (check === undefined) continue;
      checked += 1;
      assert.ok(check.Check(object), `${path}: ${JSON.stringify(check.Errors(object)).slice(0, 500)}`);
    }
  }
  assert.ok(checked > 400, `${checked} manifests were checked`);
});

interface Manifest {
  readonly properties: { readonly apiVersion: { readonly const: string }; readonly kind: { readonly const: string } };
}

function idOf({ apiVersion, kind }: Manifest['properties']): string {
  return `${apiVersion.const} ${kind.const}`;
}

test('every registry of refusals is in the reference, and refusals are made by registries alone', async () => {
  const areas: string[] = [];
  const made: string[] = [];
  for await (const path of glob('src/**/*.ts', { cwd: root })) {
    if (/\.test\.ts$|\/testing\//.test(path)) continue;
    const text = await readFile(join(root, path), 'utf8');
    for (const [, area = ''] of text.matchAll(/defineRefusals\('(\w+)'/g)) areas.push(area);
    if (/\bnew Refusal\(/.test(text)) made.push(path);
  }
  assert.deepEqual(areas.sort(), registries.map(({ area }) => area).sort());
  assert.deepEqual(made.sort(), [
    // Of the answer of another process, or with another sentence.
    'src/kernel/api/parse-refusal.ts',
    'src/kernel/base/failures.ts',
    'src/kernel/base/refusals.ts',
    'src/kernel/kinds/confidential.ts',
    'src/kernel/store/forwarding.ts',
    'src/kernel/store/rules/write.ts',
  ]);
});

test('every variable of the environment that the command line reads is in the reference, and no other', async () => {
  const read = new Set<string>();
  for await (const path of glob('src/cli/**/*.ts', { cwd: root })) {
    if (path.endsWith('.test.ts')) continue;
    for (const [, name = ''] of (await readFile(join(root, path), 'utf8')).matchAll(/\benv\['([A-Z_]+)'\]/g))
      read.add(name);
  }
  const named = [...SERVER_ENVIRONMENT, ...CLIENT_ENVIRONMENT].map(({ name }) => name);
  assert.deepEqual([...read].sort(), named.sort());
});

async function* sources(): AsyncIterable<readonly [path: string, text: string]> {
  for await (const path of glob('src/**/*.ts', { cwd: root })) {
    if (!/\.test\.ts$|\/testing\//.test(path)) yield [path, await readFile(join(root, path), 'utf8')];
  }
}

test('every line of the log is in the reference with its level and fields, and no other', async () => {
  const page = await readFile(join(root, 'docs/reference/log-lines.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (info|warn|error|fatal) \| `([^`]+)` \| ([^|]*) \| ([^|]+) \| ([^|]+) \|$/gm)];
  const described = new Map(
    rows.map(([, level = '', line = '', fields = '']) => [
      `${level} ${line}`,
      [...fields.matchAll(/`(\w+)`/g)].map(([, field = '']) => field),
    ]),
  );
  const written = new Map<string, readonly string[]>();
  for await (const [, text] of sources()) {
    for (const { level, line, fields } of logLinesIn(text)) written.set(`${level} ${line}`, fields);
  }
  assert.ok(written.size > 90);
  assert.equal(rows.length, described.size, 'no line stands there twice');
  assert.deepEqual([...described.keys()].sort(), [...written.keys()].sort());
  const missing = [...written].flatMap(([line, fields]) =>
    fields.filter((field) => described.get(line)?.includes(field) !== true).map((field) => `${line}: ${field}`),
  );
  assert.deepEqual(missing, []);
});

test('every condition, phase, outcome and reason of a status is in the reference, and no other', async () => {
  const page = await readFile(join(root, 'docs/reference/conditions.md'), 'utf8');
  const cells = page.matchAll(/(?<=\| )`(\w+)` (?=\|)/g);
  const described = [...cells].map(([, code = '']) => code).filter((code) => code !== 'Live');
  const written = new Set<string>();
  for await (const [path, text] of sources()) for (const code of statusCodesIn(path, text)) written.add(code);
  assert.ok(written.size > 50);
  assert.deepEqual([...new Set(described)].sort(), [...written].sort());
});
