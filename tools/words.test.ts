import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findHeldWords, HELD } from './words.ts';

test('no word that STYLE.md takes out, and no function that is a participle alone, stands in a held place', async () => {
  const findings = await findHeldWords(HELD);
  assert.deepEqual(
    findings.map(({ path, line, word, text }) => `${path}:${line} ${word}: ${text}`),
    [],
  );
});
