import { liveName } from '#kernel/kinds/live-name.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';

/** An ad set, and what of a world it is compiled from. */
export interface AdSetParts {
  readonly object: LiveObject;
  /** undefined: it is not declared. */
  readonly campaign: LiveObject | undefined;
  readonly advertiser: LiveObject | undefined;
  readonly ads: readonly AdParts[];
}

/** An ad, and the files that it plays and shows. */
export interface AdParts {
  readonly object: LiveObject;
  readonly asset: LiveObject | undefined;
  readonly companion: LiveObject | undefined;
}

export function partsOf(object: LiveObject, world: World): AdSetParts {
  const { namespace, name } = object;
  const own = name.slice(namespace.length + 1);
  const ads = world.find(Ad.id, 'adSet', own);
  return {
    object,
    ...ownersOf(object, world),
    ads: ads.flatMap((ad) => (ad.namespace === namespace ? [adPartsOf(ad, world)] : [])),
  };
}

/** The same as if it had this ad alone. */
export function partsWithAd(object: LiveObject, ad: LiveObject, world: World): AdSetParts {
  return { object, ...ownersOf(object, world), ads: [adPartsOf(ad, world)] };
}

function ownersOf(object: LiveObject, world: World): Pick<AdSetParts, 'campaign' | 'advertiser'> {
  const { namespace } = object;
  const { campaign, account } = AdSet.spec(object);
  return {
    campaign: world.get(Campaign.id, liveName(Campaign, namespace, campaign)),
    advertiser: world.get(Advertiser.id, liveName(Advertiser, namespace, account)),
  };
}

export function adPartsOf(object: LiveObject, world: World): AdParts {
  const { asset, companion } = Ad.spec(object);
  const file = (name: string): LiveObject | undefined => world.get(Asset.id, liveName(Asset, object.namespace, name));
  return { object, asset: file(asset), companion: companion === undefined ? undefined : file(companion) };
}
