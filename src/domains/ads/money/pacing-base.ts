import type { Database } from '#kernel/postgres/database.ts';
import { QUARTER_MS, type Spread } from '../rules/pacing.ts';

/** Bases are of use within their day; kept for those who look into one that went wrong. */
const KEPT_DAYS = 2;
/** Budgets that a process remembers. */
const PACED_MAX = 100_000;

type Base = Spread['base'];

interface PacedBudget {
  readonly bucket: string;
  /** Of its limits and times. */
  readonly version: string;
  /** When its day or flight began. */
  readonly fromMs: number;
}

/** Where the rest of each budget is spread from: the same in all processes, and anew every quarter of an hour. */
export interface PacingBases {
  /**
   * @param derive the base of this quarter from the last one of this version; called where no process was earlier
   */
  readonly find: (
    budget: PacedBudget,
    nowMs: number,
    derive: (previous: Base | undefined, quarterMs: number) => Promise<Base>,
  ) => Promise<Base>;
  /** The first base of a budget since its day or flight began. */
  readonly findFirst: (budget: PacedBudget) => Promise<Base | undefined>;
  readonly tidy: (now: Temporal.Instant) => Promise<void>;
}

export function openPacingBases({ query }: Database): PacingBases {
  const known = new Map<string, { readonly version: string; readonly quarterMs: number; readonly base: Base }>();
  return {
    find: async ({ bucket, version, fromMs }, nowMs, derive) => {
      const quarterMs = Math.floor(nowMs / QUARTER_MS) * QUARTER_MS;
      const last = known.get(bucket);
      if (last?.version === version && last.quarterMs === quarterMs && last.base.atMs >= fromMs) return last.base;
      let row = await readBase({ bucket, version, fromMs }, 'desc');
      if (row?.quarterMs !== quarterMs) {
        const { atMs, released } = await derive(row, quarterMs);
        await query({
          name: 'write-ad-pacing',
          text: `
            insert into backline.ad_pacing (bucket, version, quarter, from_at, released)
            values ($1, $2, to_timestamp($3::float8 / 1000), to_timestamp($4::float8 / 1000), $5) on conflict do nothing`,
          values: [bucket, version, quarterMs, Math.max(fromMs, atMs), released],
        });
        row = await readBase({ bucket, version, fromMs }, 'desc');
      }
      if (row === undefined) throw new Error(`the pacing of ${bucket} is gone`);
      if (known.size >= PACED_MAX) known.clear();
      known.set(bucket, { version, quarterMs, base: row });
      return row;
    },
    findFirst: (budget) => readBase(budget, 'asc'),
    tidy: async (now) => {
      await query({
        text: `delete from backline.ad_pacing where quarter < $1::timestamptz - interval '${KEPT_DAYS} days'`,
        values: [now.toString()],
      });
    },
  };

  async function readBase(
    { bucket, version, fromMs }: PacedBudget,
    order: 'asc' | 'desc',
  ): Promise<(Base & { readonly quarterMs: number }) | undefined> {
    const [row] = await query<{ quarter: number; at: number; released: number }>({
      name: `read-ad-pacing-${order}`,
      text: `
        select (extract(epoch from quarter) * 1000)::float8 as quarter, (extract(epoch from from_at) * 1000)::float8 as at,
          released::float8
        from backline.ad_pacing
        where bucket = $1 and version = $2 and from_at >= to_timestamp($3::float8 / 1000)
        order by quarter ${order} limit 1`,
      values: [bucket, version, fromMs],
    });
    return row && { quarterMs: row.quarter, atMs: row.at, released: row.released };
  }
}
