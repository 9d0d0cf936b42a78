import { bigintArray, textArray } from '#kernel/postgres/arrays.ts';
import type { Database } from '#kernel/postgres/database.ts';

export const MINUTE_MS = 60_000;

/** Placements and markets of the minutes that are not written yet; breaks of further ones are not counted. */
const SERIES_MAX = 10_000;

/** A break for a listener who may hear ads. */
interface CountedBreak {
  readonly placement: string;
  readonly market: string | undefined;
  /** Ads that were asked for, and those in the answer. */
  readonly slots: number;
  readonly filled: number;
}

/** Counts answered breaks by minute, placement and market, in the memory of this process. */
export interface BreakCounts {
  readonly count: (one: CountedBreak, nowMs: number) => void;
  /** Writes what was counted since. What cannot be written is kept for the next time. */
  readonly flush: () => Promise<void>;
}

interface Series {
  readonly placement: string;
  readonly market: string;
  readonly minuteMs: number;
  breaks: number;
  slots: number;
  filled: number;
}

export function openBreakCounts({ query }: Database): BreakCounts {
  let counted = new Map<string, Series>();
  const add = ({ placement, market, minuteMs, breaks, slots, filled }: Series): void => {
    const key = JSON.stringify([minuteMs, placement, market]);
    const known = counted.get(key);
    if (known !== undefined) {
      known.breaks += breaks;
      known.slots += slots;
      known.filled += filled;
    } else if (counted.size < SERIES_MAX) {
      counted.set(key, { placement, market, minuteMs, breaks, slots, filled });
    }
  };
  return {
    count: ({ placement, market = '', slots, filled }, nowMs) =>
      add({ placement, market, minuteMs: Math.floor(nowMs / MINUTE_MS) * MINUTE_MS, breaks: 1, slots, filled }),
    flush: async () => {
      const rows = [...counted.values()];
      if (rows.length === 0) return;
      counted = new Map();
      try {
        await query({
          name: 'count-ad-breaks',
          text: `
            insert into backline.ad_breaks as b (minute, placement, market, breaks, slots, filled)
            select to_timestamp(minute / 1000.0), placement, market, breaks, slots, filled
            from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
              as c (minute, placement, market, breaks, slots, filled)
            order by minute, placement, market
            on conflict (minute, placement, market) do update
            set breaks = b.breaks + excluded.breaks, slots = b.slots + excluded.slots, filled = b.filled + excluded.filled`,
          values: [
            bigintArray(rows.map(({ minuteMs }) => minuteMs)),
            textArray(rows.map(({ placement }) => placement)),
            textArray(rows.map(({ market }) => market)),
            bigintArray(rows.map(({ breaks }) => breaks)),
            bigintArray(rows.map(({ slots }) => slots)),
            bigintArray(rows.map(({ filled }) => filled)),
          ],
        });
      } catch (error) {
        for (const row of rows) add(row);
        throw error;
      }
    },
  };
}
