import { openDatabase } from '#kernel/postgres/database.ts';
import { ReleaseCounts } from '#kernel/snapshots/release-counts.ts';
import { startDatabase } from '#tests/support/database.ts';
import { decisionsSource } from './decisions-source.ts';
import { sourceContract, type Done, type SourceWorld } from './testing/source-contract.ts';

const START_MS = Date.parse('2026-05-01T12:00:00Z');

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
      let units = 0;
      const count = (release: string, atMs: number, { track, units: all, bad: wrong }: Done) => {
        for (let unit = 0; unit < all; unit += 1) {
          nodes[(units += 1) % 2]?.count(release, track, unit < wrong ? bad : 'given', atMs + unit);
        }
      };
      return {
        source: decisionsSource(database),
        guardrail: { name: 'g', decisions: bad, noWorse: { margin: 1.5 } },
        happened: async (release, fromMs, done) => {
          for (const one of done) count(release, fromMs, one);
          // Whoever is not compared does not count.
          nodes[0]?.count(release, 'exposed', bad, fromMs);
        },
        settle: async () => {
          for (const node of nodes) await node.flush(db.database, START_MS + 3_600_000);
        },
        breakDown: close,
      };
    },
    START_MS,
  );
}
