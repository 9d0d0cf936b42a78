import type { Database } from '#kernel/postgres/database.ts';
import { QUARTER_MS, type Spread } from '../rules/pacing.ts';

/** Bases are of use within their day; kept for those who look into one that went wrong. */
const KEPT_DAYS = 2;
/** Budgets that a process remembers. */
const PACED_MAX = 100_000;

type Base = Spread['base'];

interface PacedBudget {
  readonly bucket: string;
  /** Of the limit, and of the time that it is spread over. */
  readonly version: string;
  /** When its day or flight began. */
  readonly fromMs: number;
}

/** Where the rest of each budget is spread from: the same in all processes, and anew every quarter of an hour. */
export interface PacingBases {
  /**
   * @param derive the base at a moment: the beginning of this quarter, or now where the budget has changed. `previous` is the last one
   *   since its day or flight began, also of another version: a budget that is changed again and again is spread on. Called where no
   *   process was earlier
   */
  readonly find: (
    budget: PacedBudget,
    nowMs: number,
    derive: (previous: Base | undefined, atMs: number) => Promise<Base>,
  ) => Promise<Base>;
  /** The first base of this version since its day or flight began. */
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
      let row = await readLast({ bucket, version, fromMs }, quarterMs);
      if (row?.quarterMs !== quarterMs || !row.isOfVersion) {
        const { atMs, released } = await derive(row, row?.isOfVersion === true ? quarterMs : nowMs);
        await query({
          name: 'write-ad-pacing',
          text: `
            insert into backline.ad_pacing (bucket, version, quarter, from_at, released)
            values ($1, $2, to_timestamp($3::float8 / 1000), to_timestamp($4::float8 / 1000), $5) on conflict do nothing`,
          values: [bucket, version, quarterMs, Math.max(fromMs, atMs), released],
        });
        row = await readLast({ bucket, version, fromMs }, quarterMs);
      }
      if (row === undefined) throw new Error(`the pacing of ${bucket} is gone`);
      if (known.size >= PACED_MAX) known.clear();
      known.set(bucket, { version, quarterMs, base: row });
      return row;
    },
    findFirst: async ({ bucket, version, fromMs }) => {
      const [row] = await query<BaseRow>({
        name: 'read-first-ad-pacing',
        text: `
          ${SELECT} where bucket = $1 and version = $2 and from_at >= to_timestamp($3::float8 / 1000)
          order by quarter limit 1`,
        values: [bucket, version, fromMs],
      });
      return row;
    },
    tidy: async (now) => {
      await query({
        text: `delete from backline.ad_pacing where quarter < $1::timestamptz - interval '${KEPT_DAYS} days'`,
        values: [now.toString()],
      });
    },
  };

  /** The one of this version and quarter, or else the last one that there is; a clock that was ahead may have left later ones. */
  async function readLast({ bucket, version, fromMs }: PacedBudget, quarterMs: number): Promise<BaseRow | undefined> {
    const [row] = await query<BaseRow>({
      name: 'read-last-ad-pacing',
      text: `
        ${SELECT} where bucket = $1 and from_at >= to_timestamp($3::float8 / 1000) and quarter <= to_timestamp($4::float8 / 1000)
        order by quarter desc, version = $2 desc, from_at desc limit 1`,
      values: [bucket, version, fromMs, quarterMs],
    });
    return row;
  }
}

interface BaseRow extends Base {
  readonly quarterMs: number;
  readonly isOfVersion: boolean;
}

const SELECT = `
  select (extract(epoch from quarter) * 1000)::float8 as "quarterMs", (extract(epoch from from_at) * 1000)::float8 as "atMs",
    released::float8, version = $2 as "isOfVersion"
  from backline.ad_pacing`;
