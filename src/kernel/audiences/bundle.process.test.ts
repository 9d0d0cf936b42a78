import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const EVALUATING = [
  'allocation.ts',
  'index/audience-index.ts',
  'check-context.ts',
  'compile-audience.ts',
  'bucketing/compile-slot.ts',
];

test('the evaluator can be bundled for other programs, without schemas, kinds and external services', async () => {
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(new URL('.', import.meta.url)),
    entryPoints: EVALUATING,
    outdir: 'never-written',
    write: false,
    bundle: true,
    metafile: true,
    format: 'esm',
    platform: 'node',
  });
  const inputs = Object.keys(metafile.inputs);
  assert.deepEqual(
    inputs.filter((path) => /typebox|kinds\/(attribute|audience)|kernel\/(resources|base)/.test(path)),
    [],
  );
  assert.ok(inputs.some((path) => path.includes('semver')));
  const outside = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  assert.deepEqual(
    new Set(outside.filter((path) => path.startsWith('node:') || !path.startsWith('.'))),
    new Set(['node:crypto']),
  );
});
