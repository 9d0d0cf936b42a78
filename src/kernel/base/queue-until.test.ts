import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineError } from './failures.ts';
import { queueUntil } from './queue-until.ts';

function deadline(): DeadlineError {
  return new DeadlineError('http/deadline', 'Timeout', 'The deadline has passed.');
}

test('an item that waits in a queue leaves it when its signal fires, and a taken one does not', () => {
  const queue: string[] = [];
  const left: unknown[] = [];
  const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
  queueUntil(queue, 'first', first.signal, (why) => left.push(why));
  queueUntil(queue, 'second', second.signal, (why) => left.push(why));
  queueUntil(queue, 'third', third.signal, (why) => left.push(why));
  queueUntil(queue, 'for ever', undefined, (why) => left.push(why));
  assert.equal(queue.shift(), 'first');
  const [taken, dropped] = [deadline(), deadline()];
  first.abort(taken);
  second.abort(dropped);
  third.abort('gone');
  assert.deepEqual(queue, ['for ever']);
  assert.deepEqual(left, [dropped, 'gone']);
  assert.deepEqual([taken.wasUndone, dropped.wasUndone], [false, true]);
});

test('a request is not undone when one of its works was taken, whichever came first', () => {
  for (const isFirstTaken of [true, false]) {
    const queue: string[] = [];
    const request = new AbortController();
    queueUntil(queue, 'first', request.signal, () => {});
    queueUntil(queue, 'second', request.signal, () => {});
    if (isFirstTaken) queue.shift();
    else queue.pop();
    const passed = deadline();
    request.abort(passed);
    assert.deepEqual([queue, passed.wasUndone], [[], false]);
  }
});

test('an item whose signal has fired never enters the queue', () => {
  const queue: string[] = [];
  const left: unknown[] = [];
  queueUntil(queue, 'late', AbortSignal.abort('over'), (why) => left.push(why));
  assert.deepEqual([queue, left], [[], ['over']]);
});
