import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseReading, writeReading } from './stored-answer.ts';
import type { StoredAnswer } from './tally.ts';

const number = fc.oneof(
  fc.double({ noDefaultInfinity: false }).map((value) => (Object.is(value, -0) ? 0 : value)),
  fc.constantFrom(NaN, Infinity, -Infinity),
);
const track = fc.record(
  { units: number, bad: number, total: number, value: number },
  { requiredKeys: ['units', 'bad'] },
);
const ofTrack = fc.record({
  cells: number,
  units: number,
  bad: number,
  squares: number,
  fourths: number,
  squaresExpected: number,
  unitSquares: number,
  excess: number,
  excessMax: number,
  badOfMax: number,
  badMax: number,
});
const ofTracks = fc.record({ candidate: ofTrack, stable: ofTrack });
const clustering = fc.oneof(
  fc.record({ release: ofTracks, scope: ofTracks }),
  ofTracks.map((release) => ({ release, scope: release })),
);
const reading: fc.Arbitrary<StoredAnswer> = fc.oneof(
  fc.record({ at: fc.constant('down' as const), because: fc.string() }),
  fc.record({ at: fc.constant('empty' as const), requests: number }, { requiredKeys: ['at'] }),
  fc.record(
    {
      at: fc.constant('measured' as const),
      measured: fc.record(
        {
          called: fc.string(),
          better: fc.constantFrom('fewer' as const, 'more' as const),
          of: fc.constantFrom('events' as const, 'totals' as const, 'values' as const),
          harmlessRate: fc.constant(0.001),
          isSplit: fc.boolean(),
        },
        { requiredKeys: ['called', 'better', 'of', 'isSplit'] },
      ),
      candidate: track,
      stable: track,
      isBadMissing: fc.constant(true as const),
      sources: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.record({ units: number, bad: number })),
      clustering,
      history: fc.record({
        psi: fc.double({ min: 0, max: 1e6, noNaN: true }),
        rho: fc.constant(0.8),
        windows: fc.nat(),
      }),
    },
    { requiredKeys: ['at', 'measured', 'candidate', 'stable'] },
  ),
);

test('a stored answer is judged as it came, numbers that are none included', () => {
  fc.assert(
    fc.property(reading, (given) => {
      const read = parseReading(JSON.parse(writeReading(given)));
      assert.deepEqual(plain(read), plain(given));
    }),
  );
});

test('clustering that is equal in release and scope is written once', () => {
  const [release] = fc.sample(ofTracks, { numRuns: 1, seed: 1 });
  assert.ok(release !== undefined);
  const kept: StoredAnswer = {
    at: 'measured',
    measured: { called: 'Denials', better: 'fewer', of: 'events', isSplit: true },
    candidate: { units: 1, bad: 0 },
    stable: { units: 1, bad: 0 },
    clustering: { release, scope: release },
  };
  assert.deepEqual(Object.keys(JSON.parse(writeReading(kept)).clustering), ['release']);
});

test('readings of before there were cells are read, without the dispersion that they carry', () => {
  const measured = { called: 'Denials', better: 'fewer', of: 'events', isSplit: true };
  const counts = { candidate: { units: 10, bad: 1 }, stable: { units: 90, bad: 9 } };
  const old = { at: 'measured', measured: { ...measured, dispersion: 2 }, ...counts };
  assert.deepEqual(parseReading(old), { at: 'measured', measured, ...counts });
});

test('a text that nobody wrote is no reading', () => {
  for (const wrong of [null, {}, { at: 'waits', because: '' }, { at: 'empty', requests: 'many' }, { at: 'measured' }]) {
    assert.throws(() => parseReading(wrong), /another shape/);
  }
});

/** Dictionaries of the generator have no prototype. */
function plain(value: unknown): unknown {
  return structuredClone(value);
}
