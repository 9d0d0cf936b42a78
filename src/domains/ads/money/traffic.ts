import { textArray, bigintArray } from '#kernel/postgres/arrays.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { QUARTER_MS, QUARTERS_OF_WEEK, weeklyCurve, type TrafficCurve } from '../rules/pacing.ts';

const TRAFFIC_LIMITS = {
  /** Placements and markets that are counted; breaks of further ones are not. */
  seriesMax: 10_000,
  /** Placements and markets together whose curve is remembered: some 11 KB each. */
  curvesMax: 1_000,
  /** The mean is of so many weeks, and older quarters are dropped. */
  weeks: 4,
  /** Before so much is known, budgets are spread flat. */
  warmMs: 7 * 86_400_000,
} as const;

/** The expected breaks of placements and markets. */
export interface Traffic {
  /** Counts a break that could have had ads. */
  readonly count: (placement: string, market: string | undefined, nowMs: number) => void;
  /**
   * The curve of these placements and markets together; undefined stands for all. Flat where too little is known. See `weeklyCurve` for
   * shares.
   */
  readonly curveOf: (
    placements: ReadonlySet<string> | undefined,
    markets: ReadonlySet<string> | undefined,
    shares?: Float64Array,
  ) => TrafficCurve;
  /** Writes what was counted since. */
  readonly flush: () => Promise<void>;
  /** Reads the means. */
  readonly refresh: (nowMs: number) => Promise<void>;
  readonly tidy: (now: Temporal.Instant) => Promise<void>;
}

interface MeanRow {
  readonly placement: string;
  readonly market: string;
  /** Of the week. */
  readonly quarter: number;
  readonly mean: number;
}

/** All breaks of a placement and market in one quarter of the week. */
interface SumRow extends Omit<MeanRow, 'mean'> {
  readonly breaks: number;
  /** The first quarter since 1970 in which there was any. */
  readonly first: number;
}

export function openTraffic({ query }: Database): Traffic {
  let counted = new Map<string, { placement: string; market: string; quarterMs: number; breaks: number }>();
  let means: readonly MeanRow[] = [];
  let curves = new Map<string, { readonly sum: Float64Array; readonly curve: TrafficCurve }>();
  return {
    count: (placement, market = '', nowMs) => {
      const quarterMs = Math.floor(nowMs / QUARTER_MS) * QUARTER_MS;
      const id = `${quarterMs} ${placement} ${market}`;
      const known = counted.get(id);
      if (known !== undefined) known.breaks += 1;
      else if (counted.size < TRAFFIC_LIMITS.seriesMax) counted.set(id, { placement, market, quarterMs, breaks: 1 });
    },
    curveOf: (placements, markets, shares) => {
      const id = JSON.stringify([placements && [...placements].sort(), markets && [...markets].sort()]);
      let known = curves.get(id);
      if (known === undefined) {
        const sum = sumOf(means, placements, markets);
        known = { sum, curve: weeklyCurve(sum) };
        if (curves.size >= TRAFFIC_LIMITS.curvesMax) curves.clear();
        curves.set(id, known);
      }
      return shares === undefined ? known.curve : weeklyCurve(known.sum, shares);
    },
    flush: async () => {
      const rows = [...counted.values()];
      if (rows.length === 0) return;
      counted = new Map();
      await query({
        name: 'count-ad-traffic',
        text: `
          insert into backline.ad_traffic (placement, market, quarter, breaks)
          select placement, market, to_timestamp(quarter / 1000.0), breaks
          from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) as c (placement, market, quarter, breaks)
          order by quarter, placement, market
          on conflict (quarter, placement, market) do update set breaks = ad_traffic.breaks + excluded.breaks`,
        values: [
          textArray(rows.map(({ placement }) => placement)),
          textArray(rows.map(({ market }) => market)),
          bigintArray(rows.map(({ quarterMs }) => quarterMs)),
          bigintArray(rows.map(({ breaks }) => breaks)),
        ],
      });
    },
    refresh: async (nowMs) => {
      const [known] = await query<{ first: number | null }>({
        text: 'select (extract(epoch from min(quarter)) * 1000)::float8 as first from backline.ad_traffic',
      });
      const isWarm = typeof known?.first === 'number' && nowMs - known.first >= TRAFFIC_LIMITS.warmMs;
      // The quarter that has just begun is not whole.
      const now = Math.floor(nowMs / QUARTER_MS);
      const sums = isWarm
        ? await query<SumRow>({
            text: `
              select placement, market, (extract(epoch from quarter)::bigint / $2 % $3)::int as quarter,
                sum(breaks)::float8 as breaks,
                (min(min(extract(epoch from quarter)::bigint)) over (partition by placement, market) / $2)::float8 as first
              from backline.ad_traffic where quarter < to_timestamp($1 / 1000.0) group by 1, 2, 3`,
            values: [now * QUARTER_MS, QUARTER_MS / 1_000, QUARTERS_OF_WEEK],
          })
        : [];
      means = sums.map(({ placement, market, quarter, breaks, first }) => {
        return { placement, market, quarter, mean: breaks / weeksOf(quarter, first, now) };
      });
      curves = new Map();
    },
    tidy: async (now) => {
      await query({
        text: `delete from backline.ad_traffic where quarter < $1::timestamptz - interval '${TRAFFIC_LIMITS.weeks} weeks'`,
        values: [now.toString()],
      });
    },
  };
}

/** How often a quarter of the week began from `first` on and before `now`: one without breaks has no row, and counts all the same. */
function weeksOf(quarter: number, first: number, now: number): number {
  const later = (((quarter - first) % QUARTERS_OF_WEEK) + QUARTERS_OF_WEEK) % QUARTERS_OF_WEEK;
  return Math.floor((now - 1 - first - later) / QUARTERS_OF_WEEK) + 1;
}

function sumOf(
  means: readonly MeanRow[],
  placements: ReadonlySet<string> | undefined,
  markets: ReadonlySet<string> | undefined,
): Float64Array {
  const sum = new Float64Array(QUARTERS_OF_WEEK);
  for (const { placement, market, quarter, mean } of means) {
    if (placements?.has(placement) === false || markets?.has(market) === false) continue;
    sum[quarter] = (sum[quarter] as number) + mean;
  }
  return sum;
}
