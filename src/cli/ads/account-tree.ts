/** An object of the resource API. */
export interface AdsObject<Spec> {
  readonly metadata: { readonly name: string };
  readonly spec: Spec;
  /** Assets have none. */
  readonly status?: { readonly reasons: readonly { readonly reason: string }[] };
}

/** The objects of one advertiser. */
export interface AccountObjects {
  readonly advertiser: AdsObject<{
    readonly title?: string;
    readonly currency: string;
    readonly suspended?: { readonly reason: string };
  }>;
  readonly campaigns: readonly AdsObject<{ readonly title?: string; readonly paused?: boolean }>[];
  readonly adSets: readonly AdsObject<{
    readonly campaign: string;
    readonly tier: string;
    readonly goal: string;
    readonly bid: string;
  }>[];
  readonly ads: readonly AdsObject<{
    readonly adSet: string;
    readonly asset: string;
    readonly companion?: string;
    readonly paused?: boolean;
  }>[];
  readonly assets: readonly AdsObject<{ readonly format: string; readonly seconds?: number }>[];
}

export interface AccountTree {
  readonly account: string;
  readonly title?: string;
  readonly currency: string;
  readonly suspended?: string;
  readonly campaigns: readonly CampaignTree[];
  /** Ads of an ad set that is not declared. */
  readonly strayAds: readonly (AdTree & { readonly adSet: string })[];
  /** Assets that no ad of the account plays or shows. */
  readonly unusedAssets: readonly string[];
}

interface CampaignTree {
  readonly campaign: string;
  /** It is named by ad sets, and not declared. */
  readonly missing: boolean;
  readonly paused: boolean;
  readonly adSets: readonly AdSetTree[];
}

interface AdSetTree {
  readonly adSet: string;
  readonly tier: string;
  readonly goal: string;
  readonly bid: string;
  /** Why it is served to nobody; empty: it may be served. */
  readonly halts: readonly string[];
  readonly ads: readonly AdTree[];
}

interface AdTree {
  readonly ad: string;
  readonly paused: boolean;
  readonly asset: string;
  /** Undefined: the asset is not declared. */
  readonly format?: string;
  readonly seconds?: number;
}

/** Orders what an advertiser declared. */
export function accountTree(objects: AccountObjects): AccountTree {
  const { advertiser, campaigns, adSets, ads, assets } = objects;
  const { title, currency, suspended } = advertiser.spec;
  const campaignByName = new Map(campaigns.map((campaign) => [campaign.metadata.name, campaign.spec]));
  const assetByName = new Map(assets.map((asset) => [asset.metadata.name, asset.spec]));
  const adsBySet = Map.groupBy(ads, ({ spec }) => spec.adSet);
  const setsByCampaign = Map.groupBy(adSets, ({ spec }) => spec.campaign);
  const setNames = new Set(adSets.map(({ metadata }) => metadata.name));
  const used = new Set(ads.flatMap(({ spec }) => [spec.asset, spec.companion]));
  const names = [...new Set([...campaignByName.keys(), ...setsByCampaign.keys()])].toSorted();
  return {
    account: advertiser.metadata.name,
    ...(title !== undefined && { title }),
    currency,
    ...(suspended !== undefined && { suspended: suspended.reason }),
    campaigns: names.map((campaign) => ({
      campaign,
      missing: !campaignByName.has(campaign),
      paused: campaignByName.get(campaign)?.paused === true,
      adSets: (setsByCampaign.get(campaign) ?? []).map(adSetTree),
    })),
    strayAds: ads
      .filter(({ spec }) => !setNames.has(spec.adSet))
      .map((ad) => ({ ...adTree(ad), adSet: ad.spec.adSet })),
    unusedAssets: [...assetByName.keys()].filter((asset) => !used.has(asset)),
  };

  function adSetTree({ metadata: { name }, spec, status }: AccountObjects['adSets'][number]): AdSetTree {
    const { tier, goal, bid } = spec;
    const halts = status?.reasons.map(({ reason }) => reason) ?? [];
    return { adSet: name, tier, goal, bid, halts, ads: (adsBySet.get(name) ?? []).map(adTree) };
  }

  function adTree({ metadata: { name }, spec }: AccountObjects['ads'][number]): AdTree {
    const asset = assetByName.get(spec.asset);
    return {
      ad: name,
      paused: spec.paused === true,
      asset: spec.asset,
      ...(asset !== undefined && { format: asset.format }),
      ...(asset?.seconds !== undefined && { seconds: asset.seconds }),
    };
  }
}
