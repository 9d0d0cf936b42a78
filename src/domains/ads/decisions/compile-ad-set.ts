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
import { dealKey } from './compile-placement.ts';
import { haltsOf } from './halts.ts';
import type { AdHalt, CompiledAd, CompiledAdSet } from './table.ts';

export function compileAdSet(object: LiveObject, world: World, hasAudience: (name: string) => boolean): CompiledAdSet {
  const spec = AdSet.spec(object);
  const { namespace, name } = object;
  const advertiser = specIn(world, Advertiser, namespace, spec.account);
  const campaign = specIn(world, Campaign, namespace, spec.campaign);
  const names = {
    adSet: name,
    campaign: liveName(Campaign, namespace, spec.campaign),
    advertiser: liveName(Advertiser, namespace, spec.account),
  };
  const ads = adsOf(names, namespace, world);
  return {
    name,
    campaign: names.campaign,
    advertiser: names.advertiser,
    tier: TIERS.indexOf(spec.tier),
    goal: spec.goal,
    bid: microsOf(spec.bid),
    currency: advertiser?.currency ?? '',
    placements: spec.placements === undefined ? undefined : new Set(spec.placements),
    fromMs: spec.from === undefined ? -Infinity : Temporal.Instant.from(spec.from).epochMilliseconds,
    untilMs: spec.until === undefined ? Infinity : Temporal.Instant.from(spec.until).epochMilliseconds,
    position: spec.position,
    dayParts: spec.dayParts?.map(weeklyWindow),
    deal: spec.deal === undefined ? undefined : dealKey(names.advertiser, spec.deal),
    categories: advertiser?.categories ?? [],
    rule: listenerRule(spec),
    ads: ads.filter((ad) => typeof ad !== 'string'),
    money: moneyOf(object, spec, { campaign, advertiser }),
    caps: capsOf(object, spec, { campaign, advertiser }),
    halts: haltsOf({ adSet: spec, campaign, advertiser, hasAudience, ads }),
  };
}

/** Its ads, or why one is not served; by name. */
function adsOf(names: AdOwners, namespace: string, world: World): readonly (CompiledAd | AdHalt)[] {
  const own = names.adSet.slice(namespace.length + 1);
  return world
    .find(Ad.id, 'adSet', own)
    .filter((ad) => ad.namespace === namespace)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((ad) => compileAd(ad, names, world));
}

/** The ad set of an ad, its campaign and its advertiser. */
export type AdOwners = Omit<AdIdentity, 'ad' | 'clickThrough'>;

/** An ad, or why it is not served. */
export function compileAd(object: LiveObject, names: AdOwners, world: World): CompiledAd | AdHalt {
  const { namespace, name } = object;
  const { asset: assetName, paused, weight, explicit = false, clickThrough: page, ...spec } = Ad.spec(object);
  // A page that no redirect can lead to is none.
  const clickThrough = page === undefined ? undefined : URL.parse(page)?.href;
  if (paused === true) return 'ad paused';
  const asset = specIn(world, Asset, namespace, assetName);
  if (asset === undefined) return 'asset missing';
  const { format, seconds = 0, renditions, vastTagUri } = asset;
  const { companion, tracking = [], verification = [] } = spec;
  const images = companion === undefined ? undefined : specIn(world, Asset, namespace, companion);
  return {
    name,
    weight,
    isExplicit: explicit,
    clickThrough,
    tokenBytes: tokenBytesOf({ ...names, ad: name, clickThrough }),
    asset: { name: liveName(Asset, namespace, assetName), format, seconds, renditions, vastTagUri },
    companions: images?.format === 'image' ? images.renditions : [],
    tracking,
    verification,
  };
}

function specIn<Spec>(
  world: World,
  kind: {
    readonly id: string;
    readonly names?: 'installation' | 'namespace';
    readonly spec: (object: { readonly spec?: unknown }) => Spec;
  },
  namespace: string,
  name: string,
): Spec | undefined {
  const found = world.get(kind.id, liveName(kind, namespace, name));
  return found === undefined ? undefined : kind.spec(found);
}
