import assert from 'node:assert/strict';
import { mkdtempDisposable, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { diskTrouble } from './disk-trouble.ts';

const IS_LINUX = process.platform === 'linux';

test('a disk without room is named by the system and by SQLite', { skip: !IS_LINUX }, async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'disk-trouble-'));
  const full = await open('/dev/full', 'w');
  const noRoom: unknown = await full.writeFile('x').catch((error: unknown) => error);
  await full.close();
  assert.match(diskTrouble(noRoom) ?? '', /no space left/);
  const openFolder = (): DatabaseSync => new DatabaseSync(folder.path);
  assert.throws(openFolder, (error) => /unable to open/.test(diskTrouble(error) ?? ''));
});

test('other errors are not of a disk: a port for others, a lock that is held, a missing file', () => {
  const others = [
    { code: 'EACCES', syscall: 'listen' },
    { code: 'ERR_SQLITE_ERROR', errcode: 5 },
    { code: 'ENOENT', syscall: 'open' },
    {},
  ];
  for (const other of others) assert.equal(diskTrouble(Object.assign(new Error('x'), other)), undefined);
  assert.equal(diskTrouble('x'), undefined);
});
