import { Type, type Static } from 'typebox';
import { canonicalJson } from '#kernel/base/ids.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { productRefusal } from './refusals.ts';
import type { DecisionRoute } from '#kernel/snapshots/module.ts';
import type { MeteredUse } from './decisions/buckets-for.ts';
import type { ProductsTable } from './decisions/table.ts';
import {
  earlierUse,
  mayDiffer,
  translateAnswer,
  translateEarlier,
  situationIfAny,
  type Earlier,
} from './earlier-use.ts';
import { isFault } from './rules/fault.ts';
import type { SubjectFacts } from './rules/subject-facts.ts';
import { factsAt } from './rules/terms-at.ts';
import { parseInstant } from './rules/times.ts';
import {
  chargeOnTerms,
  requireCounted,
  factsOf,
  meteredUse,
  receiptOf,
  requireUsedUp,
  situationBy,
  type Desk,
  type Use,
} from './usage-desk.ts';
import { AMOUNT, FEATURE, input, KEY, name, SECONDS, usageRoutesOf, WHO } from './usage-route.ts';

const ITEMS_MAX = 20;
const OF = { of: name('Key of the operation to settle.') };

const ITEMS = Type.Array(Type.Object({ ...FEATURE, ...AMOUNT }, { additionalProperties: false }), {
  minItems: 1,
  maxItems: ITEMS_MAX,
  description: 'Features and units used.',
});

const CONSUME = input({
  ...WHO,
  ...FEATURE,
  ...AMOUNT,
  partial: Type.Optional(
    Type.Boolean({ description: 'Charge the remaining units when they are fewer than the amount.' }),
  ),
  usedAt: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'Time of use on the device clock. Absent: now.',
    }),
  ),
  ...KEY,
});

/**
 * Routes that count use: consume, reserve and their settlement. For server clients, and for people who may
 * post to the path. A settlement uses the terms of the operation that it settles.
 */
export function usageRoutes(desk: Desk | undefined): readonly DecisionRoute<ProductsTable>[] {
  const route = usageRoutesOf(desk);
  return [
    route(
      '/v1/consume',
      {
        summary: 'Charges use: the whole amount or, with partial, the remaining units. A denial charges nothing.',
        input: CONSUME,
      },
      (wish, { desk, table, now }) => consume(desk, table, wish, now),
    ),
    ...reservationRoutes(route),
    refundRoute(route),
    route(
      '/v1/batch/consume',
      {
        summary: 'Charges use of several features: all or nothing. Unlimited features are not counted.',
        input: input({ ...WHO, items: ITEMS, ...KEY }),
      },
      ({ items, key, ...who }, { desk, table, now }) => consumeBatch(desk, table, { items, key, who, now }),
    ),
  ];
}

type MakeRoute = ReturnType<typeof usageRoutesOf>;

function reservationRoutes(route: MakeRoute): readonly DecisionRoute<ProductsTable>[] {
  return [
    route(
      '/v1/reserve',
      {
        summary: 'Reserves units until they are committed or released, or the reservation expires.',
        input: input({ ...WHO, ...FEATURE, ...AMOUNT, ...SECONDS, ...KEY }),
      },
      ({ amount, seconds, key, ...question }, { desk, table, now }) => {
        requireUsedUp(table, question.feature);
        const reserve = (subject: string, { quota, buckets }: Pick<MeteredUse, 'quota' | 'buckets'>) =>
          desk.quotas.reserve({ subject, key, quota, buckets, amount, ttlMs: seconds * 1_000 }, desk.signal);
        return chargeOnce(
          desk,
          table,
          { question, now, key, amount },
          {
            again: ({ subject }) => reserve(subject, { quota: question.feature, buckets: [] }),
            anew: async (facts) => {
              const situation = situationBy(table, question, facts, now);
              const use = requireCounted(situation);
              return translateAnswer(table, situation, await reserve(use.scope.subject, use), amount);
            },
          },
        );
      },
    ),
    route(
      '/v1/extend',
      { summary: 'Extends a reservation.', input: input({ ...WHO, ...FEATURE, ...OF, ...SECONDS, ...KEY }) },
      async ({ of, seconds, key, ...question }, { desk, table, now }) => {
        const { subject } = await resolveEarlier(desk, table, { question, of }, now);
        const { feature: quota } = question;
        return receiptOf(await desk.quotas.extend({ subject, key, of, quota, ttlMs: seconds * 1_000 }, desk.signal));
      },
    ),
    route(
      '/v1/commit',
      {
        summary: 'Ends a reservation with the actual use; the rest is released.',
        input: input({
          ...WHO,
          ...FEATURE,
          ...OF,
          ...AMOUNT,
          over: Type.Optional(
            Type.Enum(['refuse', 'charge', 'record'], {
              description:
                'If use exceeds the reservation. refuse: refuse. charge: charge the rest within the limit. record: record it beyond the limit.',
            }),
          ),
          ...KEY,
        }),
      },
      async ({ of, amount, over, key, ...question }, { desk, table, now }) => {
        const earlier = await resolveEarlier(desk, table, { question, of }, now);
        const { subject, buckets } = earlier;
        const request = { subject, key, of, quota: question.feature, amount, over: over ?? 'refuse' } as const;
        const result = await desk.quotas.commit(
          { ...request, ...(buckets === undefined ? {} : { buckets }) },
          desk.signal,
        );
        return translateEarlier(table, earlier, result, amount);
      },
    ),
    route(
      '/v1/release',
      { summary: 'Ends a reservation without use.', input: input({ ...WHO, ...FEATURE, ...OF, ...KEY }) },
      async ({ of, key, ...question }, { desk, table, now }) => {
        const { subject, buckets } = await resolveEarlier(desk, table, { question, of }, now);
        const request = { subject, key, of, quota: question.feature };
        return receiptOf(
          await desk.quotas.release({ ...request, ...(buckets === undefined ? {} : { buckets }) }, desk.signal),
        );
      },
    ),
  ];
}

function refundRoute(route: MakeRoute): DecisionRoute<ProductsTable> {
  return route(
    '/v1/refund',
    {
      summary: 'Refunds consumed units, the last charged first.',
      input: input({
        ...WHO,
        ...FEATURE,
        ...OF,
        amount: Type.Optional(Type.Number({ description: 'Units to refund. Absent: all that are not refunded yet.' })),
        ...KEY,
      }),
    },
    async ({ of, amount, key, ...question }, { desk, table, now }) => {
      const { subject, buckets } = await resolveEarlier(desk, table, { question, of }, now);
      const part = { ...(amount === undefined ? {} : { amount }), ...(buckets === undefined ? {} : { buckets }) };
      return receiptOf(await desk.quotas.refund({ subject, key, of, quota: question.feature, ...part }, desk.signal));
    },
  );
}

function consume(
  at: Desk,
  table: ProductsTable,
  { partial, usedAt, amount, key, ...question }: Static<typeof CONSUME>,
  now: Temporal.Instant,
): Promise<object> {
  requireUsedUp(table, question.feature);
  const usedAtMs = usedAt === undefined ? undefined : usedAtOf(usedAt);
  const request = { key, amount, partial: partial ?? false, ...(usedAtMs === undefined ? {} : { usedAtMs }) };
  const charge = (subject: string, { quota, buckets }: Pick<MeteredUse, 'quota' | 'buckets'>, more = {}) =>
    at.quotas.consume({ subject, quota, buckets, ...request, ...more }, at.signal);
  return chargeOnce(
    at,
    table,
    { question, now, key, amount },
    {
      again: ({ subject }) => charge(subject, { quota: question.feature, buckets: [] }),
      anew: async (facts) => {
        const nowMs = now.epochMilliseconds;
        const then = termsOfUse(facts, usedAtMs, nowMs, question.plan !== undefined);
        const { isOfOldPlan } = then;
        const situation = situationBy(table, question, then.facts, Temporal.Instant.fromEpochMilliseconds(then.atMs));
        const { use } = situation;
        if (!use.metered) {
          if (use.freeFor === undefined) return { ...situation.base, charged: 0 };
          const free = { quota: question.feature, buckets: [] };
          return translateAnswer(table, situation, await charge(use.freeFor, free, { isFree: true }), amount);
        }
        const late = then.atMs === (usedAtMs ?? nowMs) ? {} : { countsAtMs: then.atMs };
        const result = await charge(use.scope.subject, use, { ...late, isOfOldPlan });
        return translateAnswer(table, situation, result, amount);
      },
    },
  );
}

/** Terms of the listener at the time of use; a future time counts as now. */
function termsOfUse(
  facts: SubjectFacts,
  usedAtMs: number | undefined,
  nowMs: number,
  hasOther: boolean,
): ReturnType<typeof factsAt> {
  return usedAtMs === undefined || usedAtMs >= nowMs
    ? { facts, atMs: usedAtMs ?? nowMs, isOfOldPlan: false }
    : factsAt(facts, usedAtMs, hasOther);
}

interface Once {
  readonly question: Use;
  readonly now: Temporal.Instant;
  readonly key: string;
  readonly amount: number;
}

/** Charges once. A key that was used on other terms returns the decision made then. */
async function chargeOnce(
  desk: Desk,
  table: ProductsTable,
  { question, now, key, amount }: Once,
  charge: {
    readonly again: (earlier: Earlier) => ReturnType<Desk['quotas']['consume']>;
    readonly anew: (facts: SubjectFacts) => Promise<object>;
  },
): Promise<object> {
  const situationNow = (facts: SubjectFacts) => situationBy(table, question, facts, now);
  return chargeOnTerms(
    desk,
    question.listener,
    async (facts) => {
      const situation = situationIfAny(() => situationNow(facts));
      if (mayDiffer(facts, situation)) {
        const earlier = await earlierUse(desk, table, question, { facts, now: situation, key });
        if (earlier !== undefined) return translateEarlier(table, earlier, await charge.again(earlier), amount);
      }
      return charge.anew(facts);
    },
    (facts) => meteredUse(situationNow(facts)),
  );
}

/** Resolves the earlier decision that an operation settles, on the terms of that time. */
async function resolveEarlier(
  desk: Desk,
  table: ProductsTable,
  { question, of }: { readonly question: Use; readonly of: string },
  now: Temporal.Instant,
): Promise<Earlier> {
  const facts = await factsOf(desk, question.listener);
  const situation = situationIfAny(() => situationBy(table, question, facts, now));
  const earlier = await earlierUse(desk, table, question, { facts, now: situation, key: of });
  if (earlier !== undefined) return earlier;
  if (situation instanceof Refusal) throw situation;
  const { scope, buckets } = requireCounted(situation);
  return { subject: scope.subject, situation, buckets };
}

async function consumeBatch(
  desk: Desk,
  table: ProductsTable,
  batch: {
    readonly items: Static<typeof ITEMS>;
    readonly key: string;
    readonly who: Omit<Use, 'feature'>;
    readonly now: Temporal.Instant;
  },
): Promise<object> {
  const { items, key, who, now } = batch;
  for (const { feature } of items) requireUsedUp(table, feature);
  const situationsOf = (facts: SubjectFacts) =>
    items.map(({ feature, amount }) => ({ situation: situationBy(table, { ...who, feature }, facts, now), amount }));
  // Unlimited features are not counted; they must stay in the fingerprint, as a feature may become unlimited
  // between retries.
  const request = canonicalJson(items);
  const first = items[0]?.feature ?? '';
  return chargeOnTerms(
    desk,
    who.listener,
    async (facts) => {
      const question = { ...who, feature: first };
      const situation = situationIfAny(() => situationBy(table, question, facts, now));
      if (facts.formers.length > 0 || situation instanceof Refusal) {
        const earlier = await earlierUse(desk, table, question, { facts, now: situation, key });
        if (earlier !== undefined) {
          const again = items.map(({ feature, amount }) => ({ quota: feature, amount, buckets: [] }));
          return translateBatch(
            await desk.quotas.batch({ subject: earlier.subject, key, request, items: again }, desk.signal),
          );
        }
      }
      const uses = situationsOf(facts);
      const refused = uses.find((one) => !one.situation.use.metered && one.situation.base.outcome !== 'allow');
      if (refused !== undefined) {
        const { base } = refused.situation;
        return { outcome: 'deny', deniedFeature: base.feature, charged: 0 };
      }
      const metered = uses.flatMap(({ situation: { use }, amount }) =>
        use.metered ? [{ quota: use.quota, buckets: use.buckets, amount, subject: use.scope.subject }] : [],
      );
      const [own] = metered;
      if (own !== undefined) {
        return translateBatch(
          await desk.quotas.batch({ subject: own.subject, key, request, items: metered }, desk.signal),
        );
      }
      const free = uses.flatMap(({ situation: { use } }) => (use.metered ? [] : (use.freeFor ?? [])))[0];
      if (free === undefined) return { outcome: 'allow', charged: 0 };
      const nothing = items.map(({ feature, amount }) => ({ quota: feature, amount, buckets: [] }));
      return translateBatch(
        await desk.quotas.batch({ subject: free, key, request, items: nothing, isFree: true }, desk.signal),
      );
    },
    (facts) => situationsOf(facts).flatMap((one) => meteredUse(one.situation)),
  );
}

function translateBatch(result: Awaited<ReturnType<Desk['quotas']['batch']>>): object {
  const { outcome, deniedQuota } = result;
  return {
    outcome: outcome === 'denied' ? 'deny' : 'allow',
    ...(deniedQuota === undefined ? {} : { deniedFeature: deniedQuota }),
    ...receiptOf(result),
  };
}

/** Parses `usedAt`. Refuses `products/bad-time`. */
function usedAtOf(text: string): number {
  const ms = parseInstant(text);
  if (!isFault(ms)) return ms;
  throw productRefusal('bad-time', `usedAt: ${ms.fault}`, {
    problems: [{ path: ['usedAt'], reason: 'FieldValueInvalid', detail: ms.fault }],
  });
}
