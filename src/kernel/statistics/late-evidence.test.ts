import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addLate,
  likeliestStartMs,
  logLateEvidence,
  logLateAfter,
  noLateEvidence,
  type LateEvidence,
} from './late-evidence.ts';
import { logMeanExp } from './log-mean-exp.ts';

type Part = readonly [readonly [number, number], number];

const anyParts = fc.array(
  fc.tuple(
    fc.tuple(fc.double({ min: -3, max: 3, noNaN: true }), fc.double({ min: -3, max: 3, noNaN: true })),
    fc.integer({ min: 0, max: 60 }),
  ),
  { maxLength: 12 },
);

function late(parts: readonly Part[]): LateEvidence {
  return parts.reduce((state, [terms, amount], index) => addLate(state, terms, amount, index + 1), noLateEvidence(2));
}

test('it is the weighted sum of the evidence from each start on, and of what is still to start', () => {
  fc.assert(
    fc.property(anyParts, fc.constantFrom(1, 2, 7.5), (parts, dispersion) => {
      const fromOn = (index: number): number => {
        const sums = [0, 1].map((alternative) =>
          parts.slice(index).reduce((sum, [terms]) => sum + (terms[alternative] ?? 0), 0),
        );
        return Math.exp(logMeanExp(sums.map((sum) => sum / dispersion)));
      };
      let sum = 0.8 * fromOn(0);
      let [start, since] = [1, 0];
      for (const [index, [, amount]] of parts.entries()) {
        since += amount;
        if (since < 50) continue;
        [start, since] = [start + 1, 0];
        sum += (0.2 / (start * (start - 1))) * fromOn(index + 1);
      }
      const wanted = Math.log(sum + 0.2 / start);
      assert.ok(Math.abs(logLateEvidence(late(parts), dispersion) - wanted) < 1e-9);
    }),
  );
});

test('without anything it is 1, and it is never less than four fifths of the evidence without late starts', () => {
  assert.ok(Math.abs(logLateEvidence(noLateEvidence(2), 1)) < 1e-12);
  fc.assert(
    fc.property(anyParts, (parts) => {
      const state = late(parts);
      assert.ok(logLateEvidence(state, 1) >= logMeanExp(state.logTerms) + Math.log(0.8) - 1e-9);
    }),
  );
});

test('evidence that is added many times at once is as if added one by one, by the likeliest start alone', () => {
  const state = late([[[1, -1], 10]]);
  const more = [0.25, -0.5] as const;
  const after = addLate(
    state,
    more.map((term) => 3 * term),
    1,
    2,
  );
  const alone = Math.log(Math.exp(logLateEvidence(after, 2)) - 0.2);
  assert.ok(Math.abs(logLateAfter(state, more, 3, 2) - alone) < 1e-12);
});

test('harm that begins after a long time is found by the starts that are kept', () => {
  // 1,000 starts of a good day, of which each takes 5 from the evidence, and then one window that gives 30.
  const day = Array.from({ length: 1_000 }, (): Part => [[-5, -5], 50]);
  const state = late(day);
  assert.ok(state.starts.length <= 32 && state.begun === 1_001);
  assert.equal(state.starts[0]?.number, 1);
  const harmed = addLate(state, [30, 30], 1, 1_001);
  assert.ok(logLateEvidence(harmed, 1) > 30 + Math.log(0.2 / 1_001 ** 2) - 1e-9);
  assert.ok(logLateEvidence(harmed, 1) < 30);
});

test('the strongest late evidence is that of the start with the most', () => {
  assert.equal(
    likeliestStartMs(
      late([
        [[5, 5], 60],
        [[5, 5], 60],
      ]),
    ),
    0,
  );
  assert.equal(
    likeliestStartMs(
      late([
        [[-9, -9], 60],
        [[9, 9], 60],
        [[9, 9], 60],
      ]),
    ),
    1,
  );
  assert.equal(likeliestStartMs(noLateEvidence(2)), 0);
});

test('evidence far beyond what a number holds stays a number', () => {
  const sure = late(Array.from({ length: 40 }, (): Part => [[100, 90], 60]));
  assert.ok(Number.isFinite(logLateEvidence(sure, 1)) && logLateEvidence(sure, 1) > 1_000);
});

test('where everything speaks against harm, the likeliest start is the one that speaks least against it', () => {
  const state = addLate(addLate(noLateEvidence(2), [-9, -12], 50, 60_000), [-1, -2], 1, 120_000);
  assert.equal(likeliestStartMs(state), 60_000);
});
