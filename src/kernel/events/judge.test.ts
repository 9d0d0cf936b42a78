import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EVENT_LIMITS, judge, OWN_SENDER, type Envelope, type EventFormat, type Verdict } from './judge.ts';
import { readBatch, readEvent } from './read-batch.ts';
import { eventTypes, tableOf } from './testing/table.ts';

const price = {
  ...eventTypes.identify,
  schema: { properties: { amount: { type: 'decimal', scale: 2 }, rate: { type: 'number' } } },
};
const table = tableOf({ ...eventTypes, price });
const NOW = Temporal.Instant.from('2026-05-01T12:00:00Z');
const nowMs = NOW.epochMilliseconds;
const envelope: Envelope = { client: 'client:app', boundTo: undefined, sentMs: undefined, receivedMs: nowMs };
const minutesAgo = (minutes: number) => NOW.subtract({ minutes }).toString();

const play = { type: 'play', id: 'e1', at: minutesAgo(1), subject: 'u1', properties: { track: 't1' } };

function judgeEvent(event: unknown, about: Partial<Envelope> = {}): Verdict {
  return judge(table, readEvent('backline', event, table), { ...envelope, ...about });
}

function verdictOf(event: unknown, about: Partial<Envelope> = {}): string {
  const verdict = judgeEvent(event, about);
  return verdict.outcome === 'accepted' ? 'accepted' : `${verdict.reason} ${verdict.detail}`;
}

test('only Backline itself may send release exposures', () => {
  const properties = { release: 'r', releaseRevision: 'abc', track: 'candidate' };
  const exposure = { ...play, type: 'release-exposure', properties };
  assert.equal(verdictOf(exposure, { client: OWN_SENDER }), 'accepted');
  for (const client of ['client:app', 'user:admin', 'local', 'client:backline']) {
    assert.match(verdictOf(exposure, { client }), /^unknown-type \/type: only Backline itself/);
  }
});

test('an event is accepted, or quarantined with a pointer, the fault and the remedy', () => {
  const cases: [unknown, RegExp][] = [
    [play, /^accepted$/],
    [5, /^invalid an event must be an object/],
    [{ ...play, timestamp: 1 }, /^invalid there is no member "timestamp"/],
    [{ ...play, type: undefined }, /^unknown-type \/type: must be text of 1 to 200/],
    [{ ...play, type: 'plai' }, /^unknown-type \/type: no event type is called "plai" \(did you mean "play"\?\)/],
    [{ ...play, type: '__proto__' }, /^unknown-type/],
    [{ ...play, id: '' }, /^invalid \/id: must be text of 1 to 200/],
    [{ ...play, id: 7 }, /^invalid \/id/],
    [{ ...play, id: 'x'.repeat(201) }, /^invalid \/id/],
    [{ ...play, id: 'a\0' }, /^invalid \/id/],
    [{ ...play, at: 'yesterday' }, /^bad-time \/at/],
    [{ ...play, at: '2026-05-01T12:00:60Z' }, /^bad-time \/at/],
    [{ ...play, at: nowMs }, /^bad-time \/at/],
    [{ ...play, at: '0001-01-01T00:00:00+01:00' }, /^bad-time \/at: must be a time as in RFC 3339, from 1970 to 9999/],
    [{ ...play, at: '0000-01-01T00:00:00Z' }, /^bad-time/],
    [{ ...play, at: '1969-12-31T23:59:59Z' }, /^bad-time/],
    [{ ...play, at: '9999-12-31T23:59:59-23:59' }, /^bad-time/],
    [{ ...play, subject: undefined }, /^subject-missing \/subject: is required for play/],
    [{ ...play, subject: 7 }, /^invalid \/subject/],
    [{ ...play, subject: '\ud800' }, /^invalid \/subject/],
    [{ ...play, subject: 'undefined' }, /^invalid \/subject: is a placeholder for a missing value: leave it out/],
    [{ ...play, subject: '[object Object]' }, /^invalid \/subject/],
    [{ ...play, subject: 'Null' }, /^accepted$/],
    [{ ...play, type: 'app-opened', subject: 'null', properties: {} }, /^accepted$/],
    [{ ...play, properties: [] }, /^invalid \/properties: must be an object/],
    [{ ...play, properties: {} }, /^invalid \/properties\/track: is required/],
    [{ ...play, properties: { track: 7 } }, /^invalid \/properties\/track: must be text, and is a whole number/],
    [{ ...play, properties: { track: null } }, /track: must be text, and is null/],
    [{ ...play, properties: { track: 't', playedMs: null, tags: null, extra: null } }, /^accepted$/],
    [{ ...play, properties: { track: 't', song: null } }, /song: is not a declared field/],
    [
      { ...play, properties: { track: 't', Track: 't' } },
      /\/properties\/Track: is not a declared field \(did you mean "track"\?\)/,
    ],
    [{ ...play, properties: { track: 't', 'a/b~c': 1 } }, /\/properties\/a~1b~0c: is not a declared field/],
    [{ ...play, properties: { track: 't', playedMs: 1.5 } }, /playedMs: must be a whole number, and is a fraction/],
    [
      { ...play, properties: { track: 't', playedMs: 2 ** 60 } },
      /playedMs: must be a whole number, and is out of range/,
    ],
    [{ ...play, properties: { track: 7 } }, /track: must be text, and is a whole number$/],
    [{ ...play, properties: { track: 't', playedMs: Infinity } }, /playedMs: must be a whole number/],
    [
      { ...play, properties: { track: 't', extra: { deep: [1, { n: -Infinity }] } } },
      /extra: holds a number .* too large/,
    ],
    [{ ...play, type: 'app-opened', properties: { n: [Infinity] } }, /\/properties\/n: holds a number .* too large/],
    [{ ...play, type: 'price', properties: { amount: '-12345678901234567890.99', rate: 1e308 } }, /^accepted$/],
    [{ ...play, type: 'price', properties: { amount: 4.99 } }, /^accepted$/],
    [{ ...play, type: 'price', properties: { amount: '4.999' } }, /amount: has 3 digits after the point; at most 2/],
    [{ ...play, type: 'price', properties: { amount: 123_456_789_012_345.5 } }, /amount: must be a decimal as text/],
    [{ ...play, type: 'price', properties: { amount: 1e21 } }, /amount: must be a decimal as text, like "4.99"/],
    [{ ...play, type: 'price', properties: { amount: '1e3' } }, /amount: must be a decimal as text/],
    [{ ...play, type: 'price', properties: { amount: '-0.01' } }, /^accepted$/],
    [{ ...play, type: 'price', properties: { rate: Infinity } }, /rate: holds a number .* too large/],
    [{ ...play, properties: { track: 't', playedMs: -1 } }, /playedMs: must be at least 0/],
    [{ ...play, properties: { track: 't', device: 'radio' } }, /device: must be one of "phone", "desktop"/],
    [
      { ...play, properties: { track: 't', tags: ['a', 1] } },
      /tags: has an item that does not fit: \[1\] must be text/,
    ],
    [{ ...play, properties: { track: 't', tags: ['a', 'b', 'c', 'd'] } }, /tags: has 4 items; at most 3/],
    [{ ...play, properties: { track: 't', startedAt: 'noon' } }, /startedAt: must be a time/],
    [{ ...play, properties: { track: 't', extra: { any: ['thing', { is: null }] } } }, /^accepted$/],
    [{ ...play, properties: { track: 't', extra: { text: 'a\0b' } } }, /NUL character/],
    [{ ...play, properties: { track: 't', extra: { text: 'a\ud83d' } } }, /half of a surrogate pair/],
    [{ ...play, properties: { track: 't', extra: { text: 'not one: \\u0000 \u{1F600}' } } }, /^accepted$/],
    [
      { ...play, properties: { track: 't', extra: { text: 'x'.repeat(EVENT_LIMITS.propertiesCharsMax) } } },
      /at most 32768/,
    ],
    [{ ...play, type: 'app-opened', properties: { what: 'ever' } }, /^accepted$/],
  ];
  for (const [event, expected] of cases) assert.match(verdictOf(event), expected);
});

test('messages name the members that the sender wrote', () => {
  const message = { type: 'track', event: 'Song Played', messageId: 'm', userId: 'u', timestamp: minutesAgo(1) };
  const cloud = { specversion: '1.0', type: 'play', source: '/a', id: '1', time: minutesAgo(1), subject: 'u' };
  const cases: [EventFormat, object, RegExp][] = [
    ['segment', { ...message, event: 'Song Plaid' }, /^unknown-type \/event: /],
    ['segment', { ...message, type: 'page' }, /^unknown-type \/type: /],
    ['segment', { ...message, messageId: 7 }, /^invalid \/messageId: /],
    ['segment', { ...message, timestamp: 'now' }, /^bad-time \/timestamp: /],
    ['segment', { ...message, userId: undefined }, /^subject-missing \/userId: /],
    ['segment', { ...message, userId: 'undefined' }, /^invalid \/userId: /],
    ['segment', { ...message, properties: {} }, /^invalid \/properties\/track: /],
    ['segment', { ...message, type: 'identify', traits: { country: 1 } }, /^invalid \/traits\/country: /],
    ['cloudevents', { ...cloud, time: undefined }, /^bad-time \/time: /],
    ['cloudevents', { ...cloud, data: 'text' }, /^invalid \/data: must be an object/],
    ['cloudevents', { ...cloud, data: { track: 7 } }, /^invalid \/data\/track: must be text/],
  ];
  for (const [format, event, expected] of cases) {
    const verdict = judge(table, readEvent(format, event, table), envelope);
    assert.match(verdict.outcome === 'accepted' ? 'accepted' : `${verdict.reason} ${verdict.detail}`, expected);
  }
});

test('messages about a sensitive field never hold its value', () => {
  assert.equal(verdictOf({ ...play, properties: { track: 't', ipAddress: 123_456 } }).includes('123456'), false);
});

test('a wrong clock is corrected by sentAt, unless the difference is small or too large', () => {
  const minute = 60_000;
  // An event of a minute before it was sent, by a clock that is this far behind.
  const correctedBy = (behindMs: number) => {
    const sentMs = nowMs - behindMs;
    const verdict = judgeEvent({ ...play, at: new Date(sentMs - minute).toISOString() }, { sentMs });
    return verdict.outcome === 'accepted' ? verdict.correctedMs - verdict.atMs : verdict.reason;
  };
  assert.equal(correctedBy(5 * minute - 1), 0);
  assert.equal(correctedBy(-5 * minute + 1), 0);
  for (const minutes of [5, -5, 60, 24 * 60, -24 * 60]) assert.equal(correctedBy(minutes * minute), minutes * minute);
  assert.equal(correctedBy(24 * 60 * minute + 1), 0);
  assert.equal(correctedBy(-24 * 60 * minute - 1), 0);
  // A queue that kept a `sentAt` of ten days ago: its events are not moved to the present.
  assert.match(
    verdictOf({ ...play, at: '2026-04-21T11:59:00Z' }, { sentMs: Date.parse('2026-04-21T12:00:00Z') }),
    /^too-late .* 72 hours for which play is accepted; sentAt is more than 24 hours off, which is not corrected$/,
  );
});

test('a declared field that is null counts as absent', () => {
  const absent = judgeEvent(play);
  const given = judgeEvent({ ...play, properties: { track: 't1', playedMs: null, ipAddress: null } });
  assert.ok(absent.outcome === 'accepted' && given.outcome === 'accepted');
  assert.deepEqual([given.text, given.properties], [absent.text, absent.properties]);
});

test('lateness and a clock that is ahead are limited to the millisecond', () => {
  const hour = 3_600_000;
  for (const [offsetMs, expected] of [
    [-72 * hour, /^accepted/],
    [-72 * hour - 1, /^too-late/],
    [24 * hour, /^accepted/],
    [24 * hour + 1, /^clock-ahead/],
  ] as const) {
    assert.match(verdictOf({ ...play, at: new Date(nowMs + offsetMs).toISOString() }), expected);
  }
});

test('a sender that is bound to a subject sends events of that subject only', () => {
  assert.match(verdictOf(play, { boundTo: 'u2' }), /^subject-forbidden/);
  const { subject: _subject, ...unnamed } = play;
  const verdict = judgeEvent(unnamed, { boundTo: 'u2' });
  assert.equal(verdict.outcome === 'accepted' && verdict.subject, 'u2');
});

test('a type without subjects keeps none', () => {
  const verdict = judgeEvent({ ...play, type: 'app-opened', properties: {} }, { boundTo: 'u1' });
  assert.equal(verdict.outcome === 'accepted' && verdict.subject, undefined);
});

test('a malformed batch is refused as a whole, with the place', () => {
  for (const [body, code, pointer] of [
    [[], 'events/bad-batch', ''],
    [{}, 'events/bad-batch', 'events'],
    [{ events: [] }, 'events/bad-batch', 'events'],
    [{ events: {} }, 'events/bad-batch', 'events'],
    [{ events: [play], sent_at: 1 }, 'events/bad-batch', 'sent_at'],
    [{ events: [play], sentAt: 'now' }, 'events/bad-batch', 'sentAt'],
    [{ events: [play], sentAt: '0000-01-01T00:00:00Z' }, 'events/bad-batch', 'sentAt'],
    [{ events: [play], sentAt: '9999-12-31T23:59:59-23:59' }, 'events/bad-batch', 'sentAt'],
    [{ events: [play], producer: 7 }, 'events/bad-batch', 'producer'],
    [{ events: [play], sequence: -1 }, 'events/bad-batch', 'sequence'],
    [{ events: Array.from({ length: 1_001 }, () => play) }, 'events/too-many', undefined],
  ] as const) {
    assert.throws(
      () => readBatch(body),
      (error: { code: string; problems: { path: string[] }[] }) =>
        error.code === code && (pointer === undefined || error.problems[0]?.path.join('/') === pointer),
      JSON.stringify(body).slice(0, 100),
    );
  }
});

test('any input gets a verdict', () => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('play', 'u1', '__proto__', minutesAgo(1), '\ud800', '\0'));
  const event = fc.oneof(
    fc.jsonValue(),
    fc.record({ type: value, id: value, at: value, subject: value, properties: value }, { requiredKeys: [] }),
    fc.record({
      type: fc.constant('play'),
      id: fc.constant('x'),
      at: fc.constant(minutesAgo(1)),
      subject: fc.constant('u1'),
      properties: fc.dictionary(fc.constantFrom('track', 'playedMs', 'tags', 'extra', '__proto__'), value),
    }),
  );
  fc.assert(
    fc.property(event, fc.constantFrom('backline' as const, 'segment' as const), (given, format) => {
      const verdict = judge(table, readEvent(format, given, table), envelope);
      if (verdict.outcome === 'accepted') return verdict.text === JSON.stringify(verdict.properties);
      return verdict.detail.isWellFormed() && !`${verdict.detail}${verdict.type}${verdict.id}`.includes('\0');
    }),
  );
});
