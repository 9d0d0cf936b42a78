import type { Kind } from '#kernel/resources/kind.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { cohortSubjects, isDenial } from './cohort-subject.ts';
import { compile, update } from './decisions/compile.ts';
import { productsRoutes } from './decisions/routes.ts';
import type { ProductsTable } from './decisions/table.ts';
import { AddOn } from './kinds/add-on.ts';
import { Cap } from './kinds/cap.ts';
import { Feature } from './kinds/feature.ts';
import { Market } from './kinds/market.ts';
import { Plan } from './kinds/plan.ts';
import { Price } from './kinds/price.ts';
import { grantRoutes } from './grant-routes.ts';
import { offlineRoutes } from './offline-routes.ts';
import { recordRoutes } from './record-routes.ts';
import { recordedRoutes } from './recorded-routes.ts';
import { slotRoutes } from './slot-routes.ts';
import type { Desk } from './usage-desk.ts';
import { usageRoutes } from './usage-routes.ts';

/** In the order in which objects of one change set are written: what is referred to comes first. */
export const productsKinds: readonly Kind[] = [Feature, Market, Plan, Price, Cap, AddOn];

/** Plans, features, markets, prices, caps and add-ons in the decision plane. */
export function productsModule({ desk }: ProductFacts): DecisionModule<ProductsTable> {
  return {
    name: 'products',
    kinds: productsKinds,
    compile,
    update,
    routes: [
      ...recordedRoutes(productsRoutes, desk),
      ...recordRoutes(desk),
      ...grantRoutes(desk),
      ...usageRoutes(desk),
      ...slotRoutes(desk),
      ...offlineRoutes(desk),
    ],
    subjectOf: cohortSubjects(desk),
    isDenial,
  };
}

/** What is kept for each listener; undefined on a node without a database. */
export interface ProductFacts {
  readonly desk: Desk | undefined;
}
