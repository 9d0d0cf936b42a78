import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atOnce, inTurns, type Steps } from './turns.ts';

/** Work of steps that each hold the event loop for a millisecond. */
function* heavy(name: string, steps: number, seen: string[]): Steps<string> {
  for (let step = 0; step < steps; step += 1) {
    const endMs = performance.now() + 1;
    while (performance.now() < endMs);
    seen.push(name);
    yield;
  }
  return name;
}

test('work in turns lets others run between its slices, and each other in order', async () => {
  const seen: string[] = [];
  let isOver = false;
  const others = (async () => {
    while (!isOver) {
      await new Promise(setImmediate);
      seen.push('-');
    }
  })();
  const results = await Promise.all(['a', 'b', 'c'].map((name) => inTurns(heavy(name, 30, seen))));
  isOver = true;
  await others;
  assert.deepEqual(results, ['a', 'b', 'c']);
  // A slice is five steps of a millisecond; the first step of each is done when it comes.
  const turns = seen
    .join('')
    .split('-')
    .filter((turn) => turn !== '');
  assert.ok(turns.length >= 15, seen.join(''));
  for (const turn of turns.slice(1)) {
    assert.equal(new Set(turn).size, 1, seen.join(''));
    assert.ok(turn.length <= 6, seen.join(''));
  }
  assert.match(
    seen
      .join('')
      .replaceAll('-', '')
      .replaceAll(/(.)\1*/g, '$1'),
    /^abc(abc)+/,
  );
});

test('work of one step waits for nobody, and work at once for nothing', async () => {
  const seen: string[] = [];
  const long = inTurns(heavy('long', 20, seen));
  assert.equal(await inTurns(heavy('short', 0, seen)), 'short');
  assert.ok(seen.length < 20);
  assert.equal(atOnce(heavy('now', 3, seen)), 'now');
  assert.equal(await long, 'long');
});
