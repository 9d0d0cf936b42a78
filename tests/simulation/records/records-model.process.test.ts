import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playRecords } from './model.ts';

/** More by command: BACKLINE_RECORDS_STEPS=2000 BACKLINE_TEST_SEED=7 npm test -- tests/simulation/records */
const STEPS = Number(process.env['BACKLINE_RECORDS_STEPS'] ?? 400);
const KILLS = Math.max(1, Math.round(STEPS / 300));
const seed = Number(process.env['BACKLINE_TEST_SEED'] ?? 1);

test(
  'whatever is asked of records and use, repeated, raced and killed, is answered as by one clerk',
  { timeout: Math.max(240_000, STEPS * 500) },
  async (t) => {
    t.diagnostic(`BACKLINE_TEST_SEED=${seed}`);
    const counts = await playRecords(t, { seed, steps: STEPS, kills: KILLS });
    t.diagnostic(JSON.stringify(Object.fromEntries([...counts].sort())));
    for (const what of ['killed', 'repeated', 'asked again', 'refund', 'commit', 'return', 'part', 'end']) {
      assert.ok((counts.get(what) ?? 0) > 0, `${what} never happened`);
    }
  },
);
