import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { CellCounts } from '#kernel/statistics/cells.ts';
import { NOTHING, sumOf } from '#kernel/statistics/interval.ts';
import type { GuardrailSpec } from '../../kinds/guardrail-spec.ts';
import type { MeasureSource, Measurement } from '../measure-source.ts';

/** Counts of one track within one window. */
export interface Done {
  readonly track: 'candidate' | 'stable';
  readonly units: number;
  readonly bad: number;
}

/** A source with its environment. */
export interface SourceWorld {
  readonly source: MeasureSource;
  readonly guardrail: GuardrailSpec;
  /** Produces these events in the window that starts then and is one grain long. */
  readonly produceEvents: (release: string, fromMs: number, done: readonly Done[]) => Promise<void>;
  /** Ends the events; they can be measured now. */
  readonly settle: () => Promise<void>;
  /** Takes the environment down. */
  readonly breakDown: () => Promise<void>;
}

/** The contract of `MeasureSource`, held against a source; counts are exact. `missing` is the reason to skip. */
export function sourceContract(
  name: string,
  start: (t: TestContext) => Promise<SourceWorld>,
  startMs: number,
  missing?: string,
): void {
  const signal = AbortSignal.timeout(60_000);
  const options = { skip: missing ?? false };
  const counts = (measurement: Measurement) => {
    assert.equal(measurement.at, 'measured', JSON.stringify(measurement));
    return measurement.at === 'measured' ? [trackOf(measurement.candidate), trackOf(measurement.stable)] : [];
  };
  const sumOfCells = (cells: readonly CellCounts[]) => trackOf(cells.reduce(sumOf, NOTHING));
  const trackOf = ({ units, bad }: { units: number; bad: number }) => [units, bad];

  test(
    `${name}: a window has what happened in it, by track, of its release alone, however often it is asked for`,
    options,
    async (t) => {
      const world = await start(t);
      const { source, guardrail } = world;
      const { grainMs } = source;
      await world.produceEvents('one', startMs, [
        { track: 'candidate', units: 6, bad: 2 },
        { track: 'stable', units: 9, bad: 1 },
      ]);
      await world.produceEvents('one', startMs + grainMs, [{ track: 'candidate', units: 5, bad: 5 }]);
      await world.produceEvents('other', startMs, [{ track: 'stable', units: 7, bad: 7 }]);
      await world.settle();
      const measure = (from: number, to: number, release = 'one') =>
        source.measure(
          { release, guardrail, stage: 0, fromMs: startMs + from * grainMs, toMs: startMs + to * grainMs },
          signal,
        );
      for (const _again of [1, 2]) {
        assert.deepEqual(counts(await measure(0, 1)), [
          [6, 2],
          [9, 1],
        ]);
      }
      assert.deepEqual(counts(await measure(1, 2)), [
        [5, 5],
        [0, 0],
      ]);
      // All events of the stage: cells of the window and cells since the stage began give the same sum.
      const whole = await measure(0, 2);
      const byCell = whole.at === 'measured' ? whole.cells : undefined;
      if (byCell !== undefined) {
        assert.deepEqual([sumOfCells(byCell.candidate), sumOfCells(byCell.stable)], counts(whole));
        assert.ok(byCell.stable.length > 1, 'units are in several cells');
      }
      // Without events of the candidate a source may have no data.
      const other = await measure(0, 1, 'other');
      if (other.at !== 'empty') {
        assert.deepEqual(counts(other), [
          [0, 0],
          [7, 7],
        ]);
      }
    },
  );

  test(`${name}: where nothing happened there is nothing, and it is never taken for something`, options, async (t) => {
    const world = await start(t);
    await world.settle();
    const { source, guardrail } = world;
    const window = { release: 'none', guardrail, stage: 0, fromMs: startMs, toMs: startMs + source.grainMs };
    const measurement = await source.measure(window, signal);
    if (measurement.at === 'measured')
      assert.deepEqual(counts(measurement), [
        [0, 0],
        [0, 0],
      ]);
    else assert.ok(measurement.at === 'empty' && (measurement.requests ?? 0) === 0, JSON.stringify(measurement));
  });

  test(`${name}: a source that is gone is down, and says why`, options, async (t) => {
    const world = await start(t);
    await world.settle();
    await world.breakDown();
    const { source, guardrail } = world;
    const window = { release: 'one', guardrail, stage: 0, fromMs: startMs, toMs: startMs + source.grainMs };
    const because = await source.measure(window, signal).then(
      (measurement) => (measurement.at === 'down' ? measurement.because : assert.fail(JSON.stringify(measurement))),
      (error: unknown) => String(error),
    );
    assert.ok(because.length > 0);
  });

  test(`${name}: nothing is complete that is not over`, options, async (t) => {
    const { source } = await start(t);
    const nowMs = startMs + 10 * source.grainMs;
    assert.ok((await source.completeUntil(nowMs)) < nowMs);
  });
}
