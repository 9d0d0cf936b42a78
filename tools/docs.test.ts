import assert from 'node:assert/strict';
import { access, glob, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
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

test('every source file that a document names is there, by the end of its path', async () => {
  const sources: string[] = [];
  for await (const path of glob('{src,clients,tests,tools,bench,examples}/**/*.ts', {
    cwd: root,
    exclude: ['**/node_modules'],
  })) {
    sources.push(`/${path}`);
  }
  const missing: string[] = [];
  for (const { path, text } of await documents()) {
    for (const [, name = ''] of text.matchAll(/`((?:[\w.-]+\/)*[\w.-]+\.ts)`/g)) {
      // Names in capitals stand for a choice of the reader.
      if (/[A-Z]{3}|\bmy-/.test(name)) continue;
      if (!sources.some((source) => source.endsWith(`/${name}`))) missing.push(`${path}: ${name}`);
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

test('the newest version in the changelog is that of the package', async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const changelog = await readFile(join(root, 'CHANGELOG.md'), 'utf8');
  assert.equal(/^## (\d+\.\d+\.\d+)/m.exec(changelog)?.[1], version);
});

const DECISIONS = 'docs/decisions';

test('every decision page has a number, a date and a status, and stands in the index', async () => {
  const index = await readFile(join(root, DECISIONS, 'README.md'), 'utf8');
  const rows = [...index.matchAll(/^\| \[(\d{4})\]\(([^)]+)\) *\| (.+?) *\| (\S+) *\| (.+?) *\|$/gm)].map(
    ([, ...cells]) => cells,
  );
  const pages: string[][] = [];
  for await (const file of glob('[0-9]*.md', { cwd: join(root, DECISIONS) })) {
    const text = await readFile(join(root, DECISIONS, file), 'utf8');
    const [, number = '', title = '', date = '', status = ''] =
      /^# (\d{4})\. (.+)\n\n- Date: (\d{4}-\d{2}-\d{2})\n- Status: (.+)\n/.exec(text) ?? [];
    assert.match(file, new RegExp(`^${number}-[a-z-]+\\.md$`), `${file} begins with number, title, date and status`);
    assert.match(status, /^(accepted|superseded by \[\d{4}\]\(\d{4}-[a-z-]+\.md\))/, `${file} has a status`);
    for (const section of ['Decision', 'Why', 'What was measured'])
      assert.match(text, new RegExp(`^## ${section}$`, 'm'), file);
    pages.push([number, file, title, date, status]);
  }
  pages.sort(([a = ''], [b = '']) => a.localeCompare(b));
  assert.deepEqual(rows, pages);
  assert.equal(new Set(pages.map(([number]) => number)).size, pages.length);
});

/** Folders whose subfolders are rooms; a part that is one room as a whole is a folder of one. */
const ROOMS = [
  'src/kernel/*',
  'src/domains/*',
  'src/planes',
  'src/planes/*',
  'src/cli',
  'src/cli/*',
  'src/simulation',
  'clients/*',
];
const ROOM_LINES_MIN = 500;
const README_LINES_MAX = 80;
const SECTIONS = ['Purpose', 'Words', 'How it works', 'Invariants', 'Limits'];

async function linesIn(room: string): Promise<number> {
  let lines = 0;
  for await (const path of glob(`${room}/**/*.ts`, { cwd: root, exclude: ['**/node_modules', '**/dist'] })) {
    if (/\.test\.ts$|\/testing\//.test(path)) continue;
    lines += (await readFile(join(root, path), 'utf8')).split('\n').length - 1;
  }
  return lines;
}

test('every room of more than 500 lines has a README of at most 80 lines with the same five sections', async () => {
  const faults: string[] = [];
  for await (const entry of glob(ROOMS, { cwd: root, withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const room = relative(root, join(entry.parentPath, entry.name));
    if ((await linesIn(room)) <= ROOM_LINES_MIN) continue;
    const text = await readFile(join(root, room, 'README.md'), 'utf8').catch(() => '');
    const sections = [...text.matchAll(/^## (.+)$/gm)].map(([, name]) => name);
    const missing = SECTIONS.filter((name) => !sections.includes(name));
    const lines = text.split('\n').length - 1;
    if (missing.length > 0) faults.push(`${room}: README.md lacks ${missing.join(', ')}`);
    if (lines > README_LINES_MAX) faults.push(`${room}: README.md has ${lines} lines`);
  }
  assert.deepEqual(faults, []);
});
