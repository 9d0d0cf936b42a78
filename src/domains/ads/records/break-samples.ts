import type { AttributeTable } from '#kernel/audiences/language/attributes.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { BreakQuestion } from '../decisions/decide.ts';
import { readableContext, RECENT_LIMITS } from '../diagnosis/recent-breaks.ts';
import type { BreakDay, WeekOfBreaks } from '../rules/audience-size.ts';

const DAY_MS = 86_400_000;

export const SAMPLE_LIMITS = {
  /** Breaks of a placement and day that are kept, of all nodes together. */
  perDay: 2_000,
  /** Placements and days that a node samples between two writes; breaks of further ones are not counted. */
  seriesMax: 64,
  /** Days that are kept: a week, and today. */
  days: 8,
  /** Samples that a process reads for the week. */
  readMax: 20_000,
  /** How often a process that is asked reads the week. */
  readMs: 300_000,
} as const;

interface Sample {
  readonly priority: number;
  readonly context: Context | null;
}

interface Series {
  readonly day: string;
  readonly placement: string;
  breaks: number;
  kept: Sample[];
  /** Lower ones are among those that are kept. */
  priorityMax: number;
}

/**
 * An even sample of the breaks of the last week over all nodes, without ids of listeners. Each break draws a number, and those with
 * the lowest of a day stay: samples of several nodes together are one again (bottom-k sampling).
 */
export interface BreakSamples {
  readonly add: (asked: BreakQuestion, attributes: AttributeTable) => void;
  /** Writes what was sampled since. What cannot be written is kept for the next time. */
  readonly flush: () => Promise<void>;
  /** The week as it was read last; undefined: not yet. Reads it anew in the background where that is some minutes old. */
  readonly week: (nowMs: number) => WeekOfBreaks | undefined;
  readonly refresh: (nowMs: number) => Promise<void>;
  readonly tidy: (nowMs: number) => Promise<void>;
}

export function openBreakSamples({ query, transaction }: Database, random: () => number): BreakSamples {
  const series = new Map<string, Series>();
  let week: WeekOfBreaks | undefined;
  let reading: { readonly atMs: number; readonly done: Promise<void> } | undefined;
  const refresh = async (nowMs: number): Promise<void> => {
    week = await readWeek(query, nowMs);
  };
  return {
    add: (asked, attributes) => {
      const { name: placement } = asked.placement;
      const key = `${Math.floor(asked.nowMs / DAY_MS)} ${placement}`;
      let own = series.get(key);
      if (own === undefined) {
        if (series.size >= SAMPLE_LIMITS.seriesMax) return;
        own = { day: dayOf(asked.nowMs), placement, breaks: 0, kept: [], priorityMax: 1 };
        series.set(key, own);
      }
      own.breaks += 1;
      const priority = random();
      if (priority >= own.priorityMax) return;
      own.kept.push({ priority, context: contextOf(asked, attributes) });
      if (own.kept.length >= 2 * SAMPLE_LIMITS.perDay) keepLowest(own);
    },
    flush: async () => {
      const given = [...series.values()].filter(({ breaks }) => breaks > 0);
      if (given.length === 0) return;
      const sent = given.map(({ day, placement, breaks, kept }) => ({ day, placement, breaks, kept }));
      for (const own of given) [own.breaks, own.kept] = [0, []];
      try {
        const cuts = await transaction(async (inside) => writeSamples(inside.query, sent));
        for (const { day, placement, cut } of cuts) {
          const own = given.find((one) => one.day === day && one.placement === placement);
          if (own !== undefined && cut !== null) own.priorityMax = cut;
        }
      } catch (error) {
        for (const [index, own] of given.entries()) {
          own.breaks += sent[index]?.breaks ?? 0;
          own.kept.push(...(sent[index]?.kept ?? []));
        }
        throw error;
      }
      // A day that is over is written.
      for (const [key, own] of series) if (own.breaks === 0 && own.day < (given.at(-1)?.day ?? '')) series.delete(key);
    },
    week: (nowMs) => {
      if (reading === undefined || nowMs - reading.atMs >= SAMPLE_LIMITS.readMs) {
        // Without an answer the last one stays, and none is one that knows nothing.
        reading = { atMs: nowMs, done: refresh(nowMs).catch(() => {}) };
      }
      return week;
    },
    refresh,
    tidy: async (nowMs) => {
      const before = dayOf(nowMs - SAMPLE_LIMITS.days * DAY_MS);
      for (const table of ['ad_break_days', 'ad_break_samples'])
        await query({ text: `delete from backline.${table} where day < $1::date`, values: [before] });
    },
  };
}

/** Null: the listener permits less than every attribute, or there is too much of it. */
function contextOf({ rules, context }: BreakQuestion, attributes: AttributeTable): Context | null {
  if (!rules.permission.personal) return null;
  const readable = readableContext(context, attributes);
  return Buffer.byteLength(JSON.stringify(readable)) > RECENT_LIMITS.bytesMax ? null : readable;
}

function keepLowest(own: Series): void {
  own.kept = own.kept.toSorted((a, b) => a.priority - b.priority).slice(0, SAMPLE_LIMITS.perDay);
  own.priorityMax = own.kept.at(-1)?.priority ?? 1;
}

type Query = Database['query'];

/** Gives the number that each further sample has to be below; null where there are not so many. */
async function writeSamples(
  query: Query,
  given: readonly Pick<Series, 'day' | 'placement' | 'breaks' | 'kept'>[],
): Promise<readonly { readonly day: string; readonly placement: string; readonly cut: number | null }[]> {
  const days = given.map(({ day, placement, breaks }) => ({ day, placement, breaks }));
  await query({
    name: 'count-ad-break-days',
    text: `
      insert into backline.ad_break_days as d (day, placement, breaks)
      select day, placement, breaks from jsonb_to_recordset($1::jsonb) as g (day date, placement text, breaks bigint)
      order by day, placement
      on conflict (day, placement) do update set breaks = d.breaks + excluded.breaks`,
    values: [JSON.stringify(days)],
  });
  const samples = given.flatMap(({ day, placement, kept }) => kept.map((one) => ({ day, placement, ...one })));
  await query({
    name: 'write-ad-break-samples',
    text: `
      insert into backline.ad_break_samples (day, placement, priority, context)
      select day, placement, priority, nullif(context, 'null'::jsonb)
      from jsonb_to_recordset($1::jsonb) as g (day date, placement text, priority float8, context jsonb)
      on conflict do nothing`,
    values: [JSON.stringify(samples)],
  });
  return query({
    name: 'cut-ad-break-samples',
    text: `
      with cuts as (
        select day, placement, (
          select s.priority from backline.ad_break_samples s where s.day = g.day and s.placement = g.placement
          order by s.priority offset $2 limit 1
        ) as cut
        from jsonb_to_recordset($1::jsonb) as g (day date, placement text)
      ), dropped as (
        delete from backline.ad_break_samples s using cuts c
        where s.day = c.day and s.placement = c.placement and s.priority >= c.cut
      )
      select day::text, placement, cut from cuts`,
    values: [JSON.stringify(days), SAMPLE_LIMITS.perDay],
  });
}

async function readWeek(query: Query, nowMs: number): Promise<WeekOfBreaks> {
  const since = dayOf(nowMs - (SAMPLE_LIMITS.days - 1) * DAY_MS);
  const counts = await query<{ day: string; placement: string; breaks: number }>({
    text: `select day::text, placement, breaks from backline.ad_break_days where day >= $1::date`,
    values: [since],
  });
  const samples = await query<{ day: string; placement: string; context: Context | null }>({
    text: `select day::text, placement, context from backline.ad_break_samples where day >= $1::date
      order by priority limit ${SAMPLE_LIMITS.readMax}`,
    values: [since],
  });
  const kept = Map.groupBy(samples, ({ day, placement }) => `${day} ${placement}`);
  const days = counts.map(({ day, placement, breaks }): BreakDay => ({
    fromMs: Temporal.Instant.from(`${day}T00:00:00Z`).epochMilliseconds,
    placement,
    breaks,
    contexts: (kept.get(`${day} ${placement}`) ?? []).map(({ context }) => context ?? undefined),
  }));
  return { nowMs, days };
}

/** In UTC. */
function dayOf(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString().slice(0, 10);
}
