import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dueWindow, measuredFrom } from './due-window.ts';

const schedule = fc.record({
  grainMs: fc.constantFrom(1_000, 10_000, 60_000),
  everyMs: fc.integer({ min: 1_000, max: 120_000 }),
});

test('windows follow each other without gap or overlap, in whole grains, each long enough and none before its stage', () => {
  const looks = fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 60 });
  const stages = fc.array(fc.integer({ min: 0, max: 3_000_000 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(schedule, looks, stages, ({ grainMs, everyMs }, steps, seen) => {
      const starts = seen.toSorted((a, b) => a - b);
      let nowMs = starts[0] ?? 0;
      let last: { fromMs: number; toMs: number; stage: number } | undefined;
      for (const step of steps) {
        nowMs += step;
        const stage = starts.findLastIndex((startMs) => startMs <= nowMs);
        const seenMs = starts[stage] ?? 0;
        const window = dueWindow({ grainMs, everyMs, seenMs, lastToMs: last?.toMs }, nowMs);
        if (window === undefined) continue;
        const { fromMs, toMs } = window;
        assert.ok(fromMs % grainMs === 0 && toMs % grainMs === 0);
        assert.ok(toMs - fromMs >= everyMs && toMs <= nowMs && fromMs > seenMs);
        if (last !== undefined) assert.ok(stage === last.stage ? fromMs === last.toMs : fromMs >= last.toMs);
        last = { ...window, stage };
      }
    }),
  );
});

test('a stage is not measured before every node has followed it', () => {
  const at = (seenMs: number) => measuredFrom({ grainMs: 10_000, everyMs: 10_000, seenMs, lastToMs: undefined });
  assert.deepEqual([at(10_000), at(18_000), at(18_001)], [20_000, 20_000, 30_000]);
});
