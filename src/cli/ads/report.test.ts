import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliFailure } from '../terminal/failure.ts';
import { instantOf } from './report.ts';

test('a date begins in the zone of the account', () => {
  assert.equal(instantOf('--from', '2026-12-01', 'Europe/Berlin').toString(), '2026-11-30T23:00:00Z');
  assert.equal(instantOf('--from', '2026-12-01T00:00:00Z', 'Europe/Berlin').toString(), '2026-12-01T00:00:00Z');
  for (const text of ['2026-13-01', 'tomorrow', '2026-12-01T00:00']) {
    assert.throws(
      () => instantOf('--until', text, 'UTC'),
      (error) => error instanceof CliFailure && error.message.startsWith(`--until ${text} is no time`),
    );
  }
});
