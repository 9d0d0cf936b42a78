import type { OwnEventType } from '#kernel/events/built-in-types.ts';
import { moveRows } from '#kernel/events/move-rows.ts';
import type { Job, JobParts } from '#kernel/modules/module.ts';
import { AD_EVENTS } from '../rules/ad-events.ts';
import type { AdToken } from '../serving/ad-token.ts';
import { GOALS } from '../rules/goals.ts';

const LIMITS = {
  everyMs: 2_000,
  /** Events of one batch. */
  eventsMax: 500,
} as const;

const name = (of: string) => ({ type: 'string', maxLength: 320, description: `Live name of the ${of}.` });

/** Every event of a served ad, once: what reports and invoices count. */
export const AD_DELIVERY: OwnEventType = {
  name: 'ad-delivery',
  spec: {
    title: 'Ad delivery',
    owner: 'backline',
    purpose: 'What was played and charged of ads: for reports and invoices of advertisers.',
    subject: 'optional',
    schema: {
      properties: {
        event: { type: 'string', enum: [...AD_EVENTS], description: 'What the player reported.' },
        decision: { type: 'string', maxLength: 32, description: 'Id of the break.' },
        place: { type: 'integer', minimum: 0, maximum: 99, description: 'Place of the ad in the break, from 0.' },
        ad: name('Ad'),
        adSet: name('AdSet'),
        campaign: name('Campaign'),
        advertiser: name('Advertiser'),
        placement: name('Placement'),
        market: { type: 'string', maxLength: 253, description: 'Market of the question.' },
        goal: { type: 'string', enum: [...GOALS], description: 'What the ad set pays for.' },
        outcome: {
          type: 'string',
          enum: ['none', 'charged', 'free'],
          description: 'none: this event is not paid for; free: the budget had no room any more.',
        },
        micros: { type: 'integer', minimum: 0, description: 'What was charged, in millionths of the currency.' },
        currency: { type: 'string', maxLength: 3, description: 'ISO 4217 code.' },
        code: { type: 'integer', minimum: 100, maximum: 999, description: 'The VAST error code of an error.' },
      },
      required: [
        'event',
        'decision',
        'place',
        'ad',
        'adSet',
        'campaign',
        'advertiser',
        'placement',
        'goal',
        'outcome',
        'micros',
        'currency',
      ],
    },
    retention: 'P395D',
  },
};

interface DeliveryRow {
  readonly decision: string;
  readonly place: number;
  readonly event: string;
  readonly at: Temporal.Instant;
  readonly state: string;
  readonly micros: number;
  readonly code: number | null;
  readonly token: AdToken;
}

/** Writes settled deliveries to the event log. What the token held is dropped with that. */
export function logDeliveries(parts: JobParts): Job {
  return moveRows<DeliveryRow>(parts, {
    everyMs: LIMITS.everyMs,
    rowsMax: LIMITS.eventsMax,
    read: (query) =>
      query({
        name: 'read-unlogged-ad-events',
        text: `select decision, place, event, at, state, micros, code, token from backline.ad_deliveries
          where not is_logged and state not in ('held', 'late') order by at limit ${LIMITS.eventsMax} for update skip locked`,
      }),
    eventOf,
    mark: (query, rows) =>
      query({
        name: 'note-logged-ad-events',
        text: `
          update backline.ad_deliveries d set is_logged = true, token = null, limits = null
          from jsonb_to_recordset($1::jsonb) as g (decision uuid, place smallint, event text)
          where d.decision = g.decision and d.place = g.place and d.event = g.event`,
        values: [JSON.stringify(rows.map(({ decision, place, event }) => ({ decision, place, event })))],
      }),
    onFailure: (error) => parts.log.error({ err: error }, 'ad events: cannot write to the event log; retrying'),
  });
}

function eventOf({ place, event, at, state, micros, code, token }: DeliveryRow): object {
  const { decision, ad, adSet, campaign, advertiser, placement, goal, currency, subject, mayProfile } = token;
  const { listener, market } = subject;
  return {
    type: AD_DELIVERY.name,
    id: `${decision}.${place}.${event}`,
    at: at.toString(),
    ...(mayProfile && listener !== undefined ? { subject: listener } : {}),
    properties: {
      event,
      decision,
      place,
      ad,
      adSet,
      campaign,
      advertiser,
      placement,
      ...(market === undefined ? {} : { market }),
      goal,
      outcome: state,
      micros: state === 'charged' ? micros : 0,
      currency,
      ...(code === null ? {} : { code }),
    },
  };
}
