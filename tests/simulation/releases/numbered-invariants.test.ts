import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '../../..');

test('each invariant of releases has a number, and a story that begins with it', async () => {
  const readme = await readFile(resolve(ROOT, 'src/kernel/releases/README.md'), 'utf8');
  const numbers = [...readme.matchAll(/^- \*\*I(\d+)\*\* /gm)].map(([, number]) => Number(number));
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
  );
  const storied = new Set<number>();
  for await (const path of glob('{src/kernel/releases,tests/simulation/releases}/**/*.test.ts', { cwd: ROOT })) {
    const text = await readFile(resolve(ROOT, path), 'utf8');
    for (const [, number] of text.matchAll(/test\('I(\d+): /g)) storied.add(Number(number));
  }
  assert.deepEqual(
    [...storied].toSorted((a, b) => a - b),
    numbers,
  );
});
