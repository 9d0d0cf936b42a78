import { buildAudienceIndex } from '#kernel/audiences/index/audience-index.ts';
import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { Steps } from '#kernel/base/turns.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdSet, TIERS, type AdSetSpec } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { Placement, type PlacementSpec } from '../kinds/placement.ts';
import { microsOf } from '../rules/micros.ts';
import type { AdsTable, CompiledAd, CompiledAdSet, CompiledPlacement, Halt } from './table.ts';

/** Above every bid: what is in an earlier tier comes first, whatever it pays. */
const TIER_STEP = 1e15;

/** Compiles the table of a world. References of advertisers' objects may lead nowhere: such an ad set is halted. */
export function* compileInSteps(world: World, audiences: AudienceTable): Steps<AdsTable> {
  const placements = new Map<string, CompiledPlacement>();
  for (const { name, spec } of world.list(Placement.id))
    placements.set(name, compilePlacement(name, Placement.spec({ spec })));
  const adSets: CompiledAdSet[] = [];
  for (const object of world.list(AdSet.id)) {
    adSets.push(compileAdSet(object, world, audiences));
    yield;
  }
  const serving = adSets.filter(({ halts }) => halts.length === 0);
  const index = buildAudienceIndex(
    serving.map((adSet) => ({ rule: adSet.rule, upperBound: rankOf(adSet) })),
    { attributes: audiences.attributes, matcher: audiences.matcher },
  );
  return { placements, adSets, serving, index, audiences };
}

/** The order of service: the tier, then the bid. */
export function rankOf({ tier, cpm }: CompiledAdSet): number {
  return (TIERS.length - tier) * TIER_STEP + cpm;
}

function compilePlacement(name: string, spec: PlacementSpec): CompiledPlacement {
  const { cpm, cpmPerSecond } = spec.floor ?? {};
  const flat = cpm === undefined ? 0 : microsOf(cpm);
  const perSecond = cpmPerSecond === undefined ? 0 : microsOf(cpmPerSecond);
  return { name, spec, floorOf: (seconds) => flat + perSecond * seconds };
}

function compileAdSet(object: LiveObject, world: World, audiences: AudienceTable): CompiledAdSet {
  const spec = AdSet.spec(object);
  const { namespace, name } = object;
  const advertiser = specIn(world, Advertiser, namespace, spec.account);
  const campaign = specIn(world, Campaign, namespace, spec.campaign);
  const ads = adsOf(object, world);
  const halts: Halt[] = [
    ...(spec.paused === true ? ['ad set paused' as const] : []),
    ...(campaign === undefined ? ['campaign missing' as const] : []),
    ...(campaign?.paused === true ? ['campaign paused' as const] : []),
    ...(advertiser === undefined ? ['advertiser missing' as const] : []),
    ...(advertiser?.suspended === undefined ? [] : ['advertiser suspended' as const]),
    ...(spec.audience !== undefined && audiences.matcher(spec.audience) === undefined
      ? ['audience missing' as const]
      : []),
    ...(ads.length === 0 ? ['no ad' as const] : []),
  ];
  return {
    name,
    campaign: liveName(Campaign, namespace, spec.campaign),
    advertiser: liveName(Advertiser, namespace, spec.account),
    tier: TIERS.indexOf(spec.tier),
    cpm: microsOf(spec.cpm),
    currency: advertiser?.currency ?? '',
    placements: spec.placements === undefined ? undefined : new Set(spec.placements),
    fromMs: spec.from === undefined ? -Infinity : Temporal.Instant.from(spec.from).epochMilliseconds,
    untilMs: spec.until === undefined ? Infinity : Temporal.Instant.from(spec.until).epochMilliseconds,
    position: spec.position,
    categories: advertiser?.categories ?? [],
    rule: ruleOf(spec),
    ads,
    halts,
  };
}

/** Both the audience and the rule, where there are both. */
function ruleOf({ audience, when }: AdSetSpec): AdSetSpec['when'] {
  if (audience === undefined) return when;
  const groups = when?.anyOf ?? [{ allOf: [] }];
  return { anyOf: groups.map(({ allOf }) => ({ allOf: [{ audience }, ...allOf] })) };
}

/** Its ads that are not paused and have their asset. */
function adsOf({ namespace, name }: LiveObject, world: World): readonly CompiledAd[] {
  const own = name.slice(namespace.length + 1);
  return world
    .find(Ad.id, 'adSet', own)
    .filter((ad) => ad.namespace === namespace)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((ad) => {
      const { asset: assetName, paused, weight, explicit = false, clickThrough } = Ad.spec(ad);
      const asset = specIn(world, Asset, namespace, assetName);
      if (paused === true || asset === undefined) return [];
      const { format, seconds = 0, renditions } = asset;
      const compiled = { name: liveName(Asset, namespace, assetName), format, seconds, renditions };
      return [{ name: ad.name, weight, isExplicit: explicit, clickThrough, asset: compiled }];
    });
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
