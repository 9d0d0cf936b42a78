import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { startDatabase } from '#tests/support/database.ts';
import { ReleaseCounts, tidyReleaseCounts } from './release-counts.ts';
import { losingDatabase } from '#kernel/postgres/testing/losing-database.ts';

const COUNTED = `select release, track,
  sum(answers)::int as answers, sum(denied)::int as denied, sum(failed)::int as failed
  from backline.release_counts group by release, track order by release, track`;

const answer = fc.record({
  node: fc.nat({ max: 1 }),
  release: fc.constantFrom('a', 'b'),
  track: fc.constantFrom('candidate', 'stable', 'exposed'),
  result: fc.constantFrom('given', 'denied', 'failed'),
  atMs: fc.nat({ max: 40_000 }),
});
const flush = fc.record({
  node: fc.nat({ max: 1 }),
  atMs: fc.nat({ max: 60_000 }),
  lost: fc.constantFrom('nothing', 'the write', 'its answer'),
});

test('the sum over all nodes is what was answered, whatever comes late, and whatever writes and their answers get lost', async () => {
  await using db = await startDatabase();
  const counted = fc.asyncProperty(fc.array(fc.oneof(answer, flush), { maxLength: 60 }), async (steps) => {
    await db.database.query('truncate backline.release_counts');
    const nodes = [new ReleaseCounts('one'), new ReleaseCounts('other')];
    const naive = new Map<string, { answers: number; denied: number; failed: number }>();
    for (const step of steps) {
      const counts = nodes[step.node];
      if ('lost' in step) await counts?.flush(losingDatabase(db.database, step.lost), step.atMs).catch(() => {});
      else {
        counts?.count(step.release, step.track, step.result, step.atMs);
        const key = `${step.release} ${step.track}`;
        const row = naive.get(key) ?? { answers: 0, denied: 0, failed: 0 };
        row.answers += 1;
        if (step.result !== 'given') row[step.result] += 1;
        naive.set(key, row);
      }
    }
    for (const counts of nodes) await counts.flush(db.database, 100_000);
    const rows = await db.database.query<{ release: string; track: string }>(COUNTED);
    const written = rows.map(({ release, track, ...row }) => [`${release} ${track}`, row]);
    assert.deepEqual(Object.fromEntries(written), Object.fromEntries(naive));
  });
  await fc.assert(counted, { numRuns: 60 });
});

test('answers are counted in the ten seconds in which they were asked for', async () => {
  await using db = await startDatabase();
  const counts = new ReleaseCounts('node');
  for (const atMs of [0, 9_999, 10_000, 25_000, 29_999]) {
    counts.count('r', 'candidate', 'given', atMs);
    await counts.flush(db.database, atMs);
  }
  const rows = await db.database.query(
    'select extract(epoch from bucket_at)::int as at, answers::int from backline.release_counts order by bucket_at',
  );
  assert.deepEqual(rows, [
    { at: 0, answers: 2 },
    { at: 10, answers: 1 },
    { at: 20, answers: 2 },
  ]);
});

test('a clock that was an hour ahead, and one that is set back, lose nothing and hold back nothing', async () => {
  await using db = await startDatabase();
  const counts = new ReleaseCounts('host/one');
  for (const atMs of [7_200_000, 10_800_000, 7_210_000, 3_600_000, 7_200_000]) {
    counts.count('r', 'candidate', 'given', atMs);
    await counts.flush(db.database, atMs + 10_000);
  }
  const rows = await db.database.query(`
    select extract(epoch from bucket_at)::int as at, sum(answers)::int as answers
    from backline.release_counts group by bucket_at order by bucket_at`);
  assert.deepEqual(rows, [
    { at: 3_600, answers: 1 },
    { at: 7_200, answers: 2 },
    { at: 7_210, answers: 1 },
    { at: 10_800, answers: 1 },
  ]);
});

test('counts are kept for 35 days', async () => {
  await using db = await startDatabase();
  const now = Temporal.Instant.from('2026-06-01T00:00:00Z');
  const counts = new ReleaseCounts('node');
  for (const days of [0, 34, 36])
    counts.count('r', 'stable', 'given', now.subtract({ hours: days * 24 }).epochMilliseconds);
  await counts.flush(db.database, now.epochMilliseconds);
  await tidyReleaseCounts(db.database, now);
  const [left] = await db.database.query('select count(*)::int as rows from backline.release_counts');
  assert.deepEqual(left, { rows: 2 });
});

test('while the database is away the oldest counts are dropped, and their number is reported', async () => {
  await using db = await startDatabase();
  const counts = new ReleaseCounts('node');
  for (let bucket = 0; bucket < 10_003; bucket += 1) counts.count('r', 'stable', 'given', bucket * 10_000);
  assert.equal(counts.dropped, 3);
  await counts.flush(db.database, 0);
  const [first] = await db.database.query(
    'select min(extract(epoch from bucket_at))::int as at from backline.release_counts',
  );
  assert.deepEqual(first, { at: 30 });
});
