import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { CliFailure } from '../terminal/failure.ts';
import { readManifests } from './manifest-files.ts';
import { fakeIo } from '../testing/fake-io.ts';

async function world(t: TestContext, stdin = '') {
  const directory = await mkdtemp(join(tmpdir(), 'backline-cli-'));
  t.after(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, 'b/deep'), { recursive: true });
  await mkdir(join(directory, 'b/.hidden'));
  await writeFile(join(directory, 'b/2.yaml'), 'kind: B2\n---\nkind: B3\n');
  await writeFile(join(directory, 'b/1.yml'), '# first\nkind: B1\n');
  await writeFile(join(directory, 'b/deep/3.json'), '{"kind": "B4"}');
  await writeFile(join(directory, 'b/README.md'), 'kind: X');
  await writeFile(join(directory, 'b/.hidden/x.yaml'), 'kind: X');
  await writeFile(join(directory, 'wrong.yaml'), 'kind: A\nkind: B\n');
  await writeFile(join(directory, 'empty.yaml'), '# nothing\n');
  return fakeIo({ directory, stdin });
}

test('files, folders with what is below them, and standard input are read in order, with their places', async (t) => {
  const io = await world(t, 'kind: S\n');
  const declared = await readManifests(['-', 'b', 'b/1.yml'], io);
  assert.deepEqual(
    declared.map(({ object, place }) => [object['kind'], place(['kind'])]),
    [
      ['S', 'standard input:1'],
      ['B1', 'b/1.yml:2'],
      ['B2', 'b/2.yaml:1'],
      ['B3', 'b/2.yaml:3'],
      ['B4', 'b/deep/3.json:1'],
      ['B1', 'b/1.yml:2'],
    ],
  );
});

for (const [name, files, message] of [
  ['a file that is not there', ['nope.yaml'], /there is no file or folder nope\.yaml/],
  ['a file that is wrong', ['wrong.yaml'], /^wrong\.yaml: line 1: the key kind is given twice/],
  ['nothing to declare', ['empty.yaml'], /there are no objects in empty\.yaml/],
] as const) {
  test(`files that cannot be used are named: ${name}`, async (t) => {
    const io = await world(t);
    await assert.rejects(
      readManifests(files, io),
      (error) => error instanceof CliFailure && message.test(error.message),
    );
  });
}
