import type { OwnEventType } from '#kernel/events/built-in-types.ts';
import { moveRows } from '#kernel/events/move-rows.ts';
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

/** Writes minutes that are over to the event log. */
export function logBreaks(parts: JobParts): Job {
  return moveRows<BreakRow>(parts, {
    everyMs: LIMITS.everyMs,
    rowsMax: LIMITS.eventsMax,
    read: (query) =>
      query({
        name: 'read-ad-breaks',
        text: `
          select id, minute, placement, market, breaks, slots, filled from backline.ad_breaks
          where minute <= $1::timestamptz - $2 * interval '1 millisecond'
          order by minute limit ${LIMITS.eventsMax} for update skip locked`,
        values: [parts.clock().toString(), MINUTE_MS + LIMITS.delayMs],
      }),
    eventOf,
    mark: (query, rows) =>
      query({
        name: 'drop-ad-breaks',
        text: 'delete from backline.ad_breaks where id = any ($1::uuid[])',
        values: [rows.map(({ id }) => id)],
      }),
    onFailure: (error) => parts.log.error({ err: error }, 'ad breaks: cannot write to the event log; retrying'),
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
