import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase } from '#kernel/postgres/database.ts';
import { ReleaseCells } from '#kernel/snapshots/release-cells.ts';
import { ReleaseCounts } from '#kernel/snapshots/release-counts.ts';
import { startDatabase } from '#tests/support/database.ts';
import { decisionsSource } from './decisions-source.ts';
import { sourceContract, type Done, type SourceWorld } from './testing/source-contract.ts';

const START_MS = Date.parse('2026-05-01T12:00:00Z');

test('where the nodes of the candidate are of a version without cells, nothing is known of its cells', async () => {
  await using db = await startDatabase();
  const [old, current] = [new ReleaseCounts('old/1'), new ReleaseCells('new/2')];
  old.count('r', 'candidate', 'denied', START_MS);
  current.count({ release: 'r', stage: 0, track: 'stable', cell: 7 }, 'given', START_MS);
  await Promise.all([old.flush(db.database, START_MS), current.flush(db.database, START_MS)]);
  const guardrail = { name: 'g', decisions: 'denied', noWorse: { margin: 1.5 } } as const;
  const window = { release: 'r', guardrail, stage: 0, fromMs: START_MS, toMs: START_MS + 10_000 };
  const measure = () => decisionsSource(db.database).measure(window, new AbortController().signal);
  const mixed = await measure();
  assert.ok(mixed.at === 'measured' && mixed.candidate.units === 1);
  assert.equal(mixed.cells, undefined);
  current.count({ release: 'r', stage: 0, track: 'candidate', cell: 7 }, 'denied', START_MS);
  await current.flush(db.database, START_MS + 10_000);
  const known = await measure();
  assert.deepEqual(known.at === 'measured' && known.cells?.candidate, [{ cell: 7, units: 1, bad: 1 }]);
});

for (const bad of ['denied', 'failed'] as const) {
  sourceContract(
    `decisions: ${bad}`,
    async (t): Promise<SourceWorld> => {
      const db = await startDatabase();
      const database = openDatabase(db.url);
      let open = true;
      const close = async () => {
        if (open) await database.close();
        open = false;
      };
      t.after(async () => {
        await close();
        await db[Symbol.asyncDispose]();
      });
      const nodes = [new ReleaseCounts('a/1'), new ReleaseCounts('b/2')];
      const cells = [new ReleaseCells('a/1'), new ReleaseCells('b/2')];
      let units = 0;
      const count = (release: string, atMs: number, { track, units: all, bad: wrong }: Done) => {
        for (let unit = 0; unit < all; unit += 1) {
          const result = unit < wrong ? bad : 'given';
          const node = (units += 1) % 2;
          nodes[node]?.count(release, track, result, atMs + unit);
          cells[node]?.count({ release, stage: 0, track, cell: units % 5 }, result, atMs + unit);
        }
      };
      return {
        source: decisionsSource(database),
        guardrail: { name: 'g', decisions: bad, noWorse: { margin: 1.5 } },
        produceEvents: async (release, fromMs, done) => {
          for (const one of done) count(release, fromMs, one);
          // Units outside the comparison do not count.
          nodes[0]?.count(release, 'exposed', bad, fromMs);
        },
        settle: async () => {
          for (const node of [...nodes, ...cells]) await node.flush(db.database, START_MS + 3_600_000);
          // Of another stage, which is not asked about.
          const later = new ReleaseCells('c/3');
          later.count({ release: 'one', stage: 1, track: 'stable', cell: 0 }, bad, START_MS);
          await later.flush(db.database, START_MS);
        },
        breakDown: close,
      };
    },
    START_MS,
  );
}
