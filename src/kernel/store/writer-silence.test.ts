import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WriterRow } from './writer-row.ts';
import { countAnew, isTooSilent, isUnattended, NO_SILENCE, silenceAfter } from './writer-silence.ts';

const LIMITS = { silentLooks: 3, beatMs: 100 };
const ADDRESS = { url: 'https://writer', ca: '', secret: '' };

function row(more: Partial<WriterRow> = {}): WriterRow {
  return { epoch: 1, version: 10, beat: 5, patienceMs: 0, address: ADDRESS, ...more };
}

/** Whether each look in turn finds the writer too silent. */
function findSilence(rows: readonly WriterRow[]): readonly boolean[] {
  let silence = NO_SILENCE;
  return rows.map((one) => {
    silence = silenceAfter(silence, one);
    return isTooSilent(silence, one, LIMITS);
  });
}

test('a writer is too silent when nothing of it changes for so many looks after the first', () => {
  assert.deepEqual(findSilence([row(), row(), row(), row()]), [false, false, false, true]);
});

test('any sign of life begins the count anew', () => {
  for (const sign of [{ beat: 6 }, { version: 11 }, { epoch: 2 }]) {
    const rows = [row(), row(), row(), row(sign), row(sign), row(sign), row(sign)];
    assert.deepEqual(findSilence(rows), [false, false, false, false, false, false, true], JSON.stringify(sign));
  }
});

test('a long statement gives the writer as many looks more, and one without an address is never silent', () => {
  const patient = row({ patienceMs: 200 });
  assert.deepEqual(findSilence(Array.from({ length: 6 }, () => patient)), [false, false, false, false, false, true]);
  const unreachable = row({ address: undefined });
  assert.deepEqual(new Set(findSilence(Array.from({ length: 20 }, () => unreachable))), new Set([false]));
});

test('a writer whose place nobody takes is unattended after as many looks again, until there is a sign of life', () => {
  let silence = NO_SILENCE;
  const unattended = [row(), row(), row(), row(), row(), row(), row(), row({ beat: 6 })].map((one) => {
    silence = silenceAfter(silence, one);
    const is = isUnattended(silence, one, LIMITS);
    if (isTooSilent(silence, one, LIMITS)) silence = countAnew(silence);
    return is;
  });
  assert.deepEqual(unattended, [false, false, false, false, false, false, true, false]);
});
