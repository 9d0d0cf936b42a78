import { Type } from 'typebox';
import type { Log } from '#kernel/base/log.ts';
import { Refusal, refusalIn } from '#kernel/base/failures.ts';
import { defineRoute, type AnswerContext, type AnswerDocument, type DecisionRoute } from '#kernel/snapshots/module.ts';
import type { AdFacts } from './ad-facts.ts';
import type { AdsTable } from './decisions/table.ts';
import type { AdRecords } from './open-ad-records.ts';
import { adRefusal } from './refusals.ts';
import { AD_EVENTS } from './rules/ad-events.ts';
import { TOKEN_LIMITS } from './serving/ad-token.ts';
import { eventReporter, type GivenEvent, type ReportEvent } from './report-event.ts';

const BATCH_LIMITS = {
  /** Of one request: a player sends what one break had while it was offline. */
  eventsMax: 100,
  bytesMax: 512 * 1024,
} as const;

/** The smallest GIF: one transparent pixel. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
/** An answer that a cache gives counts nothing. */
const UNCACHED = { 'cache-control': 'no-store' };

const token = Type.Optional(
  Type.String({ maxLength: 2 * TOKEN_LIMITS.charsMax, description: 'The token of the ad, as it was answered.' }),
);
const event = Type.String({ maxLength: 253, description: `One of ${AD_EVENTS.join(', ')}.` });
const code = Type.Optional(Type.String({ maxLength: 100, description: 'The VAST error code of an error.' }));
const Outcome = Type.Enum(['counted', 'duplicate', 'held'], {
  description:
    'counted; duplicate: it was counted before; held: it counts if the event before it comes within a minute.',
});

const EventAnswer = Type.Object({
  event: Type.String({ description: 'The event.' }),
  outcome: Outcome,
  opens: Type.Optional(Type.String({ description: 'Of a click: the page that it opens. GET is redirected there.' })),
});

interface EventAnswer {
  readonly event: string;
  /** Or the code of a refusal. */
  readonly outcome: string;
  readonly opens?: string;
}

/** A click that is not counted. Its listener arrives all the same. */
interface RefusedClick extends Required<EventAnswer> {
  readonly refusal: Refusal;
}

/** Where players report what happens to an ad. The token is the right: it is sealed, and every event counts once. */
export function adEventRoutes(records: AdRecords | undefined, log: Log): readonly DecisionRoute<AdsTable>[] {
  const report = records === undefined ? refuseWithoutRecords : eventReporter(records, log);
  return [
    defineRoute({
      path: '/v1/ads/events/*',
      access: 'token',
      summary:
        'Counts an event of an ad, once. GET answers a pixel; a click is redirected to the page of the ad, counted or not.',
      pathInput: 'event',
      presentedType: 'image/gif',
      input: Type.Object({ event, token, code }, { additionalProperties: false }),
      answer: EventAnswer,
      handle: async (given, { table, facts, now, limit }: AnswerContext<AdsTable, AdFacts>) => {
        const accepted = await report(given, { table, facts, now, signal: limit.signal }).catch((error: unknown) =>
          refusedClick(given, error),
        );
        if ('refusal' in accepted) return accepted;
        const answer = { event: accepted.event, outcome: accepted.outcome };
        if (accepted.event !== 'click') return answer;
        const { clickThrough } = accepted.token;
        return clickThrough === undefined ? answer : { ...answer, opens: clickThrough };
      },
      present: (answer, { method }) => {
        if (method === 'GET') return presentToPlayer(answer as EventAnswer);
        if ('refusal' in answer) throw (answer as RefusedClick).refusal;
        return undefined;
      },
    }),
    defineRoute({
      path: '/v1/ads/events',
      access: 'token',
      summary: `Counts up to ${BATCH_LIMITS.eventsMax} events, for players that were offline.`,
      bodyBytesMax: BATCH_LIMITS.bytesMax,
      input: Type.Object(
        {
          events: Type.Array(Type.Object({ event, token, code }, { additionalProperties: false }), {
            minItems: 1,
            description: 'In the order in which they happened.',
          }),
        },
        { additionalProperties: false },
      ),
      answer: Type.Object({
        results: Type.Array(
          Type.Object({
            outcome: Type.Union([Outcome, Type.Literal('refused')], { description: 'What became known of it.' }),
            code: Type.Optional(Type.String({ description: 'The code of the refusal.' })),
            detail: Type.Optional(Type.String({ description: 'Why it was refused.' })),
          }),
          { description: 'One for each event, in their order.' },
        ),
      }),
      handle: async ({ events }, { table, facts, now, limit }: AnswerContext<AdsTable, AdFacts>) => {
        const { eventsMax } = BATCH_LIMITS;
        if (events.length > eventsMax) {
          throw adRefusal('too-many-events', `The request has ${events.length} events; the limit is ${eventsMax}.`);
        }
        const results = events.map(async (given) => {
          try {
            const { outcome } = await report(given, { table, facts, now, signal: limit.signal });
            return { outcome };
          } catch (error) {
            if (!(error instanceof Refusal) || error.status >= 500) throw error;
            return { outcome: 'refused', code: error.code, detail: error.message };
          }
        });
        return { results: await Promise.all(results) };
      },
    }),
  ];

  /** Throws the error for all but a refused click whose token was sealed here, and has a page. */
  function refusedClick({ event: given, token: sealed = '' }: GivenEvent, error: unknown): RefusedClick {
    const refusal = refusalIn(error);
    if (given !== 'click' || refusal === undefined || refusal.code === 'ads/bad-token') throw error;
    const opens = records?.tokens.open(sealed).clickThrough;
    if (opens === undefined) throw error;
    return { event: given, outcome: refusal.code, opens, refusal };
  }
}

/** A redirect leads where the sealed token says, and so where the advertiser declared; nothing in the URL changes it. */
function presentToPlayer({ outcome, opens }: EventAnswer): AnswerDocument {
  const headers = { ...UNCACHED, 'x-outcome': outcome };
  return opens === undefined
    ? { status: 200, contentType: 'image/gif', body: PIXEL, headers }
    : { status: 302, contentType: 'text/plain', body: '', headers: { ...headers, location: opens } };
}

const refuseWithoutRecords: ReportEvent = () => {
  throw adRefusal('no-records', 'This process has no database.');
};
