import { weeklyWindow } from '#kernel/audiences/language/compile-time.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdSet, listenerRule, TIERS } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { microsOf } from '../rules/micros.ts';
import { tokenBytesOf, type AdIdentity } from '../rules/token-bytes.ts';
import { moneyOf } from './budgets.ts';
import { capsOf } from './caps.ts';
import { partsOf, type AdParts, type AdSetParts } from './ad-set-parts.ts';
import { dealKey } from './compile-placement.ts';
import { flightOf } from './flight.ts';
import { adHaltOf, haltsOf, type AdHalt } from './halts.ts';
import type { AdSetMoney, CompiledAd, CompiledAdSet } from './table.ts';

export function compileAdSet(object: LiveObject, world: World, hasAudience: (name: string) => boolean): CompiledAdSet {
  return compileParts(partsOf(object, world), hasAudience);
}

export function compileParts(parts: AdSetParts, hasAudience: (name: string) => boolean): CompiledAdSet {
  const { object } = parts;
  const spec = AdSet.spec(object);
  const { namespace, name } = object;
  const { advertiser, campaign } = ownersOf(parts);
  const names = {
    adSet: name,
    campaign: liveName(Campaign, namespace, spec.campaign),
    advertiser: liveName(Advertiser, namespace, spec.account),
  };
  const categories = advertiser?.categories ?? [];
  const ads = parts.ads.toSorted((a, b) => (a.object.name < b.object.name ? -1 : 1)).map((ad) => compileAd(ad, names));
  return {
    name,
    campaign: names.campaign,
    advertiser: names.advertiser,
    tier: TIERS.indexOf(spec.tier),
    goal: spec.goal,
    bid: microsOf(spec.bid),
    currency: advertiser?.currency ?? '',
    namespace,
    placements: spec.placements === undefined ? undefined : new Set(spec.placements),
    ...flightOf(spec),
    position: spec.position,
    dayParts: spec.dayParts?.map(weeklyWindow),
    deal: spec.deal === undefined ? undefined : dealKey(names.advertiser, spec.deal),
    categories,
    separations: [names.advertiser, ...categories],
    rule: listenerRule(spec),
    ads: ads.filter((ad) => typeof ad !== 'string'),
    money: moneyOf(object, spec, { campaign, advertiser }),
    caps: capsOf(object, spec, { campaign, advertiser }),
    halts: haltsOf({ adSet: spec, campaign, advertiser, hasAudience, ads }),
  };
}

/** The limits of spend of an ad set, without compiling it. */
export function moneyOfParts(parts: AdSetParts): AdSetMoney {
  return moneyOf(parts.object, AdSet.spec(parts.object), ownersOf(parts));
}

function ownersOf({ advertiser, campaign }: Pick<AdSetParts, 'advertiser' | 'campaign'>) {
  return {
    advertiser: advertiser && Advertiser.spec(advertiser),
    campaign: campaign && Campaign.spec(campaign),
  };
}

/** The ad set of an ad, its campaign and its advertiser. */
export type AdOwners = Omit<AdIdentity, 'ad' | 'clickThrough'>;

/** An ad, or why it is not served. */
export function compileAd({ object, asset, companion }: AdParts, names: AdOwners): CompiledAd | AdHalt {
  const { name } = object;
  const spec = Ad.spec(object);
  const halt = adHaltOf({ spec, asset });
  if (halt !== undefined || asset === undefined) return halt ?? 'asset missing';
  const { weight, explicit = false, clickThrough: page, tracking = [], verification = [] } = spec;
  // A page that no redirect can lead to is none.
  const clickThrough = page === undefined ? undefined : URL.parse(page)?.href;
  const { format, seconds = 0, renditions, vastTagUri } = Asset.spec(asset);
  const images = companion && Asset.spec(companion);
  return {
    name,
    weight,
    isExplicit: explicit,
    clickThrough,
    tokenBytes: tokenBytesOf({ ...names, ad: name, clickThrough }),
    asset: { name: asset.name, format, seconds, renditions, vastTagUri },
    companions: images?.format === 'image' ? images.renditions : [],
    tracking,
    verification,
  };
}
