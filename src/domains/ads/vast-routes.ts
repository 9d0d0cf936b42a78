import { Type } from 'typebox';
import { defineRoute, type AnswerContext, type AnswerDocument, type DecisionRoute } from '#kernel/snapshots/module.ts';
import type { AdFacts } from './ad-facts.ts';
import { answerBreak, BREAK_ASKING, type BreakParts, type Question } from './ad-routes.ts';
import type { AdsTable } from './decisions/table.ts';
import { adRefusal } from './refusals.ts';
import { vastDocument, type VastAd } from './serving/vast.ts';
import { vmapDocument, type VmapBreak } from './serving/vmap.ts';

const BREAKS_MAX = 10;

interface Answer {
  readonly breaks: readonly VmapBreak[];
  readonly mayMeasure: boolean;
}

const DocumentAnswer = Type.Object({});

/** Breaks in the forms that players know. */
export function vastRoutes(parts: BreakParts): readonly DecisionRoute<AdsTable>[] {
  const shared = {
    ...BREAK_ASKING,
    access: 'catalogue',
    documentType: 'application/xml',
    linksBack: true,
    answer: DocumentAnswer,
  } as const;
  return [
    defineRoute({
      ...shared,
      path: '/v1/ads/vast',
      summary:
        'Fills a break of audio or video: a VAST 4.2 document, empty without ads. Players report to the links in it.',
      handle: async (question, context: AnswerContext<AdsTable, AdFacts>): Promise<Answer> => {
        const { ads, mayMeasure } = await answerForPlayer(question, context, parts);
        return { breaks: [{ offsetSeconds: 0, ads }], mayMeasure };
      },
      present: (answer, { baseUrl }) => {
        const { breaks, mayMeasure } = answer as Answer;
        return xml(vastDocument(breaks[0]?.ads ?? [], { baseUrl: baseUrl(), mayMeasure }));
      },
    }),
    defineRoute({
      ...shared,
      path: '/v1/ads/vmap',
      input: Type.Object(
        {
          ...BREAK_ASKING.input.properties,
          offsets: Type.String({
            pattern: `^\\d{1,5}(,\\d{1,5}){0,${BREAKS_MAX - 1}}$`,
            description: `When breaks begin, in seconds: up to ${BREAKS_MAX}, like 0,600,1200.`,
          }),
        },
        { additionalProperties: false },
      ),
      summary:
        'Fills the breaks of an episode at once: a VMAP document with a VAST for each. Adjacent breaks are separated.',
      handle: async ({ offsets, ...question }, context: AnswerContext<AdsTable, AdFacts>): Promise<Answer> => {
        const seconds = [...new Set(offsets.split(',').map(Number))].toSorted((a, b) => a - b);
        const breaks: VmapBreak[] = [];
        let [adjacent, mayMeasure] = [question.adjacent ?? [], false];
        for (const offsetSeconds of seconds) {
          const asked = { ...question, adjacent, aheadSeconds: offsetSeconds };
          const answered = await answerForPlayer(asked, context, parts);
          breaks.push({ offsetSeconds, ads: answered.ads });
          adjacent = answered.ads.map(({ advertiser, categories }) => ({ advertiser, categories: [...categories] }));
          ({ mayMeasure } = answered);
        }
        return { breaks, mayMeasure };
      },
      present: (answer, { baseUrl }) => {
        const { breaks, mayMeasure } = answer as Answer;
        return xml(vmapDocument(breaks, { baseUrl: baseUrl(), mayMeasure }));
      },
    }),
  ];
}

async function answerForPlayer(
  question: Question,
  context: AnswerContext<AdsTable, AdFacts>,
  parts: BreakParts,
): Promise<{ readonly ads: readonly VastAd[]; readonly mayMeasure: boolean }> {
  if (parts.records === undefined)
    throw adRefusal('no-records', 'This process has no database: players could report nothing.');
  const format = context.table.placements.get(question.placement)?.spec.format;
  if (format === 'image') {
    const detail = `${question.placement} is a place for images, which VAST does not have; ask /v1/ads/decide`;
    throw adRefusal('invalid-question', `/placement: ${detail}`, {
      problems: [{ path: ['placement'], reason: 'FieldValueInvalid', detail }],
    });
  }
  const { id, ads, asked } = await answerBreak(question, context, parts);
  return {
    mayMeasure: asked.rules.permission.measurement,
    ads: ads.flatMap(({ served: { ad, adSet }, token }, place) =>
      token === undefined
        ? []
        : { ad, advertiser: adSet.advertiser, categories: adSet.categories, servingId: `${id}.${place}`, token },
    ),
  };
}

/** A document has tokens of its own: no cache may give it twice. */
function xml(body: string): AnswerDocument {
  return { status: 200, contentType: 'application/xml; charset=utf-8', body, headers: { 'cache-control': 'no-store' } };
}
