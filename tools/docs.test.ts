import assert from 'node:assert/strict';
import { access, glob, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
/** Folders whose paths documents name in full. */
const FULL_PATH = /`((?:src|tools|tests|bench|docs|examples|clients\/typescript)\/[\w./-]+?)`/g;

async function documents(): Promise<readonly { readonly path: string; readonly text: string }[]> {
  const found: { path: string; text: string }[] = [];
  for await (const path of glob(['*.md', 'docs/**/*.md', 'src/**/*.md', 'clients/**/*.md', 'examples/**/*.md'], {
    cwd: root,
  })) {
    if (path.includes('node_modules')) continue;
    found.push({ path, text: await readFile(join(root, path), 'utf8') });
  }
  return found;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

test('every file that a document links to or names by its path is there', async () => {
  const missing: string[] = [];
  for (const { path, text } of await documents()) {
    for (const [, link = ''] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)) {
      if (!(await isThere(resolve(root, dirname(path), link)))) missing.push(`${path}: ${link}`);
    }
    for (const [, name = ''] of text.matchAll(FULL_PATH)) {
      // Names in capitals stand for what a reader chooses.
      if (/[A-Z]{3}|\bmy-/.test(name)) continue;
      if (!(await isThere(join(root, name)))) missing.push(`${path}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('every script that a document runs with npm is there', async () => {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const missing: string[] = [];
  for (const { path, text } of await documents()) {
    for (const [, name = ''] of text.matchAll(/\bnpm run (?:-s )?([a-z:]+)/g)) {
      if (scripts[name] === undefined) missing.push(`${path}: npm run ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('every line of the log that the page for people on call names is one that the program writes', async () => {
  const page = await readFile(join(root, 'docs/on-call.md'), 'utf8');
  const [, section = ''] = page.split('## Search the log');
  const lines = [...section.matchAll(/^\| `[^`]+` +\| `([^`]+)`/gm)].map(([, line = '']) => line);
  const sources: string[] = [];
  for await (const path of glob('src/**/*.ts', { cwd: root })) {
    if (!path.endsWith('.test.ts')) sources.push(await readFile(join(root, path), 'utf8'));
  }
  assert.ok(lines.length >= 10);
  assert.deepEqual(
    lines.filter((line) => !sources.some((text) => text.includes(line))),
    [],
  );
});
