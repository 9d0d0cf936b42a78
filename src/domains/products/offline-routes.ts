import { Type } from 'typebox';
import { Refusal } from '#kernel/base/failures.ts';
import { productRefusal } from './refusals.ts';
import type { DecisionRoute } from '#kernel/snapshots/module.ts';
import type { ProductsTable } from './decisions/table.ts';
import { earlierOf, earlierUse, mayDiffer, translateAnswer, translateEarlier, situationIfAny } from './earlier-use.ts';
import {
  chargeOnTerms,
  requireCounted,
  factsOf,
  meteredUse,
  requireUsedUp,
  situationBy,
  type Desk,
} from './usage-desk.ts';
import { AMOUNT, FEATURE, input, KEY, name, usageRoutesOf, WHO } from './usage-route.ts';

const DEVICE = { device: name('Id of the device.') };

/** Routes for offline leases and their settlement. */
export function offlineRoutes(desk: Desk | undefined): readonly DecisionRoute<ProductsTable>[] {
  const route = usageRoutesOf(desk);
  return [
    route(
      '/v1/offline/leases',
      {
        summary: 'Reserves units for an offline device in a signed lease, until it returns or expires.',
        input: input({ ...WHO, ...FEATURE, ...AMOUNT, ...DEVICE, ...KEY }),
      },
      ({ amount, key, ...question }, { desk, table, now }) => {
        requireUsedUp(table, question.feature);
        const { listener, device, feature } = question;
        const wish = { key, quota: feature, amount, device, owner: listener };
        type Source = Pick<Parameters<typeof desk.quotas.grantOffline>[0], 'subject' | 'ttlMs' | 'buckets'>;
        const take = (source: Source) => desk.quotas.grantOffline({ ...wish, ...source }, desk.signal);
        const leaseOf = ({ lease }: { readonly lease?: string }) => (lease === undefined ? {} : { lease });
        return chargeOnTerms(
          desk,
          listener,
          async (facts) => {
            const situation = situationIfAny(() => situationBy(table, question, facts, now));
            if (mayDiffer(facts, situation)) {
              const earlier = await earlierUse(desk, table, question, { facts, now: situation, key });
              if (earlier !== undefined) {
                const again = await take({ subject: earlier.subject, ttlMs: 1, buckets: [] });
                return { ...translateEarlier(table, earlier, again, amount), ...leaseOf(again) };
              }
            }
            if (situation instanceof Refusal) throw situation;
            const { scope, buckets, offlineMs, title } = requireCounted(situation);
            if (offlineMs === undefined) {
              throw productRefusal('not-offline', `${title} cannot be used offline.`);
            }
            const granted = await take({ subject: scope.subject, ttlMs: offlineMs, buckets });
            return { ...translateAnswer(table, situation, granted, amount), ...leaseOf(granted) };
          },
          (facts) => meteredUse(situationBy(table, question, facts, now)),
        );
      },
    ),
    route(
      '/v1/offline/returns',
      {
        summary: 'Settles a lease: records all use, also beyond the budget.',
        input: input({
          ...WHO,
          ...FEATURE,
          ...DEVICE,
          lease: Type.String({ minLength: 1, maxLength: 4_000, description: 'The lease as granted.' }),
          used: Type.Number({ description: 'Used units: a whole number, 0 or more.' }),
          ...KEY,
        }),
      },
      async ({ lease, used, key, ...question }, { desk, table, now }) => {
        const { listener, feature, device } = question;
        const { subject, key: of, quota, owner = listener } = desk.quotas.lease(lease, device);
        if (quota !== feature) throw otherLease(`it is of ${quota}, not of ${feature}`, `Name ${quota}.`);
        if (owner !== listener) {
          throw otherLease(`it was not granted to "${listener}"`, 'Name the listener that it was granted to.');
        }
        const facts = await factsOf(desk, listener);
        const situation = situationIfAny(() => situationBy(table, question, facts, now));
        const found = (await desk.quotas.find([subject], of)) ?? {
          subject,
          atMs: now.epochMilliseconds,
          quotas: [quota],
          buckets: [],
        };
        const earlier = earlierOf(table, question, { facts, now: situation, found });
        const { buckets } = earlier;
        const request = { key, lease, device, used, ...(buckets === undefined ? {} : { buckets }) };
        const settled = await desk.quotas.reconcile(request, desk.signal);
        const { return: returned, overBudget } = settled;
        return { ...translateEarlier(table, earlier, settled, 0), return: returned, overBudget };
      },
    ),
  ];
}

function otherLease(why: string, remedy: string): Refusal {
  return productRefusal('other-lease', `Cannot settle the lease: ${why}.`, { remedy });
}
