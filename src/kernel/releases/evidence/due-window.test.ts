import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StageInterval } from '../kinds/release-status.ts';
import { dueWindow, nextStageInterval } from './due-window.ts';

const schedule = fc.record({
  grainMs: fc.constantFrom(1_000, 10_000, 60_000),
  everyMs: fc.integer({ min: 1_000, max: 120_000 }),
});

test('I12: windows follow each other without gap or overlap, in whole grains, each of one stage, and short only at its end', () => {
  const looks = fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 60 });
  const stages = fc.array(fc.integer({ min: 0, max: 3_000_000 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(schedule, looks, stages, ({ grainMs, everyMs }, steps, seen) => {
      const starts = [...new Set(seen)].toSorted((a, b) => a - b);
      let nowMs = starts[0] ?? 0;
      let last: { fromMs: number; toMs: number; stage: number } | undefined;
      for (const step of steps) {
        nowMs += step;
        const stretches: StageInterval[] = starts
          .map((seenMs, stage) => ({ stage, seenMs, untilMs: starts[stage + 1] ?? Infinity }))
          .filter(({ seenMs }) => seenMs <= nowMs)
          .map(({ untilMs, ...one }) => (untilMs <= nowMs ? { ...one, untilMs } : one));
        const window = dueWindow({ grainMs, everyMs, stretches, lastToMs: last?.toMs }, nowMs);
        if (window === undefined) continue;
        const { fromMs, toMs, stage } = window;
        const { seenMs, untilMs = Infinity } = stretches[stage] ?? assert.fail('a stage that was not seen');
        assert.ok(fromMs % grainMs === 0 && toMs % grainMs === 0);
        assert.ok(toMs <= nowMs && fromMs > seenMs && fromMs < toMs && toMs <= untilMs);
        assert.ok(toMs - fromMs >= everyMs || untilMs - toMs < grainMs, 'short only at the end of a stage');
        if (last !== undefined) assert.ok(stage === last.stage ? fromMs === last.toMs : fromMs >= last.toMs);
        last = window;
      }
    }),
  );
});

test('a stage is not measured before every node has followed it', () => {
  const at = (seenMs: number) =>
    nextStageInterval({ grainMs: 10_000, everyMs: 10_000, stretches: [{ stage: 0, seenMs }], lastToMs: undefined })
      ?.fromMs;
  assert.deepEqual([at(10_000), at(18_000), at(18_001)], [20_000, 20_000, 30_000]);
});

test('the rest of a stage that is over comes before the next, however short, as soon as it is complete', () => {
  const stretches = [
    { stage: 0, seenMs: 8_000, untilMs: 67_000 },
    { stage: 1, seenMs: 68_000 },
  ];
  const due = (lastToMs: number, completeMs: number) =>
    dueWindow({ grainMs: 10_000, everyMs: 30_000, stretches, lastToMs }, completeMs);
  assert.equal(due(40_000, 59_999), undefined);
  assert.deepEqual(due(40_000, 60_000), { stage: 0, fromMs: 40_000, toMs: 60_000 });
  assert.deepEqual(due(40_000, 200_000), { stage: 0, fromMs: 40_000, toMs: 60_000 });
  assert.equal(due(60_000, 99_999), undefined);
  assert.deepEqual(due(60_000, 100_000), { stage: 1, fromMs: 70_000, toMs: 100_000 });
  assert.equal(
    dueWindow({ grainMs: 10_000, everyMs: 30_000, stretches: stretches.slice(0, 1), lastToMs: 60_000 }, 1e9),
    undefined,
  );
});
