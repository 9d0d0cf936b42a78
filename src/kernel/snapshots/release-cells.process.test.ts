import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Queryable } from '#kernel/postgres/database.ts';
import { startDatabase } from '#tests/support/database.ts';
import { readReleaseCells, ReleaseCells, tidyReleaseCells } from './release-cells.ts';
import { losingDatabase } from '#kernel/postgres/testing/losing-database.ts';

const HOUR_MS = 3_600_000;
const node = fc.nat({ max: 1 });
const answer = fc.record({
  does: fc.constant('answer' as const),
  node,
  stage: fc.nat({ max: 1 }),
  track: fc.constantFrom('candidate' as const, 'stable' as const),
  cell: fc.constantFrom(0, 7, 511),
  result: fc.constantFrom('given' as const, 'denied' as const, 'failed' as const),
});
const flush = fc.record({
  does: fc.constant('flush' as const),
  node,
  afterMs: fc.constantFrom(1_000, 10_000, 2 * HOUR_MS),
  lost: fc.constantFrom('nothing' as const, 'the write' as const, 'its answer' as const),
});
const restart = fc.record({ does: fc.constant('restart' as const), node });

type Sums = Awaited<ReturnType<typeof readReleaseCells>>;

function read(database: Queryable, stage = 0, release = 'cap-1'): Promise<Sums> {
  return readReleaseCells(database, { release, stage });
}

test('the sums of all nodes are what was answered, and only grow, whatever gets lost, is forgotten or starts anew', async () => {
  await using db = await startDatabase();
  const steps = fc.array(fc.oneof({ weight: 4, arbitrary: answer }, flush, restart), { maxLength: 60 });
  const counted = fc.asyncProperty(steps, async (all) => {
    await db.database.query('truncate backline.release_cells');
    let [lives, nowMs] = [0, 0];
    const begin = () => new ReleaseCells(`node-${(lives += 1)}`);
    const nodes = [begin(), begin()];
    const naive = new Map<string, { cell: number; answers: number; denied: number; failed: number }>();
    let before = 0;
    for (const step of all) {
      const cells = nodes[step.node] ?? assert.fail();
      if (step.does === 'answer') {
        const { stage, track, cell, result } = step;
        cells.count({ release: 'cap-1', stage, track, cell }, result, nowMs);
        const key = `${stage} ${track} ${String(cell).padStart(3, '0')}`;
        const sum = naive.get(key) ?? { cell, answers: 0, denied: 0, failed: 0 };
        sum.answers += 1;
        if (result !== 'given') sum[result] += 1;
        naive.set(key, sum);
      } else if (step.does === 'flush') {
        nowMs += step.afterMs;
        await cells.flush(losingDatabase(db.database, step.lost), nowMs).catch(() => {});
        const now = (await read(db.database)).stable.reduce((sum, { answers }) => sum + answers, 0);
        assert.ok(now >= before);
        before = now;
      } else {
        await cells.flush(db.database, nowMs, true);
        nodes[step.node] = begin();
      }
    }
    for (const cells of nodes) await cells.flush(db.database, nowMs, true);
    for (const stage of [0, 1]) {
      const sums = await read(db.database, stage);
      for (const track of ['candidate', 'stable'] as const) {
        const wanted = [...naive].filter(([key]) => key.startsWith(`${stage} ${track}`)).toSorted();
        assert.deepEqual(
          sums[track],
          wanted.map(([, sum]) => sum),
        );
      }
    }
  });
  await fc.assert(counted, { numRuns: 60 });
});

test('a row is written once in ten seconds, as soon as they have begun, and again only when something changed', async () => {
  await using db = await startDatabase();
  const cells = new ReleaseCells('node');
  const written: number[] = [];
  for (let second = 0; second < 60; second += 1) {
    if (second < 25) {
      cells.count({ release: 'cap-1', stage: 0, track: 'stable', cell: 1 }, 'given', second * 1_000);
    }
    let statements = 0;
    const counting: Queryable = { query: (statement) => ((statements += 1), db.database.query(statement)) };
    await cells.flush(counting, second * 1_000);
    if (statements > 0) written.push(second);
  }
  assert.deepEqual(written, [0, 10, 20, 30]);
  assert.deepEqual((await read(db.database)).stable, [{ cell: 1, answers: 25, denied: 0, failed: 0 }]);
});

test('many nodes are added up page by page', async () => {
  await using db = await startDatabase();
  for (let number = 0; number < 405; number += 1) {
    const cells = new ReleaseCells(`host/${number}`);
    cells.count({ release: 'cap-1', stage: 0, track: 'candidate', cell: 511 }, 'failed', 0);
    await cells.flush(db.database, 0);
  }
  const { candidate } = await read(db.database);
  assert.deepEqual(candidate, [{ cell: 511, answers: 405, denied: 0, failed: 405 }]);
  assert.deepEqual(await read(db.database, 0, 'other'), { candidate: [], stable: [] });
});

test('beyond 2,000 stages at once answers are not counted by cell, and their number is reported; idle ones make room', async () => {
  await using db = await startDatabase();
  const cells = new ReleaseCells('node');
  const count = (release: number, nowMs: number) =>
    cells.count({ release: `r${release}`, stage: 0, track: 'stable', cell: 3 }, 'given', nowMs);
  for (let release = 0; release < 2_003; release += 1) count(release, release === 5 ? HOUR_MS : 0);
  assert.equal(cells.dropped, 3);
  await cells.flush(db.database, HOUR_MS);
  for (let release = 2_000; release < 4_000; release += 1) count(release, HOUR_MS);
  assert.equal(cells.dropped, 4, 'all but the one that is in use made room');
  await cells.flush(db.database, HOUR_MS, true);
  const [written] = await db.database.query('select count(*)::int as rows from backline.release_cells');
  assert.deepEqual(written, { rows: 3_999 });
});

test('rows are kept for 35 days after they were last written', async () => {
  await using db = await startDatabase();
  const now = Temporal.Instant.from('2026-06-01T00:00:00Z');
  for (const days of [0, 34, 36]) {
    const cells = new ReleaseCells(`days-${days}`);
    const atMs = now.subtract({ hours: days * 24 }).epochMilliseconds;
    cells.count({ release: 'cap-1', stage: 0, track: 'stable', cell: days }, 'given', atMs);
    await cells.flush(db.database, atMs);
  }
  await tidyReleaseCells(db.database, now);
  const left = await read(db.database);
  assert.deepEqual(
    left.stable.map(({ cell }) => cell),
    [0, 34],
  );
});
