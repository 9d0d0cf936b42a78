import { contentHash } from '#kernel/base/ids.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import type { LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { productsKinds } from '#domains/products/module.ts';
import { TERRITORIES } from '#kernel/base/territories.ts';

const MARKETS = 200;
const PLANS = 10;
const FEATURES = 100;

/** A catalogue of 200 markets, 10 plans, 100 features and 2,000 prices, with an entitlement in every cell. */
export function largeCatalogue(): ResourceObject[] {
  const apiVersion = 'products.backline.dev/v1';
  const object = (kind: string, name: string, spec: object): ResourceObject => ({
    apiVersion,
    kind,
    metadata: { name, namespace: 'default' },
    spec,
  });
  const territories = [...TERRITORIES].slice(0, MARKETS);
  const markets = territories.map((code) => code.toLowerCase());
  const plans = Array.from({ length: PLANS }, (_, index) => `plan-${index}`);
  const entitlements = Array.from({ length: FEATURES }, (_, index) => ({ feature: `feature-${index}` }));
  return [
    ...entitlements.map(({ feature }) => object('Feature', feature, { title: feature, type: 'boolean' })),
    ...territories.map((code) =>
      object('Market', code.toLowerCase(), {
        title: code,
        territories: [code],
        zone: 'Europe/Berlin',
        currencies: [{ code: 'EUR' }],
        tax: { inclusive: true, rate: '19', name: 'VAT' },
      }),
    ),
    ...plans.map((plan, rank) =>
      object('Plan', plan, {
        title: plan,
        group: 'all',
        rank,
        entitlements: entitlements.slice(0, FEATURES - PLANS + rank + 1),
      }),
    ),
    ...markets.flatMap((market) =>
      plans.map((plan) =>
        object('Price', `${plan}-${market}`, {
          plan,
          market,
          interval: 'P1M',
          timeline: [{ from: '2024-01-01', amount: '9.99', currency: 'EUR' }],
        }),
      ),
    ),
  ];
}

const kinds = kindRegistry(productsKinds);

/** A live object as a Head would carry it. */
export function liveObject(object: ResourceObject): LiveObject {
  const kind = kinds.byApiVersion(object.apiVersion, object.kind);
  if (kind === undefined) throw new Error(`no kind ${object.kind}`);
  const complete = structureOf(kind).applyDefaults(object) as ResourceObject;
  return {
    kind: kind.id,
    namespace: 'default',
    name: object.metadata.name,
    labels: {},
    spec: complete.spec,
    revision: contentHash(complete.spec),
  };
}

export function worldOf(objects: readonly ResourceObject[]): LiveObjects {
  return new LiveObjects(kinds, objects.map(liveObject));
}
