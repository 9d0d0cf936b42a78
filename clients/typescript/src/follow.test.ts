import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followStream, linesOf } from './follow.ts';

/** Time that passes when something waits for it. */
function jumpingTime(untilMs: number, stop: () => void) {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    after: (ms: number, call: () => void) => {
      // The watchdog of a stream is called off before it comes.
      if (ms === 45_000) return () => {};
      const timer = setImmediate(() => {
        nowMs += ms;
        if (nowMs > untilMs) stop();
        call();
      });
      return () => clearImmediate(timer);
    },
  };
}

test('a server that ends each stream after its first line is asked less and less', async () => {
  const stopping = new AbortController();
  let streams = 0;
  const text = new TextEncoder().encode('{"type":"alive","version":"1","digest":"a"}\n');
  await followStream({
    transport: {
      stream: async () => {
        streams += 1;
        return (async function* () {
          yield text;
        })();
      },
      post: async () => assert.fail(),
    },
    place: () => undefined,
    take: () => {},
    onConnect: () => {},
    onLoss: () => {},
    signal: stopping.signal,
    time: jumpingTime(150_000, () => stopping.abort()),
  });
  assert.ok(streams > 5 && streams < 25, `${streams} streams in 150 s`);
});

test('lines come whole from pieces cut anywhere, also within a character', async () => {
  const bytes = new TextEncoder().encode('{"a":"å🎧"}\n\n{"b":1}\nno end');
  for (let size = 1; size < 8; size += 1) {
    const pieces = (async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
    })();
    const lines: string[] = [];
    for await (const line of linesOf(pieces)) lines.push(line);
    assert.deepEqual(lines, ['{"a":"å🎧"}', '', '{"b":1}']);
  }
});
