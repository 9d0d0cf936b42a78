import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findWords } from './words.ts';

/** Where no word is that STYLE.md takes out. Only grows. */
const HELD = ['CONTRIBUTING.md', 'docs/how-to', 'src/cli/terminal', 'src/kernel/modules', 'tools'];

test('no word that is out stands where they have been taken out', async () => {
  // The finder names the endings that it looks for.
  const findings = (await findWords(HELD)).filter(({ path }) => path !== 'tools/words.ts');
  assert.deepEqual(
    findings.map(({ path, line, word, text }) => `${path}:${line} ${word}: ${text}`),
    [],
  );
});
