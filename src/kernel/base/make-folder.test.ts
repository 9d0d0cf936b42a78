import assert from 'node:assert/strict';
import { mkdir, mkdtempDisposable, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder } from './make-folder.ts';

test('a folder is made with those above it, and the first of them is returned', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'make-folder-'));
  const deep = join(directory.path, 'a/b/c');
  assert.equal(await makeFolder(deep, 0o700), join(directory.path, 'a'));
  assert.equal((await stat(deep)).mode & 0o777, 0o700);
  assert.equal(await makeFolder(deep), undefined);
  assert.equal((await stat(deep)).mode & 0o777, 0o700, 'what is there stays as it is');
  await symlink(deep, join(directory.path, 'link'));
  assert.equal(await makeFolder(join(directory.path, 'link')), undefined);
});

test('processes that make the same folder at once all have it', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'make-folder-'));
  const deep = join(directory.path, 'a/b/c/d');
  await Promise.all(Array.from({ length: 20 }, () => makeFolder(deep)));
  assert.ok((await stat(deep)).isDirectory());
});

test('a folder that cannot be made is refused, and nothing goes on trying', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'make-folder-'));
  const file = join(directory.path, 'file');
  await writeFile(file, '');
  await mkdir(join(directory.path, 'folder'));
  await symlink(join(directory.path, 'nowhere'), join(directory.path, 'dangling'));
  await assert.rejects(makeFolder(file), { code: 'EEXIST' });
  await assert.rejects(makeFolder(join(file, 'below')), { code: 'ENOTDIR' });
  await assert.rejects(makeFolder(join(directory.path, 'dangling')), { code: 'EEXIST' });
  await assert.rejects(makeFolder(join(directory.path, 'dangling/below')), { code: 'EEXIST' });
});

test(
  'a filesystem that has no folders of others is refused at once',
  { skip: process.platform !== 'linux' },
  async () => {
    for (const path of ['/proc/x', '/proc/x/y/z']) await assert.rejects(makeFolder(path), { code: 'ENOENT' });
  },
);
