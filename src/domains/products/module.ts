import { resolve } from 'node:path';
import { defineModule } from '#kernel/modules/module.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { cohortSubjects, isDenial } from './cohort-subject.ts';
import { compileInSteps, updateInSteps } from './decisions/compile.ts';
import { productsRoutes } from './decisions/routes.ts';
import type { ProductsTable } from './decisions/table.ts';
import { AddOn } from './kinds/add-on.ts';
import { Cap } from './kinds/cap.ts';
import { Feature } from './kinds/feature.ts';
import { Market } from './kinds/market.ts';
import { Plan } from './kinds/plan.ts';
import { Price } from './kinds/price.ts';
import { grantRoutes } from './grant-routes.ts';
import { subscriptions } from './migrations/0008-subscriptions.ts';
import { subjectNames } from './migrations/0013-subject-names-20261129.ts';
import { recordWrites } from './migrations/0023-record-writes-20261129.ts';
import { featuresOfListeners } from './listener-features.ts';
import { listeners } from './listeners.ts';
import { offlineRoutes } from './offline-routes.ts';
import { openDesk } from './open-desk.ts';
import { planOfListeners } from './listener-plan.ts';
import { recordRoutes } from './record-routes.ts';
import { recordedRoutes } from './recorded-routes.ts';
import { tellChanges } from './records/change-events.ts';
import { followUnitCounts } from './records/unit-counts.ts';
import { slotRoutes } from './slot-routes.ts';
import { usageRoutes } from './usage-routes.ts';

export const productsKinds = [Feature, Market, Plan, Price, Cap, AddOn];

/** Plans, features, markets, prices, caps and add-ons, with subscriptions and use. */
export const products = defineModule({
  name: 'products',
  kinds: productsKinds,
  followed: productsKinds,
  migrations: [subscriptions, subjectNames, recordWrites],
  records: openDesk,
  decisions: ({ records: desk }): DecisionModule<ProductsTable> => {
    const subjectOf = cohortSubjects(desk);
    return {
      name: 'products',
      kinds: productsKinds,
      compile: compileInSteps,
      update: updateInSteps,
      routes: [
        ...recordedRoutes(productsRoutes, desk),
        ...recordRoutes(desk),
        ...grantRoutes(desk),
        ...usageRoutes(desk),
        ...slotRoutes(desk),
        ...offlineRoutes(desk),
      ],
      subjectOf,
      isDenial,
      provides: {
        planOf: planOfListeners(desk),
        hasFeature: featuresOfListeners(desk),
        cohortSubject: (table: ProductsTable) => (input: unknown) => subjectOf(table, input, {}),
      },
    };
  },
  targets: [listeners],
  jobs: (parts) => [tellChanges(parts)],
  units: followUnitCounts,
  sample: resolve(import.meta.dirname, '../../../examples/aria/products'),
});
