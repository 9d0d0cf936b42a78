import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import type { QueuedObject } from './change-queue.ts';
import { ObjectBackOff } from './object-back-off.ts';

const NODE: QueuedObject = { kind: 'Node', name: 'a', origins: [{ write: 1, version: 1, user: 'ann' }] };
const KEY = 'Node a';

function start() {
  const timers = new Set<{ readonly ms: number; readonly call: () => void }>();
  const retried: QueuedObject[] = [];
  const backOff = new ObjectBackOff({
    time: {
      after: (ms, call) => {
        const timer = { ms, call };
        timers.add(timer);
        return () => void timers.delete(timer);
      },
    },
    logError: () => {},
    retry: (object) => retried.push(object),
  });
  const fire = () => {
    const [timer] = timers;
    if (timer !== undefined) timers.delete(timer);
    timer?.call();
    return timer?.ms;
  };
  return { backOff, timers, retried, fire };
}

test('an object that fails is tried again after twice as long each time, up to the most', () => {
  const { backOff, retried, fire } = start();
  const waits = Array.from({ length: 7 }, () => {
    backOff.fail(NODE, new Error('broken'));
    assert.equal(backOff.isWaiting(NODE), true);
    const ms = fire();
    assert.equal(backOff.isWaiting(NODE), false);
    return ms;
  });
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  assert.equal(retried.length, 7);
  assert.ok(retried.every((one) => one === NODE));
});

test('the error of an object holds it until it is due and tried', () => {
  const { backOff, fire } = start();
  assert.equal(backOff.problemsOf(KEY, true), undefined);
  backOff.fail(NODE, new Error('broken'));
  const [problem] = backOff.problemsOf(KEY, true) ?? [];
  assert.equal(problem?.detail, 'internal error: broken');
  fire();
  assert.equal(backOff.problemsOf(KEY, false)?.length, 1);
  assert.equal(backOff.problemsOf(KEY, true), undefined);
});

test('a refusal holds an object by its own problems, or by its sentence', () => {
  const { backOff } = start();
  const problem = { path: ['spec'], reason: 'FieldValueInvalid', detail: 'too large' } as const;
  backOff.fail(NODE, new Refusal('resources/invalid', 'Invalid', 'No', { problems: [problem] }));
  assert.deepEqual(backOff.problemsOf(KEY, true), [{ ...problem, cause: 'BackOff' }]);
  backOff.fail(NODE, new Refusal('resources/invalid', 'Invalid', 'It is not possible'));
  assert.deepEqual(
    backOff.problemsOf(KEY, true)?.map(({ detail }) => detail),
    ['It is not possible'],
  );
});

test('one timer runs for an object, and none after it is cleared or the engine stops', () => {
  const { backOff, timers } = start();
  backOff.fail(NODE, new Error('broken'));
  backOff.fail(NODE, new Error('again'));
  assert.equal(timers.size, 1);
  backOff.clear(KEY);
  assert.equal(timers.size, 0);
  assert.equal(backOff.problemsOf(KEY, false), undefined);
  backOff.fail(NODE, new Error('anew'));
  assert.deepEqual(
    [...timers].map(({ ms }) => ms),
    [500],
  );
  backOff.stop();
  assert.equal(timers.size, 0);
});
