import { Type } from 'typebox';
import type { Refusal } from '#kernel/base/failures.ts';
import { productRefusal } from './refusals.ts';
import type { DecisionRoute } from '#kernel/snapshots/module.ts';
import { entitlementsOnRecord } from './decisions/entitlements.ts';
import { explain } from './decisions/explain.ts';
import type { ProductsTable } from './decisions/table.ts';
import { listenerOf } from './decisions/on-record.ts';
import { RECORD } from './record-routes.ts';
import type { UsageContext } from './usage-route.ts';
import { factsOf, checkUse, checkAllUse, type Desk, type Use } from './usage-desk.ts';

type RecordedInput = Partial<Use> & { readonly at?: string; readonly interval?: string };

const OPTIONAL_PLAN = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 253,
    description: "Name of the Plan. Absent: the plan of the listener's subscription.",
  }),
);

type RecordedContext = Omit<UsageContext, 'by'>;

/**
 * The plan questions for listeners on record: the record wins over the question, and counted features include
 * their remaining units. Without a listener, for another moment, or without a database, the original routes
 * answer.
 */
export function recordedRoutes(
  routes: readonly DecisionRoute<ProductsTable>[],
  desk: Desk | undefined,
): readonly DecisionRoute<ProductsTable>[] {
  const answers: Readonly<
    Record<string, (asked: Use, more: RecordedInput, context: RecordedContext) => Promise<object>>
  > = {
    '/v1/check': (asked, _more, { desk: at, table, now }) => checkUse(at, table, asked, now),
    '/v1/entitlements': async (asked, _more, { desk: at, table, now }) => {
      const facts = await factsOf(at, asked.listener);
      const standings = await checkAllUse(at, table, { question: asked, facts }, now);
      return {
        ...entitlementsOnRecord(table, asked, { facts, standings }, now.epochMilliseconds),
        record: facts.version,
      };
    },
    '/v1/explain': async (asked, more, { desk: at, table, now }) => {
      const facts = await factsOf(at, asked.listener);
      const { device, ...question } = asked;
      const { plan } = listenerOf(asked, facts);
      const explained = explain(table, { ...question, plan, interval: more.interval }, now, {
        facts,
        ...(device === undefined ? {} : { device }),
      });
      if (more.feature === undefined) return { ...explained, record: facts.version };
      return { ...explained, answer: await checkUse(at, table, asked, now) };
    },
  };
  return routes.map((route) => {
    const answer = answers[route.path];
    if (answer === undefined) return route;
    const input = route.input as ReturnType<typeof Type.Object>;
    return {
      ...route,
      recordOf: RECORD,
      input: Type.Object({ ...input.properties, plan: OPTIONAL_PLAN, device: DEVICE }, { additionalProperties: false }),
      handle: (question, context) => {
        const { table, now } = context;
        const { device: _, ...asked } = question as RecordedInput;
        const { listener, at } = asked;
        if (desk !== undefined && listener !== undefined && at === undefined) {
          return withListener(listener, answer(question as Use, asked, { desk, table, now }));
        }
        if (asked.plan === undefined) throw planNeeded(at !== undefined && listener !== undefined);
        return route.handle(asked, context);
      },
    };
  });
}

const DEVICE = Type.Optional(
  Type.String({ minLength: 1, maxLength: 253, description: 'Id of the device, where each device is counted.' }),
);

async function withListener(listener: string, answer: Promise<object>): Promise<object> {
  return { listener, ...(await answer) };
}

function planNeeded(isOfThePast: boolean): Refusal {
  const why = isOfThePast
    ? 'With at, the answer comes from the catalogue of that time, not from the record: plan is required.'
    : 'The request names neither a plan nor a listener on record.';
  return productRefusal('plan-needed', why, {
    problems: [{ path: ['plan'], reason: 'FieldValueRequired', detail: 'Required value' }],
    remedy: isOfThePast ? 'Give plan, or omit at.' : 'Give plan, or a listener with a subscription.',
  });
}
