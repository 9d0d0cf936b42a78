import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestEvent, payloadOf } from './digest.ts';
import { judge, type AcceptedEvent } from './judge.ts';
import { readEvent } from './read-batch.ts';
import { newKey, openField, sealField, type SubjectKey } from './subject-key.ts';
import { tableOf } from './testing/table.ts';

const table = tableOf();
const NOON = Date.parse('2026-05-01T12:00:00Z');
const own: SubjectKey = { pseudonym: '00000000-0000-4000-8000-000000000001', key: newKey() };
const other: SubjectKey = { ...own, key: newKey() };

function acceptEvent(event: object): AcceptedEvent {
  const given = readEvent('backline', { id: 'e1', at: '2026-05-01T12:00:00Z', subject: 'u1', ...event }, table);
  const verdict = judge(table, given, { client: 'c', boundTo: undefined, sentMs: undefined, receivedMs: NOON });
  if (verdict.outcome === 'quarantined') throw new Error(verdict.detail);
  return verdict;
}

const play = (event: object = {}) => acceptEvent({ type: 'play', properties: { track: 't', playedMs: 1 }, ...event });
const exposure = (event: object = {}) =>
  acceptEvent({ type: 'exposure', properties: { experiment: 'x', variant: 'a' }, ...event });

test('events are equal by client, type and id; the order of fields does not change the content', () => {
  const one = digestEvent(play(), 'c', own);
  assert.deepEqual(digestEvent(play({ properties: { playedMs: 1, track: 't' } }), 'c', own), one);
  const changed = digestEvent(play({ properties: { track: 't', playedMs: 2 } }), 'c', own);
  assert.equal(changed.digest, one.digest);
  assert.notEqual(changed.fingerprint, one.fingerprint);
  assert.notEqual(digestEvent(play(), 'd', own).digest, one.digest);
  assert.notEqual(digestEvent(play({ id: 'e2' }), 'c', own).digest, one.digest);
  assert.notEqual(digestEvent(play({ at: '2026-05-01T11:59:59Z' }), 'c', own).fingerprint, one.fingerprint);
});

test('events with the same identity are one within the window, whatever their ids, clients and other fields', () => {
  const one = digestEvent(exposure(), 'c', own);
  const again = exposure({ id: 'e2', at: '2026-05-01T12:59:59.999Z', properties: { experiment: 'x', variant: 'a' } });
  assert.deepEqual(digestEvent(again, 'd', own), one);
  assert.notEqual(digestEvent(exposure({ at: '2026-05-01T11:59:59.999Z' }), 'c', own).digest, one.digest);
  assert.notEqual(digestEvent(exposure({ subject: 'u2' }), 'c', other).digest, one.digest);
  assert.notEqual(
    digestEvent(exposure({ properties: { experiment: 'x', variant: 'b' } }), 'c', own).digest,
    one.digest,
  );
});

test('without the key of a subject no guess can be compared with its digests', () => {
  assert.notEqual(digestEvent(play(), 'c', own).fingerprint, digestEvent(play(), 'c', other).fingerprint);
  assert.notEqual(digestEvent(exposure(), 'c', own).digest, digestEvent(exposure(), 'c', other).digest);
});

test('sensitive fields are sealed in the payload, the others are not', () => {
  const payload = payloadOf(play({ properties: { track: 't', ipAddress: '192.0.2.1' } }), own);
  assert.equal(payload.includes('192.0.2.1'), false);
  const { track, ipAddress } = JSON.parse(payload) as { track: string; ipAddress: string };
  assert.equal(track, 't');
  assert.match(ipAddress, /^sealed:/);
  assert.equal(openField(own, 'ipAddress', ipAddress), '192.0.2.1');
  assert.throws(() => openField(other, 'ipAddress', ipAddress), 'another key');
  assert.throws(() => openField(own, 'track', ipAddress), 'another field');
  assert.equal(payloadOf(play(), own), '{"track":"t","playedMs":1}');
});

test('any sealed value opens again', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(openField(own, 'f', sealField(own, 'f', value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});
