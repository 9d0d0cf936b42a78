import { repeat } from '#kernel/base/repeat.ts';
import type { OwnEventType } from '#kernel/events/built-in-types.ts';
import { writeOwnEvents } from '#kernel/events/write-own-events.ts';
import type { Job, JobParts } from '#kernel/modules/module.ts';
import { MINUTE_MS } from './break-counts.ts';

const LIMITS = {
  everyMs: 5_000,
  /** A minute is written so long after its end: by then all nodes have sent what they counted. */
  delayMs: 30_000,
  /** Events of one batch. */
  eventsMax: 500,
} as const;

/** Answered breaks of a minute: for the fill rate of placements and markets. */
export const AD_BREAK: OwnEventType = {
  name: 'ad-break',
  spec: {
    title: 'Ad breaks of a minute',
    owner: 'backline',
    purpose: 'How many ads were asked for and answered: for the fill rate of placements.',
    subject: 'none',
    schema: {
      properties: {
        placement: { type: 'string', maxLength: 320, description: 'Live name of the Placement.' },
        market: { type: 'string', maxLength: 253, description: 'Market of the questions.' },
        breaks: { type: 'integer', minimum: 1, description: 'Breaks for listeners who may hear ads.' },
        slots: { type: 'integer', minimum: 0, description: 'Ads that they asked for.' },
        filled: { type: 'integer', minimum: 0, description: 'Ads that were answered.' },
      },
      required: ['placement', 'breaks', 'slots', 'filled'],
    },
    retention: 'P395D',
  },
};

interface BreakRow {
  readonly id: string;
  readonly minute: Temporal.Instant;
  readonly placement: string;
  readonly market: string;
  readonly breaks: number;
  readonly slots: number;
  readonly filled: number;
}

/** Writes minutes that are over to the event log, at least once each; the event id removes duplicates. */
export function logBreaks(parts: JobParts): Job {
  const run = async (): Promise<void> => {
    while ((await logSome(parts)) === LIMITS.eventsMax);
  };
  const warn = (error: unknown): void =>
    parts.log.error({ err: error }, 'ad breaks: cannot write to the event log; retrying');
  return { close: repeat(LIMITS.everyMs, run, warn) };
}

function logSome({ database, write, table, clock }: JobParts): Promise<number> {
  return database.transaction(async ({ query }) => {
    const rows = await query<BreakRow>({
      name: 'read-ad-breaks',
      text: `
        select id, minute, placement, market, breaks, slots, filled from backline.ad_breaks
        where minute <= $1::timestamptz - $2 * interval '1 millisecond'
        order by minute limit ${LIMITS.eventsMax} for update skip locked`,
      values: [clock().toString(), MINUTE_MS + LIMITS.delayMs],
    });
    if (rows.length === 0) return 0;
    await writeOwnEvents({ write, table, clock }, rows.map(eventOf));
    await query({
      name: 'drop-ad-breaks',
      text: 'delete from backline.ad_breaks where id = any ($1::uuid[])',
      values: [rows.map(({ id }) => id)],
    });
    return rows.length;
  });
}

function eventOf({ id, minute, placement, market, breaks, slots, filled }: BreakRow): object {
  return {
    type: AD_BREAK.name,
    id,
    at: minute.toString(),
    properties: { placement, ...(market === '' ? {} : { market }), breaks, slots, filled },
  };
}
