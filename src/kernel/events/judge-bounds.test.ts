import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANONYMOUS } from '#kernel/snapshots/anonymous.ts';
import { EVENT_LIMITS, judge, timeMs, type Envelope, type Verdict } from './judge.ts';
import { readEvent } from './read-batch.ts';
import { eventTypes, tableOf } from './testing/table.ts';

const table = tableOf(eventTypes);
const receivedMs = Date.parse('2026-05-01T12:00:00Z');
const at = '2026-05-01T11:59:00Z';
const play = { type: 'play', id: 'e1', at, subject: 'u1', properties: { track: 't1' } };

function verdictOf(event: object, about: Partial<Envelope> = {}): Verdict {
  const envelope = { client: 'client:app', boundTo: undefined, sentMs: undefined, receivedMs, ...about };
  return judge(table, readEvent('backline', event, table), envelope);
}

function textOf(verdict: Verdict): string {
  return verdict.outcome === 'accepted' ? 'accepted' : `${verdict.reason} ${verdict.detail}`;
}

test('a time is from the first millisecond of 1970 to the last of 9999', () => {
  assert.equal(timeMs('1970-01-01T00:00:00Z'), 0);
  assert.equal(timeMs('1969-12-31T23:59:59.999Z'), undefined);
  assert.equal(timeMs('9999-12-31T23:59:59.999Z'), 253_402_300_799_999);
  assert.equal(timeMs('9999-12-31T23:59:59.999-00:01'), undefined);
  for (const none of [0, null, '2026-05-01', 'May 1, 2026', '2026-05-01T12:00:00'])
    assert.equal(timeMs(none), undefined);
});

test('ids, subjects and properties may be as long as their limits', () => {
  const { idCharsMax, subjectCharsMax, propertiesCharsMax } = EVENT_LIMITS;
  assert.equal(textOf(verdictOf({ ...play, id: 'x'.repeat(idCharsMax) })), 'accepted');
  assert.equal(textOf(verdictOf({ ...play, subject: 'x'.repeat(subjectCharsMax) })), 'accepted');
  const empty = JSON.stringify({ track: 't1', extra: { x: '' } }).length;
  const fill = (length: number) => ({
    ...play,
    properties: { track: 't1', extra: { x: 'x'.repeat(length - empty) } },
  });
  assert.equal(textOf(verdictOf(fill(propertiesCharsMax))), 'accepted');
  assert.match(textOf(verdictOf(fill(propertiesCharsMax + 1))), /^invalid \/properties: has 32769 characters as JSON/);
  const verdict = verdictOf({ ...play, type: 'y'.repeat(idCharsMax), id: 'x'.repeat(idCharsMax) });
  assert.ok(verdict.outcome === 'quarantined');
  assert.deepEqual([verdict.type.length, verdict.id.length, verdict.countedAs], [idCharsMax, idCharsMax, '']);
  const longer = verdictOf({ ...play, id: 'x'.repeat(idCharsMax + 1) });
  assert.ok(longer.outcome === 'quarantined');
  assert.deepEqual([longer.id, longer.countedAs], ['', 'play'], 'too long a text is not shown');
});

test('a sender without an authenticated subject sends events of an anonymous one', () => {
  const client = `${ANONYMOUS}app`;
  const verdict = verdictOf({ ...play, subject: 'a1' }, { client });
  assert.ok(verdict.outcome === 'accepted');
  assert.equal(verdict.subject, `${ANONYMOUS}a1`);
  const other = verdictOf(play, { client: `app${ANONYMOUS}` });
  assert.ok(other.outcome === 'accepted');
  assert.equal(other.subject, 'u1', 'another name that ends so is no anonymous sender');
  const none = verdictOf({ type: 'app-opened', id: 'e1', at }, { client });
  assert.ok(none.outcome === 'accepted');
  assert.equal(none.subject, undefined);
  const most = EVENT_LIMITS.subjectCharsMax - ANONYMOUS.length;
  assert.equal(textOf(verdictOf({ ...play, subject: 'a'.repeat(most) }, { client })), 'accepted');
  assert.match(textOf(verdictOf({ ...play, subject: 'a'.repeat(most + 1) }, { client })), new RegExp(`1 to ${most} `));
});

test('an accepted event has its properties and their JSON, and the very object where no declared field is null', () => {
  const properties = { track: 't1', extra: { any: null } };
  const verdict = verdictOf({ ...play, properties });
  assert.ok(verdict.outcome === 'accepted');
  assert.equal(verdict.properties, properties, 'no copy: most events have no null');
  assert.equal(verdict.text, '{"track":"t1","extra":{"any":null}}');
  const without = verdictOf({ ...play, properties: { ...properties, playedMs: null } });
  assert.ok(without.outcome === 'accepted');
  assert.equal(without.text, verdict.text);
});

test('an anonymous sender that names nobody is nobody, also by the word for it', () => {
  const client = `${ANONYMOUS}app`;
  for (const subject of [undefined, null]) {
    assert.match(textOf(verdictOf({ ...play, subject }, { client })), /^subject-missing/);
  }
});

test('a clock that is ahead is explained by sentAt, if it is given', () => {
  const ahead = { ...play, at: '2026-05-03T12:00:00Z' };
  assert.match(textOf(verdictOf(ahead)), /in the future; say when it is sent \(sentAt\)/);
  assert.match(
    textOf(verdictOf(ahead, { sentMs: receivedMs })),
    /in the future, also after correcting the clock by sentAt$/,
  );
});
