import { Type } from 'typebox';
import { Refusal } from '#kernel/base/failures.ts';
import { productRefusal } from '#domains/products/refusals.ts';
import type { DecisionRoute } from '#kernel/snapshots/module.ts';
import type { ProductsTable } from './decisions/table.ts';
import { earlierOf, earlierUse, mayDiffer, said, saidOfEarlier, situationIfAny } from './earlier-use.ts';
import { charged, counted, factsOf, meteredUse, requireUsedUp, situationBy, type Desk } from './usage-desk.ts';
import { AMOUNT, FEATURE, input, KEY, name, usageRoutesOf, WHO } from './usage-route.ts';

const DEVICE = { device: name('Id of the device.') };

/** Routes for offline leases and their settlement. */
export function offlineRoutes(desk: Desk | undefined): readonly DecisionRoute<ProductsTable>[] {
  const route = usageRoutesOf(desk);
  return [
    route(
      '/v1/offline/leases',
      'Units for a device without a connection, as a signed lease: kept for it until it returns or its time is over.',
      input({ ...WHO, ...FEATURE, ...AMOUNT, ...DEVICE, ...KEY }),
      (at, table, { amount, key, ...question }, now) => {
        requireUsedUp(table, question.feature);
        const { listener, device, feature } = question;
        const wish = { key, quota: feature, amount, device, owner: listener };
        type Source = Pick<Parameters<typeof at.quotas.grantOffline>[0], 'subject' | 'ttlMs' | 'buckets'>;
        const take = (source: Source) => at.quotas.grantOffline({ ...wish, ...source }, at.signal);
        const leaseOf = ({ lease }: { readonly lease?: string }) => (lease === undefined ? {} : { lease });
        return charged(
          at,
          listener,
          async (facts) => {
            const situation = situationIfAny(() => situationBy(table, question, facts, now));
            if (mayDiffer(facts, situation)) {
              const earlier = await earlierUse(at, table, question, { facts, now: situation, key });
              if (earlier !== undefined) {
                const again = await take({ subject: earlier.subject, ttlMs: 1, buckets: [] });
                return { ...saidOfEarlier(table, earlier, again, amount), ...leaseOf(again) };
              }
            }
            if (situation instanceof Refusal) throw situation;
            const { scope, buckets, offlineMs, title } = counted(situation);
            if (offlineMs === undefined) {
              throw productRefusal('not-offline', `${title} cannot be used without a connection.`);
            }
            const granted = await take({ subject: scope.subject, ttlMs: offlineMs, buckets });
            return { ...said(table, situation, granted, amount), ...leaseOf(granted) };
          },
          (facts) => meteredUse(situationBy(table, question, facts, now)),
        );
      },
    ),
    route(
      '/v1/offline/returns',
      'Settles a lease when the device is back: all that was used is recorded, also beyond the budget.',
      input({
        ...WHO,
        ...FEATURE,
        ...DEVICE,
        lease: Type.String({ minLength: 1, maxLength: 4_000, description: 'As it was given out.' }),
        used: Type.Number({ description: 'Units that were used: a whole number, 0 or more.' }),
        ...KEY,
      }),
      async (at, table, { lease, used, key, ...question }, now) => {
        const { listener, feature, device } = question;
        const { subject, key: of, quota, owner = listener } = at.quotas.lease(lease, device);
        if (quota !== feature) throw otherLease(`it is of ${quota}, not of ${feature}`, `Name ${quota}.`);
        if (owner !== listener) {
          throw otherLease(`it was not given to "${listener}"`, 'Name the listener who took it.');
        }
        const facts = await factsOf(at, listener);
        const situation = situationIfAny(() => situationBy(table, question, facts, now));
        const found = (await at.quotas.find([subject], of)) ?? {
          subject,
          atMs: now.epochMilliseconds,
          quotas: [quota],
          buckets: [],
        };
        const earlier = earlierOf(table, question, { facts, now: situation, found });
        const { buckets } = earlier;
        const request = { key, lease, device, used, ...(buckets === undefined ? {} : { buckets }) };
        const settled = await at.quotas.reconcile(request, at.signal);
        const { return: returned, overBudget } = settled;
        return { ...saidOfEarlier(table, earlier, settled, 0), return: returned, overBudget };
      },
    ),
  ];
}

function otherLease(why: string, remedy: string): Refusal {
  return productRefusal('other-lease', `The lease cannot be settled so: ${why}.`, { remedy });
}
