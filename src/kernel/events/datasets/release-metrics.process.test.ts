import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { openLog } from '#kernel/base/log.ts';
import type { Measurement } from '#kernel/releases/evidence/measure-source.ts';
import { sourceContract, type SourceWorld } from '#kernel/releases/evidence/testing/source-contract.ts';
import { ReleaseCounts } from '#kernel/snapshots/release-counts.ts';
import { ownTypes } from '../built-in-types.ts';
import { startQueries } from './queries.ts';
import { logEvents, PLAY, startDatasetsWorld, type LoggedEvent } from './testing/datasets-world.ts';
import { RELEASE_EXPOSURE } from '../kinds/identity.ts';
import { releaseMetrics } from './release-metrics.ts';
import { worldOf } from '../testing/world.ts';

const START_MS = Date.parse('2026-05-10T11:00:00Z');
const MINUTE_MS = 60_000;
const metric = (more: object) => ({ title: 'Plays', owner: 'o', eventType: 'play', direction: 'decrease', ...more });
const SPECS = {
  eventTypes: { play: PLAY, [RELEASE_EXPOSURE]: ownTypes()[0]?.spec as object },
  metrics: {
    played: metric({ type: 'proportion' }),
    plays: metric({ type: 'count', filter: [{ field: 'track', in: ["it's", 'b'] }] }),
    listened: metric({ type: 'sum', field: 'playedMs', direction: 'increase' }),
    length: metric({ type: 'mean', field: 'playedMs' }),
    slowest: metric({ type: 'quantile', field: 'playedMs', quantile: 0.99 }),
  },
};

async function startMetrics(t: TestContext, datasets: Readonly<Record<string, object>> = {}) {
  const world = await startDatasetsWorld(SPECS);
  const declaredWorld = () => worldOf({ ...SPECS, datasets });
  const { database } = world.db;
  const queries = startQueries({
    database,
    directory: world.directory,
    world: declaredWorld,
    clock: () => Temporal.Instant.from('2026-05-10T12:00:00Z'),
    log: openLog('silent'),
  });
  t.after(async () => {
    await queries.close();
    await world[Symbol.asyncDispose]();
  });
  const source = releaseMetrics({ database, world: declaredWorld, ask: queries.ask, rollUpSeconds: 15 });
  const events: LoggedEvent[] = [];
  const addExposure = (release: string, pseudonym: string, track: string, atMs: number, cell: number | null = 0) => {
    const payload = { release, releaseRevision: 'r', track, ...(cell === null ? {} : { cell }) };
    events.push({ id: randomUUID(), type: RELEASE_EXPOSURE, pseudonym, at: timeOf(atMs), payload });
  };
  const addPlay = (pseudonym: string, atMs: number, payload: object = { track: 'a' }) =>
    events.push({ id: randomUUID(), type: 'play', pseudonym, at: timeOf(atMs), payload });
  const settle = async () => {
    await logEvents(world, database, events.splice(0));
    await world.rollUps.rollUpNow();
  };
  const measure = (name: string, fromMs = START_MS, toMs = START_MS + MINUTE_MS): Promise<Measurement> => {
    const guardrail = { name: 'g', metric: name, noWorse: { margin: 1.5 } };
    return source.measure({ release: 'one', guardrail, stage: 0, fromMs, toMs }, AbortSignal.timeout(60_000));
  };
  return { world, source, addExposure, addPlay, settle, measure, queries };
}

function timeOf(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString();
}

sourceContract(
  'metric',
  async (t): Promise<SourceWorld> => {
    const { source, addExposure, addPlay, settle, world, queries } = await startMetrics(t);
    return {
      source,
      guardrail: { name: 'g', metric: 'played', noWorse: { margin: 1.5 } },
      produceEvents: async (release, fromMs, done) => {
        for (const { track, units, bad } of done) {
          for (let unit = 0; unit < units; unit += 1) {
            const listener = randomUUID();
            addExposure(release, listener, track, fromMs + unit, unit % 5);
            if (unit < bad) addPlay(listener, fromMs + unit);
            // Outside of the window, before and after.
            addPlay(listener, fromMs - 1);
            addPlay(listener, fromMs + MINUTE_MS);
          }
        }
      },
      settle,
      breakDown: async () => {
        await queries.close();
        await world.db.database.query('drop table backline.dataset_files cascade');
      },
    };
  },
  START_MS,
);

test('a listener who saw both tracks counts once, as one of the candidate’s', async (t) => {
  const { addExposure, addPlay, settle, measure } = await startMetrics(t);
  const listener = randomUUID();
  for (const track of ['stable', 'candidate', 'stable']) addExposure('one', listener, track, START_MS);
  addPlay(listener, START_MS + 1);
  await settle();
  const measured = await measure('played');
  assert.ok(measured.at === 'measured');
  assert.deepEqual([measured.candidate.units, measured.candidate.bad, measured.stable.units], [1, 1, 0]);
});

test('no Dataset can forge or hide the evidence of a release', async (t) => {
  const replaceView = (view: string) => `create or replace view events."${view}" as select 'FORGED' as track`;
  const hostile = (sql: string) => ({ title: 'x', owner: 'team-a', freshness: 'PT1H', eventTypes: ['play'], sql });
  const { addExposure, addPlay, settle, measure } = await startMetrics(t, {
    // Each name occurs in the query that measures.
    e: hostile(`select 1 as a); ${replaceView(RELEASE_EXPOSURE)}; ${replaceView('play')}; select * from (select 1`),
    s: hostile('select nothing from play'),
    play: hostile(`select null::uuid as pseudonym, date '2026-05-10' as day from play`),
    [RELEASE_EXPOSURE]: hostile('select * from play where false'),
  });
  const listener = randomUUID();
  addExposure('one', listener, 'candidate', START_MS);
  addExposure('one', randomUUID(), 'stable', START_MS);
  addPlay(listener, START_MS + 1);
  await settle();
  const measured = await measure('played');
  assert.ok(measured.at === 'measured');
  const { candidate, stable } = measured;
  assert.deepEqual([candidate.units, candidate.bad, stable.units, stable.bad], [1, 1, 1, 0]);
});

test('each type of metric gives the values counted by hand, with its filter', async (t) => {
  const step = fc.record({
    listener: fc.nat({ max: 5 }),
    ms: fc.integer({ min: -30_000, max: MINUTE_MS + 30_000 }),
    does: fc.oneof(
      fc.constantFrom('candidate' as const, 'stable' as const),
      fc.record({
        track: fc.constantFrom("it's", 'b', 'c'),
        playedMs: fc.option(fc.nat({ max: 100 }), { nil: undefined }),
      }),
    ),
  });
  const [steps = []] = fc.sample(fc.array(step, { minLength: 120, maxLength: 200 }), { numRuns: 1, seed: 20_260_510 });
  const { addExposure, addPlay, settle, measure } = await startMetrics(t);
  const listeners = Array.from({ length: 6 }, () => randomUUID());
  const cellOf = (listener: number): number => listener % 4;
  for (const { listener, ms, does } of steps) {
    const id = listeners[listener] ?? '';
    if (typeof does === 'string') addExposure('one', id, does, START_MS + ms, cellOf(listener));
    else addPlay(id, START_MS + ms, does.playedMs === undefined ? { track: does.track } : does);
  }
  await settle();
  const inside = steps.filter(({ ms }) => ms >= 0 && ms < MINUTE_MS);
  for (const isCandidate of [true, false]) {
    const units = new Set(inside.filter(({ does }) => typeof does === 'string').map(({ listener }) => listener));
    for (const unit of units) {
      const saw = inside.some(({ listener, does }) => listener === unit && does === 'candidate');
      if (saw !== isCandidate) units.delete(unit);
    }
    const plays = inside.flatMap(({ listener, does }) =>
      typeof does !== 'string' && units.has(listener) ? [{ listener, ...does }] : [],
    );
    const lengths = plays.flatMap(({ playedMs }) => (playedMs === undefined ? [] : [playedMs]));
    const sum = lengths.reduce((all, one) => all + one, 0);
    const wanted = {
      played: { units: units.size, bad: new Set(plays.map(({ listener }) => listener)).size, total: 0 },
      plays: { units: units.size, bad: plays.filter(({ track }) => track !== 'c').length, total: 0 },
      listened: { units: units.size, bad: 0, total: sum },
      length: { units: lengths.length, bad: 0, total: sum },
    };
    for (const [name, counts] of Object.entries(wanted)) {
      const measured = await measure(name);
      assert.ok(measured.at === 'measured');
      assert.deepEqual(isCandidate ? measured.candidate : measured.stable, counts, name);
      const { cells } = measured;
      assert.ok(cells?.since === 'window');
      const byCell = [0, 1, 2, 3].map((cell) => {
        const inCell = [...units].filter((listener) => cellOf(listener) === cell);
        const their = plays.filter(({ listener }) => cellOf(listener) === cell);
        const numbers = their.flatMap(({ playedMs }) => (playedMs === undefined ? [] : [playedMs]));
        const total = numbers.reduce((all, one) => all + one, 0);
        const bad: Record<string, number> = {
          played: new Set(their.map(({ listener }) => listener)).size,
          plays: their.filter(({ track }) => track !== 'c').length,
          listened: total,
          length: total,
        };
        return { cell, units: name === 'length' ? numbers.length : inCell.length, bad: bad[name] ?? Number.NaN };
      });
      assert.deepEqual(
        (isCandidate ? cells.candidate : cells.stable).toSorted((a, b) => a.cell - b.cell),
        byCell.filter((one) => one.units > 0),
        name,
      );
    }
  }
});

test('a listener whose household changed counts in one cell', async (t) => {
  const { addExposure, addPlay, settle, measure } = await startMetrics(t);
  const listener = randomUUID();
  for (const cell of [300, 7]) addExposure('one', listener, 'candidate', START_MS, cell);
  addPlay(listener, START_MS + 1);
  await settle();
  const measured = await measure('played');
  assert.ok(measured.at === 'measured');
  assert.deepEqual(measured.cells, { since: 'window', candidate: [{ cell: 7, units: 1, bad: 1 }], stable: [] });
});

test('a window with exposures from before cells existed has counts without cells', async (t) => {
  const { addExposure, settle, measure } = await startMetrics(t);
  addExposure('one', randomUUID(), 'candidate', START_MS, 3);
  addExposure('one', randomUUID(), 'stable', START_MS, null);
  addExposure('one', randomUUID(), 'stable', START_MS + MINUTE_MS, 4);
  await settle();
  const measured = await measure('played');
  assert.ok(measured.at === 'measured' && !('cells' in measured));
  assert.deepEqual([measured.candidate.units, measured.stable.units], [1, 1]);
  const later = await measure('played', START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS);
  assert.ok(later.at === 'measured' && later.cells?.stable.length === 1);
});

test('a missing metric, or one of a removed type, is reported', async (t) => {
  const { measure, settle } = await startMetrics(t);
  await settle();
  assert.deepEqual(await measure('slowest'), {
    at: 'down',
    because: 'Metric "slowest" is a quantile, which is not computed: declare it anew',
  });
  assert.deepEqual(await measure('gone'), { at: 'down', because: 'there is no live Metric "gone"' });
});

test('answers of the candidate without exposures differ from no traffic', async (t) => {
  const { measure, settle, world } = await startMetrics(t);
  await settle();
  assert.deepEqual(await measure('played'), { at: 'empty', requests: 0 });
  const node = new ReleaseCounts('a/1');
  node.count('one', 'candidate', 'given', START_MS);
  await node.flush(world.db.database, START_MS);
  assert.deepEqual(await measure('played'), { at: 'empty', requests: 1 });
});

test('windows are measured up to completeUntil, with time for events on their way', async (t) => {
  const { source, world } = await startMetrics(t);
  const nowMs = Date.parse('2026-05-10T12:00:00Z');
  await world.db.database.query("update backline.rollup set complete_until = '2026-05-10T11:59:00Z'");
  assert.equal(await source.completeUntil(nowMs), Date.parse('2026-05-10T11:58:50Z'));
});
