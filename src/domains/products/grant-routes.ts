import { Type } from 'typebox';
import { productRefusal } from './refusals.ts';
import type { DecisionRoute } from '#kernel/snapshots/module.ts';
import { unknown } from './decisions/lookup.ts';
import { listenerOf } from './decisions/on-record.ts';
import type { ProductsTable } from './decisions/table.ts';
import { GRANTS_MAX } from './rules/buckets.ts';
import { capExactness } from './rules/cap-choice.ts';
import { isFault } from './rules/fault.ts';
import { grantBought } from './rules/purchase.ts';
import type { SubjectFacts } from './rules/subject-facts.ts';
import { parseInstant } from './rules/times.ts';
import { factsOf, situationBy, type Desk, type Situation, type Use } from './usage-desk.ts';
import { input, KEY, name, usageRoutesOf, WHO } from './usage-route.ts';

/** Routes for grants: add-ons bought beside a plan, recurring or once. */
export function grantRoutes(desk: Desk | undefined): readonly DecisionRoute<ProductsTable>[] {
  const route = usageRoutesOf(desk);
  return [
    route(
      '/v1/grants',
      { summary: 'Records a purchased add-on.', input: input({ ...WHO, addOn: name('Name of the AddOn.'), ...KEY }) },
      async ({ key, ...request }, { desk, table, now, by }) => {
        const { addOn: wanted, ...question } = request;
        const addOn = table.addOns.get(wanted);
        if (addOn === undefined) throw unknown('add-on', wanted, table.addOns.keys());
        const { feature, title } = addOn.spec;
        const use = { ...question, feature };
        await makeRoom(desk, table, use, now);
        return desk.subjects.grant(question.listener, { by, path: '/v1/grants', key, request }, (facts, boughtAt) => {
          const situation = situationBy(table, use, facts, boughtAt);
          const buyer = situation.use.metered ? situation.use.listener : buyerOf(question, facts);
          if (capExactness(addOn.spec, buyer) === undefined) {
            const message = `${title} cannot be bought by a ${buyer.role} on plan "${buyer.plan}" in market "${buyer.market}".`;
            throw productRefusal('add-on-not-for-sale', message);
          }
          const zone = situation.use.metered ? situation.use.zone : zoneOf(table, situation, buyer.market);
          const bought = grantBought('', addOn, { atMs: boughtAt.epochMilliseconds, zone });
          const { amount, validUntilMs, anchor, terms } = bought;
          if (terms === undefined) throw new Error('what was bought has no terms');
          return { addOn: wanted, feature, amount, validUntilMs, anchor, terms };
        });
      },
    ),
    route(
      '/v1/grants/end',
      {
        summary: 'Ends a grant, now or at a future moment. Its use stays counted.',
        input: input({
          grant: name('Id of the grant.'),
          until: Type.Optional(Type.String({ format: 'date-time', description: 'When it ends. Absent: now.' })),
          ...KEY,
        }),
      },
      ({ key, ...request }, { desk, by }) => {
        const write = { by, path: '/v1/grants/end', key, request };
        return desk.subjects.endGrant(request.grant, endOf(request.until), write);
      },
    ),
  ];
}

/** At the maximum of grants, ends used-up ones to make room, the oldest first. */
async function makeRoom(desk: Desk, table: ProductsTable, question: Use, now: Temporal.Instant): Promise<void> {
  const facts = await factsOf(desk, question.listener);
  const nowMs = now.epochMilliseconds;
  const left = facts.grants.filter(
    ({ feature, validUntilMs = Infinity }) => feature === question.feature && validUntilMs > nowMs,
  );
  if (left.length < GRANTS_MAX) return;
  const { use } = situationBy(table, question, facts, now);
  if (!use.metered) return;
  const { quota, scope, buckets } = use;
  const { balances } = await desk.quotas.check({ subject: scope.subject, quota, buckets, amount: 0 }, desk.signal);
  const empty = new Set(balances.flatMap(({ bucket, remaining }) => (remaining === 0 ? [bucket] : [])));
  const spent = left
    .filter(({ id, anchor }) => anchor === undefined && empty.has(`grant/${id}`))
    .sort((a, b) => a.createdMs - b.createdMs)
    .slice(0, left.length - GRANTS_MAX + 1);
  if (spent.length > 0) {
    await desk.subjects.spend(
      question.listener,
      spent.map(({ id }) => id),
    );
  }
}

function buyerOf(question: Omit<Use, 'feature'>, facts: SubjectFacts) {
  const { plan, role = '', market = '' } = listenerOf(question, facts);
  return { plan, role, market };
}

function zoneOf(table: ProductsTable, { facts }: Situation, market: string): string {
  return facts.subscription?.anchor.zone ?? table.markets.get(market)?.spec.zone ?? 'UTC';
}

function endOf(text: string | undefined): Temporal.Instant | undefined {
  if (text === undefined) return undefined;
  const ms = parseInstant(text);
  if (!isFault(ms)) return Temporal.Instant.fromEpochMilliseconds(ms);
  throw productRefusal('invalid-record', `until: ${ms.fault}`, {
    problems: [{ path: ['until'], reason: 'FieldValueInvalid', detail: ms.fault }],
  });
}
