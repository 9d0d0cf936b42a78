import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBuckets } from './check-request.ts';
import { bucket } from '../testing/bucket.ts';
import type { WindowSpec } from './window-spec.ts';

test('a window passes from the cache for itself alone, not for one with similar text', () => {
  const check = (window: WindowSpec, at?: string): void => {
    checkBuckets([bucket('plan', 5, { window, ...(at === undefined ? {} : { anchor: { at, zone: 'UTC' } }) })]);
  };
  for (let times = 0; times < 2; times += 1) {
    check({ type: 'calendar', per: 'P1D', zone: 'Europe/Berlin' });
    check({ type: 'calendar', per: 'P1D' }, '2026-01-31');
    check({ type: 'anchored', per: 'P1M' }, '2026-01-31T15:00');
    for (const wrong of [
      { type: 'calendar', per: 'P1D Europe/Berlin' },
      { type: 'calendar', per: 'P1D', zone: '' },
      { type: 'calendar', per: 'P1D', zone: 'undefined' },
      { type: 'rolling', per: 'P1D' },
    ] as const) {
      assert.throws(() => check(wrong, '2026-01-31'), { code: 'quotas/wrong-bucket' }, JSON.stringify(wrong));
    }
    assert.throws(() => check({ type: 'anchored', per: 'P1M' }, '2026-02-31T15:00'), { code: 'quotas/wrong-bucket' });
    assert.throws(() => check({ type: 'anchored', per: 'P1M' }), { code: 'quotas/anchor-missing' });
  }
});
