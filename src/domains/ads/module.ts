import { resolve } from 'node:path';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { systemTime } from '#kernel/base/time.ts';
import { defineModule } from '#kernel/modules/module.ts';
import type { CohortSubject } from '#kernel/snapshots/cohort-membership.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { adRoutes, type BreakParts } from './ad-routes.ts';
import { diagnoseRoute } from './diagnose-route.ts';
import { openRecentBreaks } from './diagnosis/recent-breaks.ts';
import { vastRoutes } from './vast-routes.ts';
import { adStatuses, type WeekAt } from './decisions/ad-statuses.ts';
import { compileInSteps, updateInSteps } from './decisions/compile.ts';
import type { AdsTable } from './decisions/table.ts';
import { Ad } from './kinds/ad.ts';
import { AdPolicy } from './kinds/ad-policy.ts';
import { AdSet } from './kinds/ad-set.ts';
import { Advertiser } from './kinds/advertiser.ts';
import { Asset } from './kinds/asset.ts';
import { Campaign } from './kinds/campaign.ts';
import { ExchangeRate } from './kinds/exchange-rate.ts';
import { Placement } from './kinds/placement.ts';
import { placementAdvisor } from './placement-advice.ts';
import { servingAdvisors } from './serving-advice.ts';
import { PermissionCache } from './rules/consent/permission-cache.ts';
import { adEventRoutes } from './event-routes.ts';
import { ledgerRoute } from './ledger-route.ts';
import { NO_HISTORIES } from './history/histories.ts';
import { adMoney } from './migrations/2026113001-ad-money.ts';
import { adDeliveries } from './migrations/2026113030-ad-deliveries.ts';
import { adHistories } from './migrations/2026113040-ad-histories.ts';
import { lateTries } from './migrations/2026113041-late-tries.ts';
import { erasedListeners } from './migrations/2026113042-erased-listeners.ts';
import { adBreaks } from './migrations/2026120110-ad-breaks.ts';
import { adBreakSamples } from './migrations/2026120130-ad-break-samples.ts';
import { adAccounts } from './migrations/2026120140-ad-accounts.ts';
import { NO_MONEY } from './money/money.ts';
import { openAdRecords, type AdRecords } from './open-ad-records.ts';
import { AD_BREAK, logBreaks } from './records/break-events.ts';
import { advertiserReports } from './advertiser-reports.ts';
import { AD_DELIVERY, logDeliveries } from './records/delivery-events.ts';

export const adsKinds = [AdPolicy, ExchangeRate, Placement, Advertiser, Asset, Campaign, AdSet, Ad];

/** Placements, and what advertisers serve there. */
export const ads = defineModule({
  name: 'ads',
  kinds: adsKinds,
  statuses: (live, records) => adStatuses(live, { weekAt: weekOf(records) }),
  advisors: (live, { clock, records }) => [
    placementAdvisor(live),
    ...servingAdvisors(adsKinds, live, clock, weekOf(records)),
  ],
  migrations: [adMoney, adDeliveries, adHistories, lateTries, erasedListeners, adBreaks, adBreakSamples, adAccounts],
  records: openAdRecords,
  eventTypes: [AD_DELIVERY, AD_BREAK],
  jobs: (parts) => [logDeliveries(parts), logBreaks(parts)],
  sample: resolve(import.meta.dirname, '../../../examples/aria/ads'),
  commands: advertiserReports,
  decisions: ({ random, records, log }): DecisionModule<AdsTable> => ({
    name: 'ads',
    kinds: [...audienceKinds, ...adsKinds],
    compile: compileInSteps,
    update: updateInSteps,
    needs: ['hasFeature', 'cohortSubject'],
    routes: [
      ...breakRoutes({
        random,
        money: records?.money ?? NO_MONEY,
        permissions: new PermissionCache(),
        recent: openRecentBreaks(random),
        histories: records?.histories ?? NO_HISTORIES,
        time: systemTime,
        records,
      }),
      ...adEventRoutes(records, log),
      ledgerRoute(records),
    ],
    subjectOf: (_table, input, facts) => subjectOf(askedSubject(records, input), facts as unknown as SubjectFacts),
  }),
});

function weekOf(records: AdRecords | undefined): WeekAt {
  return (nowMs) => records?.samples.week(nowMs);
}

function breakRoutes(parts: BreakParts): DecisionModule<AdsTable>['routes'] {
  return [...adRoutes(parts), ...vastRoutes(parts), diagnoseRoute(parts)];
}

interface SubjectFacts {
  /** The subject of a question, by its record. */
  readonly cohortSubject: (input: unknown) => CohortSubject | Promise<CohortSubject>;
}

/** Of an event it is the one that its token was sealed for; a batch comes from one player. */
function askedSubject(records: AdRecords | undefined, input: unknown): Readonly<Record<string, unknown>> {
  if (!isRecord(input)) return {};
  const { token, events } = input;
  const [first] = Array.isArray(events) ? events : [];
  const sealed = token ?? (isRecord(first) ? first['token'] : undefined);
  if (records === undefined || typeof sealed !== 'string') return input;
  return { ...records.tokens.open(sealed).subject };
}

/** Products find the subject: a listener is in the same cohorts here as where plans and features are asked for. */
async function subjectOf(
  input: Readonly<Record<string, unknown>>,
  { cohortSubject }: SubjectFacts,
): Promise<CohortSubject> {
  const { context, ...subject } = await cohortSubject(input);
  return { ...subject, context: { ...(isRecord(input['context']) ? input['context'] : {}), ...definedIn(context) } };
}

/** The context may have facts that the question leaves open. */
function definedIn(context: CohortSubject['context']): CohortSubject['context'] {
  return Object.fromEntries(Object.entries(context).filter(([, value]) => value !== undefined));
}
