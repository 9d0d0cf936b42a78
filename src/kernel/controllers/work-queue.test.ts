import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualTime } from './testing/virtual-time.ts';
import { WorkQueue } from './work-queue.ts';

const LIMITS = { retryMsFirst: 10, retryMsMax: 100, retriesPerSecond: 100, retriesAtOnce: 3 };
const noChance = () => 1;

/** The rules of the queue, written down without regard for speed. */
class NaiveQueue {
  nowMs = 0;
  ready: string[] = [];
  working: string[] = [];
  again: string[] = [];
  delayed: { key: string; atMs: number }[] = [];
  retries: string[] = [];
  /** When each repetition was asked for that took from the bucket. */
  tokensAtMs: number[] = [];

  add(key: string): void {
    if (this.working.includes(key)) {
      if (!this.again.includes(key)) this.again.push(key);
    } else if (!this.ready.includes(key)) this.ready.push(key);
  }

  addAfter(key: string, ms: number): void {
    if (ms <= 0) return this.add(key);
    const atMs = this.nowMs + ms;
    const sooner = this.delayed.find((one) => one.key === key && one.atMs <= atMs);
    if (sooner !== undefined) return;
    this.delayed = [...this.delayed.filter((one) => one.key !== key), { key, atMs }];
  }

  retry(key: string): void {
    const before = this.retries.filter((one) => one === key).length;
    this.retries.push(key);
    const backOffMs = Math.min(LIMITS.retryMsFirst * 2 ** before, LIMITS.retryMsMax);
    this.addAfter(key, Math.max(backOffMs, this.bucketWaitMs()));
  }

  /** The bucket, refilled by hand: each token is there `msEach` after the one before it was due. */
  bucketWaitMs(): number {
    const msEach = 1000 / LIMITS.retriesPerSecond;
    this.tokensAtMs.push(this.nowMs);
    let fullAtMs = 0;
    for (const atMs of this.tokensAtMs) fullAtMs = Math.max(fullAtMs, atMs) + msEach;
    return Math.max(0, fullAtMs - LIMITS.retriesAtOnce * msEach - this.nowMs);
  }

  take(): string | undefined {
    const key = this.ready.shift();
    if (key !== undefined) this.working.push(key);
    return key;
  }

  finish(key: string): void {
    this.working = this.working.filter((one) => one !== key);
    if (!this.again.includes(key)) return;
    this.again = this.again.filter((one) => one !== key);
    this.add(key);
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      // Of those due at the same moment the one that was asked for first.
      const [next] = this.delayed.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.nowMs = next.atMs;
      this.delayed = this.delayed.filter((one) => one !== next);
      this.add(next.key);
    }
    this.nowMs = untilMs;
  }
}

const key = fc.constantFrom('a', 'b', 'c', 'd');
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key }),
  fc.record({ do: fc.constant('addAfter' as const), key, ms: fc.integer({ min: -1, max: 60 }) }),
  fc.record({ do: fc.constant('retry' as const), key }),
  fc.record({ do: fc.constant('forget' as const), key }),
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('done' as const), which: fc.nat(3) }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 80 }) }),
);

test('the queue hands out the same keys in the same order as its rules written down naively', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const time = new VirtualTime();
      const queue = new WorkQueue({ time, random: noChance, limits: LIMITS });
      const naive = new NaiveQueue();
      for (const one of steps) {
        switch (one.do) {
          case 'add':
            queue.add(one.key);
            naive.add(one.key);
            break;
          case 'addAfter':
            queue.addAfter(one.key, one.ms);
            naive.addAfter(one.key, one.ms);
            break;
          case 'retry':
            queue.retry(one.key);
            naive.retry(one.key);
            break;
          case 'forget':
            queue.forget(one.key);
            naive.retries = naive.retries.filter((other) => other !== one.key);
            break;
          case 'take': {
            const expected = naive.take();
            if (expected !== undefined) assert.equal(await queue.take(), expected);
            break;
          }
          case 'done': {
            const working = naive.working[one.which % Math.max(1, naive.working.length)];
            if (working === undefined) break;
            queue.finish(working);
            naive.finish(working);
            break;
          }
          case 'advance':
            time.advance(one.ms);
            naive.advance(one.ms);
            break;
        }
        assert.equal(queue.depth, naive.ready.length + naive.again.length);
      }
    }),
    { numRuns: 500 },
  );
});

test('a caller that waits for a key gets it when it comes, in the order of asking', async () => {
  const queue = new WorkQueue({ time: new VirtualTime() });
  const taken = [queue.take(), queue.take()];
  queue.add('a');
  queue.add('b');
  assert.deepEqual(await Promise.all(taken), ['a', 'b']);
});

test('the back-off of a key varies by half and never leaves its bounds', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 12 }), (chance, times) => {
      const time = new VirtualTime();
      const queue = new WorkQueue({ time, random: () => chance, limits: { retryMsFirst: 10, retryMsMax: 1000 } });
      for (let count = 1; count < times; count += 1) {
        queue.retry('a');
        time.advance(1000);
        void queue.take();
        queue.finish('a');
      }
      const longest = Math.min(10 * 2 ** (times - 1), 1000);
      queue.retry('a');
      time.advance(longest / 2 - 0.001);
      assert.equal(queue.depth, 0);
      time.advance(longest / 2 + 0.001);
      assert.equal(queue.depth, 1);
    }),
  );
});

test('a queue that stops waits for what is in work, hands out nothing more and takes nothing more', async () => {
  const time = new VirtualTime();
  const queue = new WorkQueue({ time });
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 10);
  assert.equal(await queue.take(), 'a');
  const waiting = (async () => {
    for (let taken = await queue.take(); taken !== undefined; taken = await queue.take()) queue.finish(taken);
  })();
  queue.add('a');
  let stopped = false;
  const stop = queue.stop().then(() => (stopped = true));
  await waiting;
  queue.add('d');
  time.advance(20);
  assert.deepEqual([stopped, queue.depth], [false, 0]);
  queue.finish('a');
  await stop;
  assert.equal(await queue.take(), undefined);
});
