import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { glob, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '..');
/** Names that the examples use and a reader brings. */
const READERS = `
type ProductsTable = import('#domains/products/decisions/table.ts').ProductsTable;
declare function podcastsOf(table: ProductsTable, plan: string): string[];
`;

test('each example of a how-to passes the type check', async (t) => {
  // Within the repository, as its imports are.
  const cache = join(root, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'how-to-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'readers.d.ts'), READERS);
  let examples = 0;
  for await (const path of glob('docs/how-to/*.md', { cwd: root })) {
    const text = await readFile(join(root, path), 'utf8');
    for (const [, example = ''] of text.matchAll(/^ *```ts\n([^]*?)^ *```$/gm)) {
      examples += 1;
      await writeFile(join(folder, `${basename(path, '.md')}-${examples}.ts`), example);
    }
  }
  assert.ok(examples >= 2);
  const project = { extends: join(root, 'tsconfig.json'), include: ['*'], exclude: [] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(project));
  const checked = promisify(execFile)(join(root, 'node_modules/.bin/tsc'), ['--noEmit', '-p', folder]);
  const problems = await checked.then(
    () => '',
    ({ stdout }: { readonly stdout: string }) => stdout,
  );
  assert.equal(problems, '');
});
