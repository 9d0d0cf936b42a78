import type { AudienceIndex } from '#kernel/audiences/index/audience-index.ts';
import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { PodPosition } from '../rules/pack-pod.ts';
import type { AssetSpec } from '../kinds/asset.ts';
import type { PlacementSpec } from '../kinds/placement.ts';
import type { AdSetSpec } from '../kinds/ad-set.ts';

/** Why nothing of an ad set is served now, wherever and to whom. */
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
  /** A set: each is said. Empty for one that may be served. */
  readonly halts: readonly Halt[];
}

export interface CompiledPlacement {
  readonly name: string;
  readonly spec: PlacementSpec;
  /** The floor in micro-units for a thousand impressions of an ad of so many seconds. */
  readonly floorOf: (seconds: number) => number;
}

export interface AdsTable {
  readonly placements: ReadonlyMap<string, CompiledPlacement>;
  /** All, those that are halted too. */
  readonly adSets: readonly CompiledAdSet[];
  /** Those that may be served; candidates of the index are positions here. */
  readonly serving: readonly CompiledAdSet[];
  readonly index: AudienceIndex;
  readonly audiences: AudienceTable;
}
