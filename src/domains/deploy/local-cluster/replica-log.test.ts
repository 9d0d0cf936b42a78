import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lastLine, readLog } from './replica-log.ts';

test('the last line has no colours and nothing that a database refuses', async (t) => {
  const folder = await folderWith(t, '\u001b[31mError: no\0 host\u001b[0m\u0007\n');
  assert.equal(await lastLine(folder), 'Error: no host');
});

test('of a log the last lines are read, so many characters at most', async (t) => {
  const folder = await folderWith(t, 'one\ntwo\nthree\n');
  assert.deepEqual(await readLog(folder, { linesMax: 10, charsMax: 8 }), ['two', 'three']);
  assert.deepEqual(await readLog(folder, { linesMax: 1, charsMax: 8 }), ['three']);
  assert.deepEqual(await readLog(folder, { linesMax: 10, charsMax: 4 }), []);
  assert.deepEqual(await readLog(folder, { linesMax: 10, charsMax: 11 }), ['one', 'two', 'three']);
});

async function folderWith(t: { after: (end: () => Promise<void>) => void }, log: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'replica-log-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'log'), log);
  return folder;
}
