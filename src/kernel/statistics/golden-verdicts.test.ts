import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { goldenVerdicts } from './testing/golden-readings.ts';

const FILE = new URL('testing/golden-verdicts.txt', import.meta.url);

/**
 * A change of verdicts needs a new `judgeVersion`. BACKLINE_KEEP_VERDICTS=1 rewrites the file; review the difference.
 */
test('verdicts of this version on kept readings stay the same, to the last figure', () => {
  const verdicts = goldenVerdicts();
  if (process.env['BACKLINE_KEEP_VERDICTS'] !== undefined) writeFileSync(FILE, `${verdicts.join('\n')}\n`);
  const kept = readFileSync(FILE, 'utf8').trimEnd().split('\n');
  assert.equal(verdicts.length, kept.length);
  for (const [index, line] of verdicts.entries()) assert.equal(line, kept[index]);
});
