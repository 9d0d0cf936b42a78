import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSegmentBatch } from './read-batch.ts';
import { readSegmentEvent } from './segment.ts';
import { eventTypes, tableOf } from './testing/table.ts';

const table = tableOf({ ...eventTypes, 'page-seen': { ...eventTypes.identify, segment: { call: 'page' } } });
const base = { messageId: 'm1', timestamp: '2026-05-01T12:00:00Z', context: { ip: '192.0.2.1' }, integrations: {} };

test('calls of Segment’s libraries become events of the declared type, or of the one with the name of the call', () => {
  const cases: [object, object][] = [
    [
      { type: 'track', event: 'Song Played', userId: 'u1', anonymousId: 'a1', properties: { track: 't' } },
      { type: 'play', subject: 'u1', properties: { track: 't' } },
    ],
    [
      { type: 'track', event: 'App Opened', anonymousId: 'a1' },
      { type: 'app-opened', subject: 'a1' },
    ],
    [
      { type: 'track', event: 'App Opened', userId: '', anonymousId: 'a1' },
      { type: 'app-opened', subject: 'a1' },
    ],
    [
      { type: 'track', event: 'App Opened', userId: '' },
      { type: 'app-opened', subject: undefined },
    ],
    [
      { type: 'track', event: 'appOpened', userId: 7 },
      { type: 'app-opened', subject: '7' },
    ],
    [{ type: 'track', event: ' -- Ünder_way! ', userId: 'u1' }, { type: 'nder-way' }],
    [
      { type: 'identify', userId: 'u1', traits: { country: 'de' } },
      { type: 'identify', properties: { country: 'de' } },
    ],
    [
      { type: 'page', userId: 'u1', name: 'Home', properties: { path: '/' } },
      { type: 'page-seen', properties: { name: 'Home', path: '/' } },
    ],
    [
      { type: 'screen', name: 'Home', category: null },
      { type: 'screen', properties: { name: 'Home' } },
    ],
    [
      { type: 'group', groupId: 'g1', traits: { size: 4 } },
      { type: 'group', properties: { groupId: 'g1', size: 4 } },
    ],
    [
      { type: 'alias', userId: 'u1', previousId: 'a1' },
      { type: 'alias', properties: { previousId: 'a1' } },
    ],
  ];
  for (const [message, expected] of cases) {
    const event = readSegmentEvent({ ...base, ...message }, table);
    const { type, subject, properties } = event;
    assert.deepEqual(
      Object.fromEntries(Object.entries({ type, subject, properties }).filter(([name]) => name in expected)),
      expected,
    );
    assert.deepEqual([event.id, event.at, event.fault], ['m1', base.timestamp, undefined]);
  }
});

test('a batch in Segment’s format has one time of sending', () => {
  const { sentMs, events } = readSegmentBatch(
    { batch: [{ ...base, type: 'track' }, 3], sentAt: base.timestamp },
    table,
  );
  assert.equal(sentMs, Date.parse(base.timestamp));
  assert.equal(events[1]?.fault, 'a message must be an object');
  assert.throws(() => readSegmentBatch({ events: [] }, table), { code: 'events/bad-batch' });
});
