import type { AudienceIndex } from '#kernel/audiences/index/audience-index.ts';
import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { WeeklyWindow } from '#kernel/audiences/language/compile-time.ts';
import type { Matcher } from '#kernel/audiences/language/language.ts';
import type { PositionCache } from '#kernel/base/position-cache.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { OwnerCaps } from '../rules/frequency.ts';
import type { Goal } from '../rules/goals.ts';
import type { RatesInto } from '../rules/exchange.ts';
import type { ListenerPolicy } from '../rules/listener-rules.ts';
import type { Ratio } from '../rules/ratio.ts';
import type { PodPosition } from '../rules/pack-pod.ts';
import type { AdSpec } from '../kinds/ad.ts';
import type { AssetSpec } from '../kinds/asset.ts';
import type { PlacementSpec } from '../kinds/placement.ts';
import type { AdSetSpec } from '../kinds/ad-set.ts';
import type { AdSetRows } from './ad-set-rows.ts';
import type { Halt } from './halts.ts';

interface CompiledAsset {
  readonly name: string;
  readonly format: AssetSpec['format'];
  /** 0 for an image. */
  readonly seconds: number;
  readonly renditions: AssetSpec['renditions'];
  /** The VAST of another server, instead of renditions. */
  readonly vastTagUri: string | undefined;
}

export interface CompiledAd {
  readonly name: string;
  readonly weight: number;
  readonly isExplicit: boolean;
  /** The address of the page as URLs are sent: ASCII. */
  readonly clickThrough: string | undefined;
  /** See `tokenBytesOf`. */
  readonly tokenBytes: number;
  readonly asset: CompiledAsset;
  /** Pictures that are shown while it plays. */
  readonly companions: AssetSpec['renditions'];
  /** Calls of third parties, for players that may make them. */
  readonly tracking: NonNullable<AdSpec['tracking']>;
  readonly verification: NonNullable<AdSpec['verification']>;
}

/** One of the limits that every charge of an ad set keeps to. */
export interface MoneyLimit {
  /** `adset`, `campaign` or `account`, and its live name. */
  readonly owner: string;
  readonly per: 'day' | 'lifetime';
  /** In micro-units; `unlimited` only counts. */
  readonly limit: number | 'unlimited';
}

/** Limits of spend that apply to an ad set. */
export interface AdSetMoney {
  /** The Advertiser, by its live name: the ledger is kept for each. */
  readonly account: string;
  /** Of the account; empty where it is missing. */
  readonly currency: string;
  /** IANA zone of the account. */
  readonly zone: string;
  /** Its own first, then those of the campaign and the account: for each the day, then the lifetime. */
  readonly limits: readonly MoneyLimit[];
  /** Whether its own budget is spread over the day, or over the flight. */
  readonly isEven: boolean;
  /** Changes with the limits, the currency, the zone, the pacing and the flight. */
  readonly version: string;
}

export interface CompiledAdSet {
  readonly name: string;
  readonly campaign: string;
  readonly advertiser: string;
  /** 0 for the first tier. */
  readonly tier: number;
  readonly goal: Goal;
  /** For the event of the goal, in micro-units of the currency; of `cpm` for a thousand. */
  readonly bid: number;
  readonly currency: string;
  readonly namespace: string;
  /** See `mayStandAt`. */
  readonly placements: ReadonlySet<string> | undefined;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly position: PodPosition;
  /** Parts of the week, one of which it needs; undefined: always. */
  readonly dayParts: readonly WeeklyWindow[] | undefined;
  /** See `dealKey`. */
  readonly deal: string | undefined;
  readonly categories: readonly string[];
  /** The advertiser and the categories: two ad sets that share one of these stand in no break together, nor in adjacent ones. */
  readonly separations: readonly string[];
  readonly rule: AdSetSpec['when'];
  readonly ads: readonly CompiledAd[];
  readonly money: AdSetMoney;
  /** Of the ad set, its campaign and its advertiser, those that have any. */
  readonly caps: readonly OwnerCaps[];
  /** All of its reasons. Empty for one that may be served. */
  readonly halts: readonly Halt[];
}

/** In micro-units: so much, and so much for each second. */
export interface CompiledFloor {
  readonly flat: number;
  readonly perSecond: number;
}

export interface CompiledPlacement {
  readonly name: string;
  readonly namespace: string;
  readonly spec: PlacementSpec;
  /** undefined: its AdPolicy is missing, and nothing is served. */
  readonly policy: ListenerPolicy | undefined;
  /** The worth of a unit that is bid, by goal; without conversion. */
  readonly worths: Readonly<Record<Goal, Ratio>>;
  /** Rates into its currency. */
  readonly rates: RatesInto;
  /** The floor for a thousand impressions. */
  readonly floor: CompiledFloor;
  /** No floor is below it, with or without a deal. */
  readonly floorLeast: CompiledFloor;
  /** Floors that apply instead, by account and deal, see `dealKey`. */
  readonly deals: ReadonlyMap<string, CompiledFloor>;
}

/** An ad set that changed after the index was built. */
export interface RecentAdSet {
  readonly adSet: CompiledAdSet;
  readonly matcher: Matcher | undefined;
}

export interface AdsTable {
  /** The world that it was compiled from; its objects change when a later table has taken this one's place. */
  readonly world: World;
  readonly placements: ReadonlyMap<string, CompiledPlacement>;
  /** How many ad sets there are. */
  readonly size: number;
  /** How many of them have caps and no halt but a missing audience: with none, no decision reads histories. */
  readonly cappedCount: number;
  /** Ad sets as they were when the index was built: first those that could be served, in the order of service. */
  readonly rows: AdSetRows;
  /** Candidates are positions in the rows. */
  readonly index: AudienceIndex;
  /** Weight of a unit of each currency in the bounds of the index. Any number is right; a close one finds faster. */
  readonly weights: ReadonlyMap<string, number>;
  /** Those of the rows that decisions have looked at. */
  readonly compiled: PositionCache<CompiledAdSet>;
  /** Names of ad sets of which the rows have an earlier state, or one that is gone, and of new ones. */
  readonly outdated: ReadonlySet<string>;
  /** The outdated ones as they are now. Few: they are tried one by one. */
  readonly recent: readonly RecentAdSet[];
  readonly audiences: AudienceTable;
}
