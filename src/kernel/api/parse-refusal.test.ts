import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal, fieldPath } from '#kernel/base/failures.ts';
import { failureStatus } from './status.ts';
import { REFUSAL_CODE, parseFieldPath, parseRefusal } from './parse-refusal.ts';

const field = fc.stringMatching(/^[a-zA-Z_]\w{0,8}$/);
const key = fc.stringMatching(/^[a-z][a-z0-9./-]{0,12}$/);

test('a path that was written as text is read back', () => {
  fc.assert(
    fc.property(field, fc.array(fc.oneof(field, key, fc.nat(99))), (first, more) => {
      const path = [first, ...more];
      assert.deepEqual(parseFieldPath(fieldPath(path)), path);
    }),
  );
});

test('a refusal that was sent arrives with its reason, code, problems and time to wait', () => {
  const sent = new Refusal('resources/invalid', 'Invalid', 'It is full', {
    problems: [{ path: ['spec', 'seats', 0], reason: 'FieldValueInvalid', detail: 'too many' }],
    retryAfterSeconds: 3,
  });
  const text = JSON.stringify(failureStatus(sent));
  const arrived = parseRefusal(text, { statusCode: 422, headers: { [REFUSAL_CODE]: sent.code } });
  assert.deepEqual(arrived, sent);
});

test('an answer that is no Status is an error that is no refusal', () => {
  for (const text of ['<html>', '', 'null', '[]', '"text"', '{"kind":"Plan"}']) {
    const error = parseRefusal(text, { statusCode: 502, headers: {} });
    assert.equal(error instanceof Refusal, false, text);
    assert.match(error.message, /502/);
  }
});
