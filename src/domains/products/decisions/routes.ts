import { Type, type TSchema } from 'typebox';
import { defineRoute, type AnswerContext, type DecisionRoute } from '#kernel/snapshots/module.ts';
import { check } from './check.ts';
import { entitlements } from './entitlements.ts';
import { explain } from './explain.ts';
import { prices } from './prices.ts';
import type { ProductsTable } from './table.ts';

const NAME_LENGTH_MAX = 253;

const text = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX, description }));
const name = (description: string) => Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX, description });

const WHO = {
  listener: text('Id of the listener, returned in the answer. During a release it selects the cohort.'),
};
const WHERE = {
  market: text('Name of the Market. Required unless territory is given.'),
  territory: text("ISO 3166 code of the listener's territory, like DE."),
};
const WHEN = {
  at: text('Moment to answer for: an instant, or a date, which begins in the zone of the market. Absent: now.'),
};
const PLAN = { plan: name('Name of the Plan that the listener has.') };
const ROLE = { role: text('Role of the listener on the plan. Absent: the first of the plan.') };
const CHANNEL = { channel: text('Sales channel, like web.') };
const INTERVAL = { interval: text('Billing interval, like P1M.') };

/** Unknown fields are refused, so that a misspelled name is not ignored. */
const input = <Properties extends Record<string, TSchema>>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false });

/** Fields that a publishable client cannot choose: it asks for the listener of its subject token. */
const SUBJECT = ['listener', 'plan', 'market', 'territory', 'role'];

export const word = (description: string) => Type.String({ description });
export const maybe = (description: string) => Type.Optional(Type.String({ description }));

const Listener = { listener: maybe('The listener of the request.') };
const Reason = Type.Object({ code: word('Permanent, for programs.'), message: word('A sentence for people.') });
const GrantSchema = Type.Object({
  feature: word('Name of the Feature.'),
  title: word('Its name for people.'),
  type: word('boolean, config, metered or concurrent.'),
  value: Type.Optional(Type.Unknown({ description: 'The value of a config feature.' })),
  limit: Type.Optional(Type.Unknown({ description: 'A whole number, or "unlimited".' })),
  unit: maybe('Unit of the limit.'),
  per: maybe('Period of the limit (ISO 8601).'),
});
const Amount = {
  amount: word('Decimal number in whole units of the currency.'),
  minor: word('The amount in units of 10^-exponent.'),
  currency: word('ISO 4217 code.'),
  exponent: Type.Integer({ description: 'Decimals of the currency on this channel.' }),
  display: word('For listeners, in the locale of the market.'),
};
const OfferedPlanSchema = Type.Object({
  plan: word('Name of the Plan.'),
  title: word('Its name for people.'),
  rank: Type.Integer({ description: 'Order among plans.' }),
  channel: word('The way to buy.'),
  interval: word('Billing interval.'),
  ...Amount,
});
export const limit = (description: string) => Type.Union([Type.Integer(), Type.Literal('unlimited')], { description });
export const units = (description: string) => Type.Integer({ description });
const UsageSchema = Type.Object(
  {
    unit: word('Unit of the count.'),
    limit: limit('Total of the buckets in force.'),
    used: units('Used units.'),
    remaining: limit('Remaining units, never below 0.'),
    resetsAt: maybe('When it resets.'),
    overLimit: Type.Boolean({ description: 'Whether use exceeds the limit.' }),
    by: Type.Array(
      Type.Object({
        bucket: word('Source of units.'),
        from: Type.Enum(['plan', 'grace', 'grant', 'override'], { description: 'Type of the source.' }),
        title: word('For people.'),
        record: maybe('Id of the grant or override.'),
        limit: limit('Units of the source.'),
        used: units('Used units.'),
        remaining: limit('Remaining units.'),
        rolledOver: Type.Optional(units('Units from the previous window.')),
        resetsAt: maybe('When it resets.'),
        expiresAt: maybe('When it ends.'),
      }),
      { description: 'Sources of units, in the order of consumption.' },
    ),
    sentence: word('For people.'),
  },
  { description: 'Used and remaining units, for listeners on record.' },
);
export const CheckFields = {
  outcome: Type.Enum(['allow', 'degrade', 'upsell', 'deny'], { description: 'The decision.' }),
  plan: word('The plan of the request.'),
  feature: word('The feature of the request.'),
  grant: Type.Optional(GrantSchema),
  degradedTo: Type.Optional(GrantSchema),
  plans: Type.Optional(
    Type.Array(OfferedPlanSchema, { description: 'Plans for sale that give it, the lowest rank first.' }),
  ),
  reason: Reason,
  addOns: Type.Optional(
    Type.Array(
      Type.Object({
        addOn: word('Name of the AddOn.'),
        title: word('Its name for people.'),
        amount: Type.Integer({ description: 'Units that it gives.' }),
        unit: word('Unit of the count.'),
        kind: Type.Enum(['recurring', 'topUp'], { description: 'recurring: in each period. topUp: once.' }),
        per: maybe('Period, like P1M.'),
        validity: maybe('Validity of a top-up, like P90D.'),
      }),
      { description: 'Add-ons for sale that give more.' },
    ),
  ),
  usage: Type.Optional(UsageSchema),
  retryAt: maybe('When units are available again.'),
  record: Type.Optional(Type.Integer({ description: "Version of the listener's record." })),
};
const PriceFields = {
  market: word('Name of the Market.'),
  title: word('Its name for people.'),
  zone: word('The zone in which its dates begin.'),
  currency: maybe('Its default currency at that moment.'),
  at: word('The moment of the answer.'),
  prices: Type.Array(
    Type.Object({
      plan: word('Name of the Plan.'),
      title: word('Its name for people.'),
      interval: maybe('Billing interval.'),
      channel: maybe('The way to buy.'),
      sellable: Type.Boolean({ description: 'Whether new subscribers can buy it.' }),
      reason: Type.Optional(Reason),
      ...Type.Partial(Type.Object(Amount)).properties,
      tax: Type.Optional(
        Type.Object({
          name: word('Name of the tax.'),
          inclusive: Type.Boolean({ description: 'Whether the amount contains it.' }),
          rate: maybe('In percent. Absent where it depends on the address.'),
          net: word('The part without tax.'),
          tax: maybe('The tax.'),
          gross: maybe('Both together.'),
        }),
      ),
      from: maybe('When the amount came into force.'),
      until: maybe('When it ends (not included).'),
      next: Type.Optional(
        Type.Object({
          at: word('Time of the next change.'),
          amount: maybe('The amount from then on.'),
          currency: maybe('Its currency.'),
          display: maybe('For listeners.'),
          ends: Type.Optional(Type.Boolean({ description: 'True: there is no price from then on.' })),
        }),
      ),
    }),
    { description: 'Prices in the order of rank, channel and interval.' },
  ),
};

export const productsRoutes: readonly DecisionRoute<ProductsTable>[] = [
  defineRoute({
    path: '/v1/check',
    access: 'catalogue',
    summary: 'Decides whether a listener gets a feature: allow, degrade, upsell or deny, with the reason.',
    input: input({ ...WHO, ...PLAN, ...WHERE, ...ROLE, feature: name('Name of the Feature.'), ...CHANNEL, ...WHEN }),
    inputsForServers: ['at'],
    subjectInputs: SUBJECT,
    answer: Type.Object({ ...Listener, ...CheckFields }),
    handle: (question, { table, now }: AnswerContext<ProductsTable>) =>
      withListener(question.listener, check(table, question, now)),
  }),
  defineRoute({
    path: '/v1/entitlements',
    access: 'catalogue',
    summary: 'Lists the features that a plan gives a listener.',
    input: input({ ...WHO, ...PLAN, ...WHERE, ...ROLE }),
    subjectInputs: SUBJECT,
    answer: Type.Object({
      ...Listener,
      market: word('Name of the Market.'),
      plan: word('Name of the Plan.'),
      title: word('Its name for people.'),
      group: word('Plans of one group replace each other.'),
      rank: Type.Integer({ description: 'Order within the group.' }),
      seats: Type.Integer({ description: 'Number of listeners who share it.' }),
      role: word('The role of the answer.'),
      offered: Type.Boolean({ description: 'False where the plan is not offered, and so gives nothing.' }),
      entitlements: Type.Array(Type.Object({ ...GrantSchema.properties, usage: Type.Optional(UsageSchema) }), {
        description: 'By name of the feature.',
      }),
      record: CheckFields.record,
    }),
    handle: (question, { table }: AnswerContext<ProductsTable>) =>
      withListener(question.listener, entitlements(table, question)),
  }),
  defineRoute({
    path: '/v1/prices',
    access: 'catalogue',
    summary: 'Lists prices of plans in a market, now or at any moment.',
    input: input({
      ...WHO,
      ...WHERE,
      plan: text('Name of a Plan. Absent: all that have a price.'),
      ...CHANNEL,
      ...INTERVAL,
      currency: text('ISO 4217 code: only prices in this currency. Absent: all.'),
      locale: Type.Optional(
        Type.String({
          minLength: 2,
          maxLength: 35,
          description: 'BCP 47 tag for the format of amounts, like fr-CH. Absent: that of the market.',
        }),
      ),
      ...WHEN,
    }),
    inputsForServers: ['at'],
    subjectInputs: ['listener', 'market', 'territory'],
    answer: Type.Object({ ...Listener, ...PriceFields }),
    handle: (question, { table, now }: AnswerContext<ProductsTable>) =>
      withListener(question.listener, prices(table, question, now)),
  }),
  defineRoute({
    path: '/v1/explain',
    access: 'insight',
    summary: 'Explains the answer of a check or, without a feature, the price of a plan.',
    forServers: true,
    explains: true,
    input: input({
      ...WHO,
      ...PLAN,
      ...WHERE,
      ...ROLE,
      feature: text('Name of the Feature. Absent: prices are explained.'),
      ...CHANNEL,
      ...INTERVAL,
      ...WHEN,
    }),
    answer: Type.Object({
      ...Listener,
      answer: Type.Partial(Type.Object({ ...CheckFields, ...PriceFields }), {
        description: 'Answer of /v1/check or /v1/prices.',
      }),
      steps: Type.Array(
        Type.Object({
          object: Type.Object({
            kind: word('The kind.'),
            name: word('Its name.'),
            revision: word('Content hash of its spec.'),
          }),
          says: word('Its contribution, as a sentence.'),
        }),
        { description: 'Objects that led to the answer.' },
      ),
      record: CheckFields.record,
      alternatives: Type.Array(
        Type.Object({
          plan: word('Name of the Plan.'),
          title: word('Its name for people.'),
          gives: Type.Boolean({ description: 'Whether it gives the feature here.' }),
          offer: Type.Optional(OfferedPlanSchema),
          says: word('The comparison, as a sentence.'),
        }),
        { description: 'The other plans, the lowest rank first.' },
      ),
    }),
    handle: (question, { table, now }: AnswerContext<ProductsTable>) =>
      withListener(question.listener, explain(table, question, now)),
  }),
];

function withListener(listener: string | undefined, answer: object): object {
  return listener === undefined ? answer : { listener, ...answer };
}
