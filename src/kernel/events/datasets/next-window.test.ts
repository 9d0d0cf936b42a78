import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextWindow } from './next-window.ts';

const EARLY = Temporal.Instant.from('2026-03-01T12:00:00Z');
const LATE = Temporal.Instant.from('2026-03-01T12:01:00Z');

test('a bounded window ends after spanMax transactions and does not advance completeUntil', () => {
  const cases = [
    { spanMax: undefined, complete: LATE, want: { untilTx: 100n, until: LATE, span: 90n, isWhole: true } },
    { spanMax: undefined, complete: undefined, want: { untilTx: 100n, until: EARLY, span: 90n, isWhole: true } },
    { spanMax: 90n, complete: LATE, want: { untilTx: 100n, until: LATE, span: 90n, isWhole: true } },
    { spanMax: 89n, complete: LATE, want: { untilTx: 99n, until: EARLY, span: 89n, isWhole: false } },
    { spanMax: 1n, complete: LATE, want: { untilTx: 11n, until: EARLY, span: 1n, isWhole: false } },
  ];
  for (const { spanMax, complete, want } of cases) {
    const before = { untilTx: 10n, completeUntil: EARLY };
    const { after, span, isWhole } = nextWindow(before, { xmin: 100n, complete }, spanMax);
    assert.deepEqual(
      { untilTx: after.untilTx, until: after.completeUntil.toString(), span, isWhole },
      { ...want, until: want.until.toString() },
    );
  }
});

test('completeUntil never goes back', () => {
  const { after } = nextWindow({ untilTx: 10n, completeUntil: LATE }, { xmin: 10n, complete: EARLY }, undefined);
  assert.equal(after.completeUntil.toString(), LATE.toString());
});
