import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { CLIENT_ENVIRONMENT, SERVER_ENVIRONMENT } from '#cli/environment.ts';
import { referencePages } from './reference/pages.ts';

const root = resolve(import.meta.dirname, '..');

test('the reference is made of what the program uses', async () => {
  const folder = join(root, 'docs/reference');
  const pages = referencePages();
  const there: string[] = [];
  for await (const path of glob('**/*.md', { cwd: folder })) there.push(path);
  assert.deepEqual(there.sort(), [...pages.keys()].sort(), 'run `npm run reference`');
  for (const [path, text] of pages) {
    assert.equal(await readFile(join(folder, path), 'utf8'), text, `${path} is stale: run \`npm run reference\``);
  }
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
