import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { defineModule } from '#kernel/modules/module.ts';
import type { CohortSubject } from '#kernel/snapshots/cohort-membership.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { adRoutes } from './ad-routes.ts';
import { compileInSteps, updateInSteps } from './decisions/compile.ts';
import type { AdsTable } from './decisions/table.ts';
import { Ad } from './kinds/ad.ts';
import { AdSet } from './kinds/ad-set.ts';
import { Advertiser } from './kinds/advertiser.ts';
import { Asset } from './kinds/asset.ts';
import { Campaign } from './kinds/campaign.ts';
import { Placement } from './kinds/placement.ts';

export const adsKinds = [Placement, Advertiser, Asset, Campaign, AdSet, Ad];

/** Placements, and what advertisers serve there. */
export const ads = defineModule({
  name: 'ads',
  kinds: adsKinds,
  decisions: ({ random }): DecisionModule<AdsTable> => ({
    name: 'ads',
    kinds: [...audienceKinds, ...adsKinds],
    compile: compileInSteps,
    update: updateInSteps,
    needs: ['hasFeature'],
    routes: adRoutes(random),
    subjectOf: (_table, input) => subjectOf(isRecord(input) ? input : {}),
  }),
});

/** The cohort subject of a question. */
function subjectOf({ listener, market, context }: Readonly<Record<string, unknown>>): CohortSubject {
  const unit = typeof listener === 'string' ? listener : undefined;
  return {
    units: { listener: unit, household: unit },
    facts: { market: typeof market === 'string' ? market : undefined },
    context: { ...(isRecord(context) ? context : {}), ...(unit === undefined ? {} : { [TARGETING_KEY]: unit }) },
  };
}
