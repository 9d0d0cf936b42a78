import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { keptVerdicts } from './testing/kept-readings.ts';

const FILE = new URL('testing/kept-verdicts.txt', import.meta.url);

/**
 * Whoever changes what the judge says raises `judgeVersion`, writes the file anew with BACKLINE_KEEP_VERDICTS=1, and reads
 * the difference.
 */
test('what the judge of this version says of kept readings stays the same, to the last figure', () => {
  const said = keptVerdicts();
  if (process.env['BACKLINE_KEEP_VERDICTS'] !== undefined) writeFileSync(FILE, `${said.join('\n')}\n`);
  const kept = readFileSync(FILE, 'utf8').trimEnd().split('\n');
  assert.equal(said.length, kept.length);
  for (const [index, line] of said.entries()) assert.equal(line, kept[index]);
});
