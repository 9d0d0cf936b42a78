import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LATE, within, type Time } from './time.ts';

/** Time that passes when a test moves it. */
function heldTime(): Time & { readonly pass: () => void; readonly waiting: () => number } {
  const calls = new Set<() => void>();
  return {
    nowMs: () => 0,
    after: (_, call) => {
      calls.add(call);
      return () => calls.delete(call);
    },
    pass: () => {
      for (const call of calls) call();
    },
    waiting: () => calls.size,
  };
}

test('work within its limit gives its result or its error, work beyond it is late, and no timer is left', async () => {
  const time = heldTime();
  assert.equal(await within(Promise.resolve(1), 10, time), 1);
  await assert.rejects(within(Promise.reject(new Error('no')), 10, time), /no/);
  const { promise, reject } = Promise.withResolvers<never>();
  const late = within(promise, 10, time);
  time.pass();
  assert.equal(await late, LATE);
  // Nobody hears of it any more: an error that nobody takes would end the process.
  reject(new Error('much later'));
  assert.equal(time.waiting(), 0);
});
