import { Type, type Static, type TSchema } from 'typebox';
import { Refusal } from '#kernel/base/failures.ts';
import type { Answer, SlotAnswer } from '#kernel/quotas/contract.ts';
import { defineRoute, type DecisionRoute } from '#kernel/snapshots/module.ts';
import type { MeteredUse } from './decisions/buckets-for.ts';
import { decideUse } from './decisions/decide-use.ts';
import { standingOfSlots } from './decisions/describe-usage.ts';
import { listenerOf } from './decisions/on-record.ts';
import { unknown } from './decisions/lookup.ts';
import type { ProductsTable } from './decisions/table.ts';
import { capExactness } from './rules/cap-choice.ts';
import { isFault } from './rules/fault.ts';
import { grantBought } from './rules/purchase.ts';
import { parseInstant } from './rules/times.ts';
import {
  counted,
  instant,
  receiptOf,
  requireDesk,
  situationOf,
  type Desk,
  type Situation,
  type Use,
} from './usage-desk.ts';

const NAME_LENGTH_MAX = 253;
/** A reservation or a slot that nobody renews ends by then. */
const SECONDS_MAX = 86_400;
const ITEMS_MAX = 20;

const name = (description: string) => Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX, description });
const text = (description: string) => Type.Optional(name(description));
const input = <Properties extends Record<string, TSchema>>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false });
const answer = (description: string) => Type.Object({}, { additionalProperties: true, description });

const KEY = {
  key: name('Names this request for good: sent again under the same key, it counts nothing and answers the same.'),
};
const WHO = {
  listener: name('Id of the listener.'),
  device: text('Id of the device, where the use of each is counted.'),
  plan: text('What those have who are on no subscription, like free.'),
  market: text('Where those are: a Market.'),
  territory: text('Where those are: a territory.'),
  role: text('Their role on that plan.'),
};
const FEATURE = { feature: name('Name of the Feature.') };
const AMOUNT = { amount: Type.Number({ description: 'Units of the feature: a whole number above 0.' }) };
const SECONDS = {
  seconds: Type.Integer({ minimum: 1, maximum: SECONDS_MAX, description: 'After so long it ends by itself.' }),
};
const OF = { of: name('The key of what it is about.') };
const SESSION = { session: name('Your name of what is in use, like a stream.') };

type UseInput = Use & { readonly key: string };

/**
 * What is used, counted: consume, reserve and what follows, slots, leases for devices without a connection, add-ons. For
 * server clients, and for people who may post to the path; slots also for the listener's own devices.
 */
export function usageRoutes(desk: Desk | undefined): readonly DecisionRoute<ProductsTable>[] {
  const route = <Input extends TSchema>(
    path: string,
    summary: string,
    asked: Input,
    handle: (
      desk: Desk,
      table: ProductsTable,
      question: Static<Input>,
      now: Temporal.Instant,
      by: string,
    ) => Promise<object>,
    more: { readonly forServers?: boolean } = { forServers: true },
  ): DecisionRoute<ProductsTable> =>
    defineRoute({
      path,
      summary,
      access: 'write',
      subjectInputs: ['listener', 'plan', 'market', 'territory', 'role'],
      ...more,
      input: asked,
      answer: answer('The outcome with its reason, what is left, and what was charged.'),
      handle: (table: ProductsTable, question, now, by) => {
        return handle(requireDesk(desk), table, question, now, by);
      },
    });

  return [
    route(
      '/v1/consume',
      'Counts use: all of it or, with partial, as much as there is. A denial charges nothing.',
      input({
        ...WHO,
        ...FEATURE,
        ...AMOUNT,
        partial: Type.Optional(Type.Boolean({ description: 'Take what there is when it is not enough.' })),
        usedAt: Type.Optional(
          Type.String({
            format: 'date-time',
            description: 'When it was used, by the clock of the device; absent: now.',
          }),
        ),
        ...KEY,
      }),
      async (at, table, { partial, usedAt, amount, key, ...question }, now) => {
        const situation = await situationOf(at, table, question, now);
        if (!situation.use.metered) return { ...situation.base, charged: 0 };
        const { quota, scope, buckets } = situation.use;
        const usedAtMs = usedAt === undefined ? {} : { usedAtMs: usedAtOf(usedAt) };
        const given = { subject: scope.subject, key, quota, buckets, amount, ...usedAtMs };
        return said(table, situation, await at.quotas.consume({ ...given, partial: partial ?? false }), amount);
      },
    ),
    route(
      '/v1/reserve',
      'Keeps units for something that begins now, until it is committed or released, or its time is over.',
      input({ ...WHO, ...FEATURE, ...AMOUNT, ...SECONDS, ...KEY }),
      async (at, table, { amount, seconds, key, ...question }, now) => {
        const situation = await situationOf(at, table, question, now);
        const { quota, scope, buckets } = counted(situation);
        const request = { subject: scope.subject, key, quota, buckets, amount, ttlMs: seconds * 1_000 };
        return said(table, situation, await at.quotas.reserve(request), amount);
      },
    ),
    route(
      '/v1/extend',
      'Keeps a reservation for longer.',
      input({ ...WHO, ...FEATURE, ...OF, ...SECONDS, ...KEY }),
      async (at, table, { of, seconds, key, ...question }, now) => {
        const { scope } = counted(await situationOf(at, table, question, now));
        return receiptOf(await at.quotas.extend({ subject: scope.subject, key, of, ttlMs: seconds * 1_000 }));
      },
    ),
    route(
      '/v1/commit',
      'Ends a reservation with what was really used; the rest goes back.',
      input({
        ...WHO,
        ...FEATURE,
        ...OF,
        ...AMOUNT,
        over: Type.Optional(
          Type.Enum(['refuse', 'charge', 'record'], {
            description:
              'When more was used than reserved: refuse it, charge the rest, or write it down whatever the limit is.',
          }),
        ),
        ...KEY,
      }),
      async (at, table, { of, amount, over, key, ...question }, now) => {
        const situation = await situationOf(at, table, question, now);
        const { scope, buckets } = counted(situation);
        const request = { subject: scope.subject, key, of, amount, over: over ?? 'refuse', buckets } as const;
        return said(table, situation, await at.quotas.commit(request), amount);
      },
    ),
    route(
      '/v1/release',
      'Ends a reservation of which nothing was used.',
      input({ ...WHO, ...FEATURE, ...OF, ...KEY }),
      async (at, table, { of, key, ...question }, now) => {
        const { scope, buckets } = counted(await situationOf(at, table, question, now));
        return receiptOf(await at.quotas.release({ subject: scope.subject, key, of, buckets }));
      },
    ),
    route(
      '/v1/refund',
      'Gives units back that were consumed; the last that were taken go back first.',
      input({
        ...WHO,
        ...FEATURE,
        ...OF,
        amount: Type.Optional(Type.Number({ description: 'Absent: all that is left of it.' })),
        ...KEY,
      }),
      async (at, table, { of, amount, key, ...question }, now) => {
        const { scope, buckets } = counted(await situationOf(at, table, question, now));
        const part = amount === undefined ? {} : { amount };
        return receiptOf(await at.quotas.refund({ subject: scope.subject, key, of, buckets, ...part }));
      },
    ),
    route(
      '/v1/batch/consume',
      'Counts use of several features at once: all or nothing.',
      input({
        ...WHO,
        items: Type.Array(Type.Object({ ...FEATURE, ...AMOUNT }, { additionalProperties: false }), {
          minItems: 1,
          maxItems: ITEMS_MAX,
          description: 'What was used.',
        }),
        ...KEY,
      }),
      async (at, table, { items, key, ...question }, now) => {
        const uses = await Promise.all(
          items.map(async ({ feature, amount }) => ({
            use: counted(await situationOf(at, table, { ...question, feature }, now)),
            amount,
          })),
        );
        const [first] = uses;
        if (first === undefined) throw new Error('a batch without items passed its schema');
        const result = await at.quotas.batch({
          subject: first.use.scope.subject,
          key,
          items: uses.map(({ use: { quota, buckets, scope }, amount }) => ({
            quota,
            buckets,
            amount,
            subject: scope.subject,
          })),
        });
        const { outcome, deniedQuota } = result;
        return {
          outcome: outcome === 'denied' ? 'deny' : 'allow',
          ...(deniedQuota === undefined ? {} : { deniedFeature: deniedQuota }),
          ...receiptOf(result),
        };
      },
    ),
    route(
      '/v1/acquire',
      'Takes a slot of what is used at once, like a stream. A conflict lists who has them, and how to take one over.',
      input({
        ...WHO,
        ...FEATURE,
        ...SESSION,
        holder: name('Told to others that find no slot: "Kitchen speaker".'),
        ...SECONDS,
        takeover: Type.Optional(
          Type.String({ maxLength: 2_000, description: 'From an earlier conflict: ends that session.' }),
        ),
      }),
      async (at, table, { session, holder, seconds, takeover, ...question }, now) => {
        const situation = await situationOf(at, table, question, now);
        if (!situation.use.metered) return situation.base;
        const { quota, scope, buckets } = situation.use;
        const token = takeover === undefined ? {} : { takeover };
        const request = { subject: scope.subject, quota, buckets, session, holder, ttlMs: seconds * 1_000, ...token };
        return slotSaid(table, situation, situation.use, await at.quotas.acquire(request), now);
      },
      {},
    ),
    route(
      '/v1/heartbeat',
      'Keeps a slot. Says when it is gone, and who took it over.',
      input({ ...WHO, ...FEATURE, ...SESSION, ...SECONDS }),
      async (at, table, { session, seconds, ...question }, now) => {
        const situation = await situationOf(at, table, question, now);
        const use = counted(situation);
        const { quota, scope } = use;
        const kept = await at.quotas.heartbeat({ subject: scope.subject, quota, session, ttlMs: seconds * 1_000 });
        return slotSaid(table, situation, use, kept, now);
      },
      {},
    ),
    route(
      '/v1/leave',
      'Gives a slot back.',
      input({ ...WHO, ...FEATURE, ...SESSION }),
      async (at, table, { session, ...question }, now) => {
        const { quota, scope } = counted(await situationOf(at, table, question, now));
        await at.quotas.leave({ subject: scope.subject, quota, session });
        return { outcome: 'left', feature: question.feature, session };
      },
      {},
    ),
    route(
      '/v1/offline/leases',
      'Units for a device without a connection, as a signed lease: kept for it until it returns or its time is over.',
      input({ ...WHO, ...FEATURE, ...AMOUNT, device: name('Id of the device.'), ...KEY }),
      async (at, table, { amount, key, ...question }, now) => {
        const situation = await situationOf(at, table, question, now);
        const use = counted(situation);
        const { quota, scope, buckets, offlineMs, title } = use;
        if (offlineMs === undefined) {
          throw new Refusal('products/not-offline', 'Conflict', `${title} cannot be used without a connection.`, {
            remedy: 'Declare offlineFor in its Cap.',
          });
        }
        const granted = await at.quotas.grantOffline({
          subject: scope.subject,
          key,
          quota,
          buckets,
          amount,
          device: question.device,
          notAfterMs: now.epochMilliseconds + offlineMs,
        });
        const lease = granted.lease === undefined ? {} : { lease: granted.lease };
        return { ...said(table, situation, granted, amount), ...lease };
      },
    ),
    route(
      '/v1/offline/returns',
      'Settles a lease when the device is back: all that was used is recorded, also beyond the budget.',
      input({
        ...WHO,
        ...FEATURE,
        device: name('Id of the device.'),
        lease: Type.String({ minLength: 1, maxLength: 4_000, description: 'As it was given out.' }),
        used: Type.Number({ description: 'Units that were used: a whole number, 0 or more.' }),
        ...KEY,
      }),
      async (at, table, { lease, used, key, ...question }, now) => {
        const situation = await situationOf(at, table, question, now);
        const { buckets } = counted(situation);
        const settled = await at.quotas.reconcile({ key, lease, device: question.device, used, buckets });
        const { return: returned, overBudget } = settled;
        return { ...said(table, situation, settled, 0), return: returned, overBudget };
      },
    ),
    route(
      '/v1/grants',
      'Gives an add-on that was bought: more of a feature, again with each period or once.',
      input({ ...WHO, addOn: name('Name of the AddOn.'), ...KEY }),
      async (at, table, { addOn: wanted, key, ...question }, now, by) => {
        const addOn = table.addOns.get(wanted);
        if (addOn === undefined) throw unknown('add-on', wanted, table.addOns.keys());
        const { feature, title } = addOn.spec;
        const situation = await situationOf(at, table, { ...question, feature }, now);
        const buyer = situation.use.metered ? situation.use.listener : buyerOf(question, situation);
        if (capExactness(addOn.spec, buyer) === undefined) {
          const message = `${title} cannot be bought by a ${buyer.role} on plan "${buyer.plan}" in market "${buyer.market}".`;
          throw new Refusal('products/add-on-not-for-sale', 'Conflict', message, {
            remedy: 'See the plans, roles and markets of the AddOn.',
          });
        }
        const zone = situation.use.metered ? situation.use.zone : zoneOf(table, situation, buyer.market);
        const bought = grantBought('', addOn, { atMs: now.epochMilliseconds, zone });
        return at.subjects.grant(
          {
            listener: question.listener,
            addOn: wanted,
            feature,
            amount: bought.amount,
            validFrom: now,
            validUntil:
              bought.validUntilMs === undefined
                ? undefined
                : Temporal.Instant.fromEpochMilliseconds(bought.validUntilMs),
            anchor: bought.anchor,
          },
          { by, key, now },
        );
      },
    ),
  ];
}

/** The answer of quotas in the words of products. */
function said(table: ProductsTable, { base, use, facts }: Situation, result: Answer, amount: number): object {
  if (!use.metered) return base;
  const { balances, atMs, retryAtMs } = result;
  const standing = {
    outcome: result.outcome === 'denied' ? 'denied' : 'granted',
    balances,
    atMs,
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
  } as const;
  return { ...decideUse(table, base, use, standing, { amount }), ...receiptOf(result), record: facts.version };
}

function slotSaid(
  table: ProductsTable,
  { base, facts }: Situation,
  use: MeteredUse,
  result: SlotAnswer,
  now: Temporal.Instant,
): object {
  if (result.outcome === 'ended') {
    const { because, by } = result;
    return { outcome: 'ended', feature: use.feature, because, ...(by === undefined ? {} : { by }) };
  }
  const standing = standingOfSlots(use, result, now.epochMilliseconds);
  const decided = { ...decideUse(table, base, use, standing, { amount: 1 }), record: facts.version };
  if (result.outcome === 'granted') return { ...decided, expiresAt: instant(result.expiresAtMs) };
  const holders = result.holders.map(({ session, holder, sinceMs, expiresAtMs, takeover }) => ({
    session,
    holder,
    since: instant(sinceMs),
    expiresAt: instant(expiresAtMs),
    takeover,
  }));
  return { ...decided, holders };
}

function buyerOf(question: Omit<UseInput, 'feature' | 'key'>, { facts }: Situation) {
  const { plan, role = '', market = '' } = listenerOf(question, facts);
  return { plan, role, market };
}

function zoneOf(table: ProductsTable, { facts }: Situation, market: string): string {
  return facts.subscription?.anchor.zone ?? table.markets.get(market)?.spec.zone ?? 'UTC';
}

/** Refuses `products/bad-time`. */
function usedAtOf(text: string): number {
  const ms = parseInstant(text);
  if (!isFault(ms)) return ms;
  throw new Refusal('products/bad-time', 'Invalid', `usedAt: ${ms.fault}`, {
    problems: [{ path: ['usedAt'], reason: 'FieldValueInvalid', detail: ms.fault }],
    remedy: 'Give the time by the clock of the device, or leave it out: then it is now.',
  });
}
