import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readOwners, textOfOwners } from './owners-text.ts';

const time = fc.constantFrom(
  '2026-01-01T00:00:00Z',
  '2026-01-01T00:00:01Z',
  '2026-01-01T00:00:00.5Z',
  '',
  '"]},"'.repeat(4),
);
const owner = fc.record(
  {
    manager: fc.constantFrom('a', 'b', 'ü', '"time":"2026-01-01T00:00:00Z"', '\\'),
    time,
    fieldsV1: fc.constantFrom({ 'f:spec': {} }, { 'f:data': {} }, { 'v:"]"': {} }, { 'v:[': {} }),
    subresource: fc.constant('status'),
  },
  { requiredKeys: ['manager', 'fieldsV1'] },
);

test('owners that are read from a text end where they end, and give the same text again', () => {
  fc.assert(
    fc.property(fc.array(owner, { maxLength: 3 }), fc.constantFrom('', '"metadata":'), (owners, before) => {
      const text = JSON.stringify(owners);
      const json = Buffer.from(`${before}${text},"other":[{"time":"2026-01-01T00:00:00Z"}]}`);
      // The second time it is known.
      for (let reading = 0; reading < 2; reading += 1) {
        const { start, end, ...found } = readOwners(json, before.length);
        assert.equal(json.toString('utf8', start, end), text);
        assert.equal(textOfOwners(found), text);
      }
    }),
    { numRuns: 1_000 },
  );
});
