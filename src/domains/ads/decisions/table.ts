import type { AudienceIndex } from '#kernel/audiences/index/audience-index.ts';
import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { Matcher } from '#kernel/audiences/language/language.ts';
import type { LayeredMap } from '#kernel/base/layered-map.ts';
import type { PodPosition } from '../rules/pack-pod.ts';
import type { AssetSpec } from '../kinds/asset.ts';
import type { PlacementSpec } from '../kinds/placement.ts';
import type { AdSetSpec } from '../kinds/ad-set.ts';

/** Why nothing of an ad set is served now, to anybody anywhere. */
export type Halt =
  | 'ad set paused'
  | 'campaign paused'
  | 'advertiser suspended'
  | 'campaign missing'
  | 'advertiser missing'
  | 'audience missing'
  | 'no ad';

interface CompiledAsset {
  readonly name: string;
  readonly format: AssetSpec['format'];
  /** 0 for an image. */
  readonly seconds: number;
  readonly renditions: AssetSpec['renditions'];
}

export interface CompiledAd {
  readonly name: string;
  readonly weight: number;
  readonly isExplicit: boolean;
  readonly clickThrough: string | undefined;
  readonly asset: CompiledAsset;
}

export interface CompiledAdSet {
  readonly name: string;
  readonly campaign: string;
  readonly advertiser: string;
  /** 0 for the first tier. */
  readonly tier: number;
  /** The bid for a thousand impressions in micro-units of the currency. */
  readonly cpm: number;
  readonly currency: string;
  readonly placements: ReadonlySet<string> | undefined;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly position: PodPosition;
  readonly categories: readonly string[];
  readonly rule: AdSetSpec['when'];
  readonly ads: readonly CompiledAd[];
  /** All of its reasons. Empty for one that may be served. */
  readonly halts: readonly Halt[];
}

export interface CompiledPlacement {
  readonly name: string;
  readonly spec: PlacementSpec;
  /** The floor in micro-units for a thousand impressions of an ad of so many seconds. */
  readonly floorOf: (seconds: number) => number;
}

/** An ad set that changed after the index was built. */
interface RecentAdSet {
  readonly adSet: CompiledAdSet;
  readonly matcher: Matcher | undefined;
}

export interface AdsTable {
  readonly placements: ReadonlyMap<string, CompiledPlacement>;
  /** All by name, those that are halted too. */
  readonly adSets: LayeredMap<CompiledAdSet>;
  /** The ad set that each ad is compiled into, by names. */
  readonly setOfAd: LayeredMap<string>;
  /** Those that could be served when the index was built, in the order of service; its candidates are positions here. */
  readonly indexed: readonly CompiledAdSet[];
  readonly index: AudienceIndex;
  /** Names of ad sets of which the index knows an earlier state, or one that is gone. */
  readonly outdated: ReadonlySet<string>;
  /** Those of the outdated ones, and new ones, that may be served now, in the order of service. Few: they are tried one by one. */
  readonly recent: readonly RecentAdSet[];
  readonly audiences: AudienceTable;
}
