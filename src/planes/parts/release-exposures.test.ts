import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { compileEvents } from '#kernel/events/event-table.ts';
import type { Verdict } from '#kernel/events/judge.ts';
import { releaseExposures } from './release-exposures.ts';

const NOON = Temporal.Instant.from('2026-05-01T12:00:00Z');
const nothing = { get: () => undefined, list: () => [], find: () => [] };
const table = compileEvents(nothing);
const release = { name: 'premium-2', revision: 'abc' };

function open() {
  const written: Verdict[][] = [];
  const state = { isAway: false };
  const registry = new Registry();
  const exposures = releaseExposures({
    write: async ({ verdicts }) => {
      if (state.isAway) throw new Error('away');
      written.push([...verdicts]);
      return [];
    },
    table: () => table,
    clock: () => NOON,
    log: openLog('silent'),
    registry,
  });
  const metric = async (name: string): Promise<number | undefined> =>
    (await registry.getSingleMetric(name)?.get())?.values[0]?.value;
  return { exposures, written, state, metric };
}

function subjects(written: readonly (readonly Verdict[])[]): (string | undefined)[] {
  return written.flat().map((verdict) => (verdict.outcome === 'accepted' ? verdict.subject : undefined));
}

test('an exposure is recorded once in a minute for each listener, release and track, and again in the next', async () => {
  const { exposures, written } = open();
  for (const listener of ['a', 'b', 'a', 'a'])
    exposures.tell({ listener, release, track: 'candidate', cell: 511 }, NOON);
  exposures.tell({ listener: 'a', release, track: 'stable', cell: 0 }, NOON);
  exposures.tell({ listener: 'a', release: { ...release, name: 'other' }, track: 'candidate', cell: 511 }, NOON);
  await exposures.flush();
  assert.deepEqual(subjects(written), ['a', 'b', 'a', 'a']);
  exposures.tell({ listener: 'a', release, track: 'candidate', cell: 511 }, NOON.add({ seconds: 59 }));
  await exposures.flush();
  assert.equal(subjects(written).length, 4);
  exposures.tell({ listener: 'a', release, track: 'candidate', cell: 511 }, NOON.add({ seconds: 60 }));
  await exposures.flush();
  assert.equal(subjects(written).length, 5);
});

test('each becomes an event that its built-in type accepts, for any listener id; a text that is no id becomes none', async () => {
  const { exposures, written } = open();
  for (const listener of ['å 🎧', 'x'.repeat(201), '\0', ''])
    exposures.tell({ listener, release, track: 'stable', cell: 0 }, NOON);
  await exposures.flush();
  assert.deepEqual(
    written.flat().map((verdict) => verdict.outcome === 'accepted' && [verdict.subject, verdict.properties]),
    [['å 🎧', { release: 'premium-2', releaseRevision: 'abc', track: 'stable', cell: 0 }]],
  );
});

test('exposures that the database did not take are written later; beyond the limit the oldest are dropped, and counted', async () => {
  const { exposures, written, state, metric } = open();
  state.isAway = true;
  for (let number = 0; number < 50_010; number += 1)
    exposures.tell({ listener: `l${number}`, release, track: 'stable', cell: 0 }, NOON);
  await assert.rejects(exposures.flush());
  assert.equal(await metric('backline_release_exposures_dropped_total'), 10);
  state.isAway = false;
  await exposures.flush();
  assert.deepEqual([subjects(written).length, written.length], [5_000, 5]);
  assert.equal(subjects(written)[0], 'l10');
  assert.equal(await metric('backline_release_exposures_waiting'), 45_000);
});
