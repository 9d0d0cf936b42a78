import { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import { openLog, type Log } from '#kernel/base/log.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import { startDatabase } from '#tests/support/database.ts';
import { adRoutes } from '../ad-routes.ts';
import type { AdsTable } from '../decisions/table.ts';
import { openRecentBreaks } from '../diagnosis/recent-breaks.ts';
import { openAdRecords, type AdRecords } from '../open-ad-records.ts';
import { eventReporter } from '../report-event.ts';
import { PermissionCache } from '../rules/consent/permission-cache.ts';

const cohortSubject = () => ({ units: {}, facts: {}, context: {} });

interface Asking {
  readonly table: AdsTable;
  /** By the clock of the node. */
  readonly now: Temporal.Instant;
  /** False: the app of a publishable Client. */
  readonly isTrusted?: boolean;
  /** Whether the listener has the ad-free feature; undefined: nobody knows. Else they have no record and no feature. */
  readonly hasFeature?: () => Promise<boolean | undefined>;
}

interface NodeAnswer {
  readonly ads: readonly { readonly adSet: string; readonly token: string }[];
  readonly noAds?: string;
  readonly reasons?: readonly { readonly reason: string }[];
}

/** A node on a database of its own, without HTTP. */
export interface AdNode extends AsyncDisposable {
  readonly database: Database;
  readonly records: AdRecords;
  readonly ask: (path: '/v1/ads/decide' | '/v1/ads/explain', question: object, asking: Asking) => Promise<NodeAnswer>;
  /** The outcome of an event that is reported. */
  readonly report: (event: string, token: string, asking: Asking) => Promise<string>;
}

const hasNone = async (): Promise<boolean> => false;

/** @param clock instead of the time of the database */
export async function startAdNode(clock?: Clock, log: Log = openLog('silent')): Promise<AdNode> {
  const world = await startDatabase();
  const database = openDatabase(world.url);
  const [registry, secret] = [new Registry(), Buffer.alloc(32, 7)];
  const given = clock === undefined ? {} : { clock };
  const quotas = openQuotas({ databases: [database], signer: hmacSigner(secret), ...given, log, registry });
  const secretOf = async () => secret;
  const records = await openAdRecords({ database, quotas, clock, secretOf, registry, log });
  const routes = adRoutes({
    ...records,
    random: () => 0,
    permissions: new PermissionCache(),
    recent: openRecentBreaks(() => 0),
    time: new VirtualTime(),
    records,
  });
  const report = eventReporter(records, log);
  return {
    database,
    records,
    ask: async (path, question, { table, now, isTrusted = true, hasFeature = hasNone }) => {
      const route = routes.find((one) => one.path === path);
      const context = {
        table,
        facts: { hasFeature, cohortSubject },
        now,
        snapshotAgeMs: () => 0,
        by: 'test',
        isTrusted,
        limit: { signal: undefined },
      };
      return (await route?.handle(question, context as never)) as NodeAnswer;
    },
    report: async (event, token, { table, now, hasFeature = hasNone }) =>
      (await report({ event, token }, { table, now, facts: { hasFeature, cohortSubject } })).outcome,
    [Symbol.asyncDispose]: async () => {
      await records.close?.();
      await quotas.close();
      await database.close();
      await world[Symbol.asyncDispose]();
    },
  };
}
