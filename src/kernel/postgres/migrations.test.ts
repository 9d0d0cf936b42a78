import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { allMigrations } from '#planes/catalogue.ts';
import { checksumOf } from './migrations.ts';

/** The beginnings of the checksums of migrations that databases have: to change one would leave those behind. */
const LANDED = [
  '6bea2be0e6ce',
  '3cb047d6b027',
  '4a405ce633e5',
  'f350e1175673',
  '8054512e04d4',
  '55c632104757',
  '8ec96a7bec59',
  'e19f122b4660',
  '6cf556237d6e',
  '5ac3f3b49fac',
  '7e04ece0a6bd',
  'a4009ab028dd',
  'd7b611707c62',
  '9fbed6b52845',
  '199fe4771712',
  'ea6267d447d4',
  '79337b24bab6',
  '3bf38f47dad7',
  '7808c820229f',
  '598d76403f9a',
  '2937da072113',
  '5134fabb6c6a',
  '7608d039c833',
  '89eaa569138d',
];

test('a migration that landed is never changed: what follows goes into a new one', () => {
  assert.deepEqual(
    allMigrations()
      .slice(0, LANDED.length)
      .map((migration) => checksumOf(migration).slice(0, 12)),
    LANDED,
  );
});

test('the reference has each table: what a row is, which file writes it, and how long its rows are kept', async () => {
  const sql = allMigrations()
    .map((migration) => migration.sql)
    .join('\n');
  const made = [...sql.matchAll(/create (?:unlogged )?table (?:if not exists )?backline\.(\w+)(?! partition of)/g)];
  const dropped = new Set([...sql.matchAll(/drop table (?:if exists )?backline\.(\w+)/g)].map(([, name]) => name));
  const root = resolve(import.meta.dirname, '../../..');
  const page = await readFile(resolve(root, 'docs/reference/tables.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \| [^|]+ \| [^|]+ \| `([^`]+)` \| [^|]+ \|$/gm)];
  const tables = [...new Set(made.map(([, name = '']) => name))].filter((name) => !dropped.has(name));
  // The migrations' own table is made before the first of them.
  assert.deepEqual(rows.map(([, name]) => name).sort(), [...tables, 'migrations'].sort());
  for (const [, name = '', path = ''] of rows) {
    assert.ok((await readFile(resolve(root, path), 'utf8')).includes(name), `${path} writes ${name}`);
  }
  assert.ok(tables.length > 30);
});
