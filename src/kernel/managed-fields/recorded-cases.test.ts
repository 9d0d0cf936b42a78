import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { runCase, type RecordedCases } from './testing/smd-cases.ts';

/** Public test data, which is not part of the project; the folder has `smd-cases.json.gz`. */
const DATA = process.env['BACKLINE_TEST_DATA'];
const COUNT = 366;

test(
  `${COUNT} transitions that were recorded from Kubernetes come out alike`,
  { skip: DATA === undefined ? 'SKIPPED: BACKLINE_TEST_DATA names no folder with smd-cases.json.gz' : false },
  () => {
    const text = gunzipSync(readFileSync(join(DATA ?? '', 'smd-cases.json.gz'))).toString();
    const recorded = JSON.parse(text) as RecordedCases;
    assert.equal(recorded.cases.length, COUNT);
    const counts = new Map<string, number>();
    for (const [index, one] of recorded.cases.entries()) {
      const ordinal = counts.get(one.test) ?? 0;
      counts.set(one.test, ordinal + 1);
      const { live, managers, conflicts, error } = one;
      const expected = { live, managers, ...(conflicts && { conflicts }), ...(error !== undefined && { error }) };
      assert.deepEqual(runCase(recorded, one, ordinal), expected, `case ${index} (${one.test})`);
    }
  },
);
