import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventQueue, type QueuedEvent } from './event-queue.ts';
import type { Transport } from './transport.ts';

function event(id: string, properties: Record<string, unknown> = {}): QueuedEvent {
  return { type: 'play', id, at: '2026-11-22T12:00:00Z', properties };
}

/** A queue in front of whatever answers its posts, and the ids of all events that were taken. */
function queueTo(answer: (events: readonly QueuedEvent[], body: string) => { status: number; text: string } | 'taken') {
  const taken: string[] = [];
  const warnings: string[] = [];
  const bodies: string[] = [];
  const transport: Transport = {
    stream: async () => assert.fail(),
    post: async (_path, body) => {
      bodies.push(body);
      const { events } = JSON.parse(body) as { events: QueuedEvent[] };
      const given = answer(events, body);
      if (given !== 'taken') return { ...given, retryAfterSeconds: undefined };
      taken.push(...events.map(({ id }) => id));
      const results = events.map(() => ({ outcome: 'accepted' }));
      return { status: 200, text: JSON.stringify({ results }), retryAfterSeconds: undefined };
    },
  };
  const queue = new EventQueue(transport, (message) => warnings.push(message));
  return { queue, taken, warnings, bodies };
}

test('an event that is no JSON is dropped alone, with one warning', async () => {
  const { queue, taken, warnings } = queueTo(() => 'taken');
  const round: Record<string, unknown> = {};
  round['self'] = round;
  queue.add(event('a'));
  queue.add(event('big', { plays: 10n }));
  queue.add(event('round', round));
  queue.add(event('b'));
  await queue.close(1_000);
  assert.deepEqual(taken, ['a', 'b']);
  assert.deepEqual([queue.counts.sent, queue.counts.dropped, warnings.length], [2, 2, 1]);
});

test('an event that the app changes after handing it over is sent as it was', async () => {
  const { queue, bodies } = queueTo(() => 'taken');
  const properties = { track: 'one' };
  queue.add(event('a', properties));
  properties.track = 'two';
  await queue.close(1_000);
  assert.match(bodies.join(), /"track":"one"/);
});

test('of a batch that is refused the events are found that are to blame, and all others arrive', async () => {
  const { queue, taken, warnings } = queueTo((events, body) => {
    if (body.length > 60_000) return { status: 413, text: 'too large' };
    return events.some(({ properties }) => properties['bad'] === true) ? { status: 400, text: 'bad' } : 'taken';
  });
  for (let number = 0; number < 499; number += 1)
    queue.add(event(`e${number}`, { pad: 'x'.repeat(1_000), bad: number === 77 }));
  await queue.close(10_000);
  assert.equal(new Set(taken).size, 498);
  assert.deepEqual([queue.counts.sent, queue.counts.dropped], [498, 1]);
  assert.match(warnings.join(), /refused an event with status 400/);
});

test('batches stay below what the server takes', async () => {
  const { queue, taken, bodies } = queueTo((_events, body) =>
    body.length > 4_000_000 ? { status: 413, text: '' } : 'taken',
  );
  for (let number = 0; number < 499; number += 1) queue.add(event(`e${number}`, { pad: 'x'.repeat(10_000) }));
  await queue.close(10_000);
  assert.equal(taken.length, 499);
  assert.ok(bodies.every(({ length }) => length < 1_100_000));
});

const ELSEWHERE: readonly [what: string, answer: { status: number; text: string }][] = [
  ['a page of a proxy with status 200', { status: 200, text: '<html>Please sign in</html>' }],
  ['JSON of something else', { status: 200, text: '{"ok":true}' }],
  ['a key that is not known now', { status: 401, text: '{}' }],
  ['a path that is not there now', { status: 404, text: 'no route' }],
  ['a server that is too busy', { status: 429, text: '' }],
];

for (const [what, answer] of ELSEWHERE) {
  test(`events wait behind ${what}, and arrive afterwards`, async () => {
    let isBack = false;
    const { queue, taken } = queueTo(() => (isBack ? 'taken' : answer));
    queue.add(event('a'));
    await queue.flush();
    assert.deepEqual([queue.counts.waiting, queue.counts.dropped], [1, 0]);
    isBack = true;
    await queue.flush();
    assert.deepEqual([taken, queue.counts.sent], [['a'], 1]);
    await queue.close(10);
  });
}

test('events after the end are counted as dropped, and so are those that could not be sent before it', async () => {
  const { queue, warnings } = queueTo(() => ({ status: 503, text: '' }));
  queue.add(event('a'));
  await queue.close(20);
  queue.add(event('b'));
  queue.add(event('c'));
  assert.deepEqual(queue.counts, { waiting: 0, sent: 0, dropped: 3, quarantined: 0 });
  assert.match(warnings.join('\n'), /1 events could not be sent before the end\nevents that come after close/);
});
