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
  listener: text(
    'Id of the listener; comes back in the answer. While a release is under way it decides what they see of it.',
  ),
};
const WHERE = {
  market: text('Name of the Market. This or territory is needed.'),
  territory: text('ISO 3166 code of where the listener is, like DE.'),
};
const WHEN = {
  at: text('A moment to ask about: an instant, or a date, which begins in the zone of the market. Absent: now.'),
};
const PLAN = { plan: name('Name of the Plan that the listener has.') };
const ROLE = { role: text('Role of the listener on the plan. Absent: the first of the plan.') };
const CHANNEL = { channel: text('A way to buy, like web.') };
const INTERVAL = { interval: text('What one payment covers, like P1M.') };

/** Unknown fields are refused, so that a misspelled name is not ignored. */
const input = <Properties extends Record<string, TSchema>>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false });

/** Fields that a publishable client cannot choose: it asks for the listener of its subject token. */
const SUBJECT = ['listener', 'plan', 'market', 'territory', 'role'];

export const word = (description: string) => Type.String({ description });
export const maybe = (description: string) => Type.Optional(Type.String({ description }));

const Listener = { listener: maybe('The listener as it was asked about.') };
const Reason = Type.Object({ code: word('Permanent, for programs.'), message: word('A sentence for people.') });
const GrantSchema = Type.Object({
  feature: word('Name of the Feature.'),
  title: word('Its name for people.'),
  type: word('boolean, config, metered or concurrent.'),
  value: Type.Optional(Type.Unknown({ description: 'The value of a config feature.' })),
  limit: Type.Optional(Type.Unknown({ description: 'A whole number, or "unlimited".' })),
  unit: maybe('What the limit counts.'),
  per: maybe('How often the limit starts anew (ISO 8601).'),
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
  interval: word('What one payment covers.'),
  ...Amount,
});
export const limit = (description: string) => Type.Union([Type.Integer(), Type.Literal('unlimited')], { description });
export const units = (description: string) => Type.Integer({ description });
const UsageSchema = Type.Object(
  {
    unit: word('What is counted.'),
    limit: limit('Of all that is in force.'),
    used: units('How much of it is used.'),
    remaining: limit('What is left, never below 0.'),
    resetsAt: maybe('When it starts anew.'),
    overLimit: Type.Boolean({ description: 'Whether more was used than the limit.' }),
    by: Type.Array(
      Type.Object({
        bucket: word('Where units come from.'),
        from: Type.Enum(['plan', 'grace', 'grant', 'override'], { description: 'What gave them.' }),
        title: word('For people.'),
        record: maybe('Id of the grant or override.'),
        limit: limit('How many there are.'),
        used: units('How many are used.'),
        remaining: limit('How many are left.'),
        rolledOver: Type.Optional(units('How many came from the window before.')),
        resetsAt: maybe('When it starts anew.'),
        expiresAt: maybe('When it ends.'),
      }),
      { description: 'Each source of units, in the order in which they are taken from.' },
    ),
    sentence: word('For people.'),
  },
  { description: 'How much is used and left, of listeners on record.' },
);
export const CheckFields = {
  outcome: Type.Enum(['allow', 'degrade', 'upsell', 'deny'], { description: 'What the listener gets.' }),
  plan: word('The plan that was asked about.'),
  feature: word('The feature that was asked about.'),
  grant: Type.Optional(GrantSchema),
  degradedTo: Type.Optional(GrantSchema),
  plans: Type.Optional(
    Type.Array(OfferedPlanSchema, { description: 'Plans to buy that would give it, the lowest rank first.' }),
  ),
  reason: Reason,
  addOns: Type.Optional(
    Type.Array(
      Type.Object({
        addOn: word('Name of the AddOn.'),
        title: word('Its name for people.'),
        amount: Type.Integer({ description: 'How many units it gives.' }),
        unit: word('What is counted.'),
        kind: Type.Enum(['recurring', 'topUp'], { description: 'Whether it gives them again with each period.' }),
        per: maybe('What a period is, like P1M.'),
        validity: maybe('How long a top-up lasts, like P90D.'),
      }),
      { description: 'What to buy beside the plan for more of it.' },
    ),
  ),
  usage: Type.Optional(UsageSchema),
  retryAt: maybe('When there is some of it again.'),
  record: Type.Optional(Type.Integer({ description: 'The version of what is on record for the listener.' })),
};
const PriceFields = {
  market: word('Name of the Market.'),
  title: word('Its name for people.'),
  zone: word('The zone in which its dates begin.'),
  currency: maybe('Its default currency at that moment.'),
  at: word('The moment that is answered.'),
  prices: Type.Array(
    Type.Object({
      plan: word('Name of the Plan.'),
      title: word('Its name for people.'),
      interval: maybe('What one payment covers.'),
      channel: maybe('The way to buy.'),
      sellable: Type.Boolean({ description: 'Whether somebody who does not have the plan can buy it.' }),
      reason: Type.Optional(Reason),
      ...Type.Partial(Type.Object(Amount)).properties,
      tax: Type.Optional(
        Type.Object({
          name: word('What the tax is called.'),
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
          at: word('When the next change comes.'),
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
    summary: 'Whether a listener gets a feature: allow, degrade, upsell or deny, with the reason.',
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
    summary: 'Everything that a plan gives to a listener.',
    input: input({ ...WHO, ...PLAN, ...WHERE, ...ROLE }),
    subjectInputs: SUBJECT,
    answer: Type.Object({
      ...Listener,
      market: word('Name of the Market.'),
      plan: word('Name of the Plan.'),
      title: word('Its name for people.'),
      group: word('Plans of one group replace each other.'),
      rank: Type.Integer({ description: 'Order within the group.' }),
      seats: Type.Integer({ description: 'How many people share it.' }),
      role: word('The role that is answered.'),
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
    summary: 'What plans cost in a market, now or at any moment.',
    input: input({
      ...WHO,
      ...WHERE,
      plan: text('Name of a Plan. Absent: all that have a price.'),
      ...CHANNEL,
      ...INTERVAL,
      currency: text('ISO 4217 code: only prices in it. Absent: each that there is.'),
      locale: Type.Optional(
        Type.String({
          minLength: 2,
          maxLength: 35,
          description: 'BCP 47 tag in which amounts are written, like fr-CH. Absent: that of the market.',
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
    summary: 'Why a check, or without a feature the price of a plan, is answered as it is.',
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
        description: 'What /v1/check or /v1/prices answers.',
      }),
      steps: Type.Array(
        Type.Object({
          object: Type.Object({
            kind: word('The kind.'),
            name: word('Its name.'),
            revision: word('Content hash of its spec.'),
          }),
          says: word('What it says, as a sentence.'),
        }),
        { description: 'The path to the answer.' },
      ),
      record: CheckFields.record,
      alternatives: Type.Array(
        Type.Object({
          plan: word('Name of the Plan.'),
          title: word('Its name for people.'),
          gives: Type.Boolean({ description: 'Whether it gives the feature here.' }),
          offer: Type.Optional(OfferedPlanSchema),
          says: word('All of it, as a sentence.'),
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
