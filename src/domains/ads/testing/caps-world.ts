import { openLog } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { startDatabase } from '#tests/support/database.ts';
import { exposureNumber, type Histories, type HistorySubject } from '../history/histories.ts';
import { Ad } from '../kinds/ad.ts';
import { AdPolicy } from '../kinds/ad-policy.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import type { FrequencyCaps } from '../kinds/parts.ts';
import { Placement } from '../kinds/placement.ts';
import type { AdsTable } from '../decisions/table.ts';
import { NO_MONEY, type Money } from '../money/money.ts';
import { openAdHistories, type AdHistories } from '../records/ad-histories.ts';
import { serveBreak, type ReservedBreak } from '../serve-break.ts';
import { askBreak, live, tableOf } from './world.ts';

/** An ad set `account.campaign.number`, and the caps of it and of what is above it. */
export interface CappedAdSet {
  readonly account: string;
  readonly campaign: string;
  readonly name: string;
  readonly bid: string;
}

/** Caps by the name of an ad set, campaign or account. */
export type CapsByName = Readonly<Record<string, FrequencyCaps>>;

const PLACEMENT = {
  format: 'audio',
  slots: 10,
  seconds: 100,
  currency: 'EUR',
  pricing: 'firstPrice',
  priors: { clickRate: 0.002, completionRate: 0.9 },
  policy: 'standard',
  adFreeFeature: 'ad-free',
};

/** The table of these ad sets, each with one ad of 10 seconds, a break with room for all, and a rewarded one for one ad. */
export function cappedTable(adSets: readonly CappedAdSet[], caps: CapsByName, policy?: object): AdsTable {
  const accounts = [...new Set(adSets.map(({ account }) => account))];
  const campaigns = new Map(adSets.map(({ account, campaign }) => [campaign, account]));
  const capsOf = (name: string) => (caps[name] === undefined ? {} : { frequencyCaps: caps[name] });
  return tableOf([
    ...(policy === undefined ? [] : [live(AdPolicy, 'standard', policy)]),
    live(Placement, 'break', PLACEMENT),
    live(Placement, 'reward', { ...PLACEMENT, slots: 1, rewarded: true }),
    ...accounts.flatMap((account) => [
      live(Advertiser, account, { currency: 'EUR', ...capsOf(account) }),
      live(Asset, `${account}.file`, {
        account,
        format: 'audio',
        seconds: 10,
        renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
      }),
    ]),
    ...Array.from(campaigns, ([name, account]) => live(Campaign, name, { account, ...capsOf(name) })),
    ...adSets.flatMap(({ account, campaign, name, bid }) => [
      live(AdSet, name, {
        account,
        campaign,
        bid,
        goal: 'cpm',
        tier: 'auction',
        position: 'any',
        ...capsOf(name),
      }),
      live(Ad, `${name}.ad`, { account, adSet: name, asset: `${account}.file`, weight: 1 }),
    ]),
  ]);
}

export interface BreakRequest {
  readonly decision: string;
  readonly subject: HistorySubject;
  readonly nowMs: number;
  readonly slots?: number;
  readonly placement?: string;
}

/** The ad sets of a break that is served by this table and these histories, in their order; it waits as long as it takes. */
export async function serve(
  table: AdsTable,
  histories: Histories,
  request: BreakRequest,
  parts: ServeParts = {},
): Promise<readonly string[]> {
  const { served } = await answer(table, histories, request, parts);
  return served.map(({ adSet }) => adSet.name.replace('default/', ''));
}

interface ServeParts {
  readonly time?: Time;
  readonly money?: Money;
}

/** The whole answer, with the reason why there is no break. */
export function answer(
  table: AdsTable,
  histories: Histories,
  request: BreakRequest,
  { time = new VirtualTime(), money = NO_MONEY }: ServeParts = {},
): Promise<ReservedBreak> {
  const { nowMs, slots = 10, placement } = request;
  const question = askBreak(table, { nowMs, context: {}, slots, seconds: 100, random: () => 0 }, placement);
  return serveBreak(table, question, { money, histories, time }, { ...request, issueTokens: () => [] });
}

export function confirm(histories: Histories, { decision, subject }: BreakRequest, place: number, nowMs: number) {
  return histories.confirm(subject, exposureNumber(decision, place), nowMs);
}

export interface CapsNodes extends AsyncDisposable {
  readonly database: Database;
  /** Of two processes: each has connections of its own. */
  readonly nodes: readonly [AdHistories, AdHistories];
}

export async function startCapsNodes(): Promise<CapsNodes> {
  const { url, database, [Symbol.asyncDispose]: drop } = await startDatabase();
  const open = () => {
    const own = openDatabase(url);
    return { own, histories: openAdHistories({ database: own, secret: Buffer.alloc(32, 7), log: openLog('silent') }) };
  };
  const [one, two] = [open(), open()];
  return {
    database,
    nodes: [one.histories, two.histories],
    [Symbol.asyncDispose]: async () => {
      for (const { own, histories } of [one, two]) {
        await histories.close();
        await own.close();
      }
      await drop();
    },
  };
}
