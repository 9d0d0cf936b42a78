import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { fieldPath } from '#kernel/base/failures.ts';
import { decodeManifests } from '#kernel/api/codec/manifests.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { shapeProblems } from '#kernel/store/rules/write.ts';
import { allKinds } from '../src/planes/catalogue.ts';

const docs = resolve(import.meta.dirname, '../docs');

test('the objects that guides show whole fit the schemas of their kinds', async () => {
  const kinds = allKinds().all;
  let held = 0;
  for (const name of await readdir(docs)) {
    if (!name.endsWith('.md')) continue;
    const text = await readFile(resolve(docs, name), 'utf8');
    for (const [, block = ''] of text.matchAll(/```yaml\n(.*?)```/gs)) {
      // A block for the reader to fill in, or a part of an object.
      if (block.includes('…') || !block.includes('apiVersion:')) continue;
      for (const { value } of decodeManifests(block)) {
        const object = value as ResourceObject;
        const kind = kinds.find((one) => one.apiVersion === object.apiVersion && one.kind === object.kind);
        assert.ok(kind !== undefined, `${name}: ${object.apiVersion} ${object.kind}`);
        const problems = shapeProblems(kind, object).map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
        assert.deepEqual(problems, [], `${name}: ${object.metadata.name ?? ''}`);
        held += 1;
      }
    }
  }
  assert.ok(held >= 5, `${held} objects`);
});
