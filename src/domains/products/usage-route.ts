import { Type, type Static, type TSchema } from 'typebox';
import { defineRoute, type AnswerContext, type DecisionRoute } from '#kernel/snapshots/module.ts';
import type { ProductsTable } from './decisions/table.ts';
import { answerOf } from './answers.ts';
import { requireDesk, type Desk } from './usage-desk.ts';

const NAME_LENGTH_MAX = 253;
/** Longest time that a reservation or slot lasts without renewal. */
const SECONDS_MAX = 86_400;

export const name = (description: string) => Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX, description });
export const text = (description: string) => Type.Optional(name(description));
/** Unknown fields are refused, so that a misspelled name is not ignored. */
export const input = <Properties extends Record<string, TSchema>>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false });

export const KEY = {
  key: name('Idempotency key: a retry under the same key counts nothing and gets the same answer, for 32 days.'),
};
export const WHO = {
  listener: name('Id of the listener.'),
  device: text('Id of the device, where each device is counted.'),
  plan: text('Plan of listeners without a subscription, like free.'),
  market: text('Market of listeners without a subscription.'),
  territory: text('Territory of listeners without a subscription.'),
  role: text('Role of listeners without a subscription.'),
};
export const FEATURE = { feature: name('Name of the Feature.') };
export const AMOUNT = { amount: Type.Number({ description: 'Units: a whole number above 0.' }) };
export const SECONDS = {
  seconds: Type.Integer({ minimum: 1, maximum: SECONDS_MAX, description: 'Seconds until it expires.' }),
};

/** The inputs of an answer about use, besides the question. */
export interface UsageContext {
  /** With the signal of the request. */
  readonly desk: Desk;
  readonly table: ProductsTable;
  readonly now: Temporal.Instant;
  /** Who asks. */
  readonly by: string;
}

interface UsageRouteOptions<Input extends TSchema> {
  readonly summary: string;
  readonly input: Input;
  /** Whether only applications on machines of ours may ask; default true. */
  readonly forServers?: boolean;
}

/** Makes routes for a listener's use. */
export function usageRoutesOf(desk: Desk | undefined) {
  return <Input extends TSchema>(
    path: string,
    { summary, input, forServers = true }: UsageRouteOptions<Input>,
    handle: (question: Static<Input>, context: UsageContext) => Promise<object>,
  ): DecisionRoute<ProductsTable> =>
    defineRoute({
      path,
      summary,
      access: 'write',
      subjectInputs: ['listener', 'plan', 'market', 'territory', 'role'],
      forServers,
      input,
      answer: answerOf(path),
      handle: (question, { table, now, by, limit }: AnswerContext<ProductsTable>) =>
        handle(question, { desk: { ...requireDesk(desk), signal: limit.signal }, table, now, by }),
    });
}
