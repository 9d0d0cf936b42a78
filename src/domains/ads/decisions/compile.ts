import { AudienceIndexBuilder } from '#kernel/audiences/index/audience-index.ts';
import { audienceKindIds, type AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { LayeredMap } from '#kernel/base/layered-map.ts';
import { sortInSteps } from '#kernel/base/sort-in-steps.ts';
import type { Steps } from '#kernel/base/turns.ts';
import type { ChangedObject } from '#kernel/snapshots/module.ts';
import { liveName, readLiveName } from '#kernel/kinds/live-name.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdSet, TIERS } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { ecpmOf, RATES_MAX, worthOf } from '../rules/goals.ts';
import { sizeOf, type Ratio } from '../rules/ratio.ts';
import { compileAdSet } from './compile-ad-set.ts';
import { compilePlacements, PLACEMENT_KINDS } from './compile-placement.ts';
import type { AdsTable, CompiledAdSet } from './table.ts';

/** Above every bid: what is in an earlier tier comes first, whatever it pays. */
const TIER_STEP = 1e15;

/** Ad sets that are tried one by one; with more the index is built anew. */
const RECENT_MAX = 256;

/** Compiles the table of a world. References of advertisers' objects may lead nowhere: such an ad set is halted. */
export function* compileInSteps(world: World, audiences: AudienceTable): Steps<AdsTable> {
  const adSets = new Map<string, CompiledAdSet>();
  const setOfAd = new Map<string, string>();
  let cappedCount = 0;
  for (const object of world.list(AdSet.id)) {
    const adSet = compileAdSet(object, world, liveIn(audiences));
    adSets.set(object.name, adSet);
    cappedCount += capCountOf(adSet);
    yield;
  }
  for (const ad of world.list(Ad.id)) {
    setOfAd.set(ad.name, setNameOf(ad));
    yield;
  }
  const all = new LayeredMap(adSets);
  const placements = compilePlacements(world);
  const built = yield* buildIndex(all, placements, audiences);
  return { placements, adSets: all, cappedCount, setOfAd: new LayeredMap(setOfAd), audiences, ...built };
}

/**
 * The table after a change; answers as `compileInSteps(world)` does. A changed object costs the ad sets that it is part of; an
 * audience costs all.
 */
export function* updateInSteps(
  table: AdsTable,
  world: World,
  changed: readonly ChangedObject[],
  audiences: AudienceTable,
): Steps<AdsTable> {
  if (changed.some(({ kind }) => audienceKindIds.has(kind))) return yield* compileInSteps(world, audiences);
  const placements = changed.some(({ kind }) => PLACEMENT_KINDS.has(kind))
    ? compilePlacements(world)
    : table.placements;
  const { stale, setsOfAds } = yield* staleAdSets(table, world, changed);
  if (stale.size === 0) return { ...table, placements, audiences };
  const changes = new Map<string, CompiledAdSet | undefined>();
  let { cappedCount } = table;
  for (const name of stale) {
    const object = world.get(AdSet.id, name);
    const adSet = object && compileAdSet(object, world, liveIn(audiences));
    changes.set(name, adSet);
    cappedCount += capCountOf(adSet) - capCountOf(table.adSets.get(name));
    yield;
  }
  const adSets = yield* table.adSets.withInSteps(changes);
  const setOfAd = yield* table.setOfAd.withInSteps(setsOfAds);
  const outdated = new Set([...table.outdated, ...stale]);
  if (outdated.size > RECENT_MAX) {
    return {
      placements,
      adSets,
      cappedCount,
      setOfAd,
      audiences,
      ...(yield* buildIndex(adSets, placements, audiences)),
    };
  }
  const fresh = [...changes.values()].filter((adSet) => adSet?.halts.length === 0) as CompiledAdSet[];
  const recent = [
    ...table.recent.filter(({ adSet }) => !stale.has(adSet.name)),
    ...fresh.map((adSet) => ({ adSet, matcher: adSet.rule && audiences.compile(adSet.rule) })),
  ];
  return { ...table, placements, adSets, cappedCount, setOfAd, audiences, outdated, recent };
}

/** 1 for an ad set that may be served and has caps. */
function capCountOf(adSet: CompiledAdSet | undefined): number {
  return Number(adSet !== undefined && adSet.halts.length === 0 && adSet.caps.length > 0);
}

function* buildIndex(
  adSets: LayeredMap<CompiledAdSet>,
  placements: AdsTable['placements'],
  audiences: AudienceTable,
): Steps<Pick<AdsTable, 'indexed' | 'index' | 'weights' | 'outdated' | 'recent'>> {
  const weights = weightsOf(placements);
  const serving: CompiledAdSet[] = [];
  for (const adSet of adSets.values()) {
    if (adSet.halts.length === 0) serving.push(adSet);
    yield;
  }
  const indexed = yield* sortInSteps(serving, (a, b) => compareBounds(a, b, weights));
  const builder = new AudienceIndexBuilder(audiences);
  for (const [at, adSet] of indexed.entries()) {
    builder.add(at, { rule: adSet.rule, upperBound: boundOf(adSet, weights) });
    yield;
  }
  const index = yield* builder.build();
  return { indexed, index, weights, outdated: new Set(), recent: [] };
}

/** Names of the ad sets that changed objects are part of, and the ad sets of changed ads. */
function* staleAdSets(
  { setOfAd }: AdsTable,
  world: World,
  changed: readonly ChangedObject[],
): Steps<{ readonly stale: ReadonlySet<string>; readonly setsOfAds: ReadonlyMap<string, string | undefined> }> {
  const stale = new Set<string>();
  const setsOfAds = new Map<string, string | undefined>();
  for (const { kind, name } of changed) {
    const { namespace = '', name: own } = readLiveName(AdSet, name);
    const add = (objects: readonly LiveObject[], nameOf: (object: LiveObject) => string): void => {
      for (const object of objects) if (object.namespace === namespace) stale.add(nameOf(object));
    };
    if (kind === AdSet.id) stale.add(name);
    else if (kind === Campaign.id) add(world.find(AdSet.id, 'campaign', own), (adSet) => adSet.name);
    else if (kind === Advertiser.id) add(world.find(AdSet.id, 'account', own), (adSet) => adSet.name);
    else if (kind === Asset.id) add(world.find(Ad.id, 'asset', own), setNameOf);
    else if (kind === Ad.id) {
      const [before, ad] = [setOfAd.get(name), world.get(Ad.id, name)];
      if (before !== undefined) stale.add(before);
      if (ad !== undefined) stale.add(setNameOf(ad));
      setsOfAds.set(name, ad && setNameOf(ad));
    }
    yield;
  }
  return { stale, setsOfAds };
}

function liveIn({ matcher }: AudienceTable): (audience: string) => boolean {
  return (audience) => matcher(audience) !== undefined;
}

function setNameOf(ad: LiveObject): string {
  return liveName(AdSet, ad.namespace, Ad.spec(ad).adSet);
}

/** Rates into the currency of the placement with the first name; those that have not begun, too. */
function weightsOf(placements: AdsTable['placements']): ReadonlyMap<string, number> {
  const [first] = [...placements.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const rates = first?.rates.at(Infinity) ?? new Map<string, Ratio>();
  return new Map(Array.from(rates, ([currency, ratio]) => [currency, sizeOf(ratio)]));
}

/** By the highest possible rank, and of equal ones by name. */
function compareBounds(a: CompiledAdSet, b: CompiledAdSet, weights: AdsTable['weights']): number {
  return boundOf(b, weights) - boundOf(a, weights) || (a.name < b.name ? -1 : Number(a.name > b.name));
}

/** The rank at a placement where most listeners click and play to the end. */
function boundOf(adSet: CompiledAdSet, weights: AdsTable['weights']): number {
  return rankOf(adSet.tier, ecpmOf(adSet, worthOf(adSet.goal, RATES_MAX)) * (weights.get(adSet.currency) ?? 1));
}

/** The tier, then the revenue of a thousand impressions. */
export function rankOf(tier: number, ecpm: number): number {
  return (TIERS.length - tier) * TIER_STEP + Math.min(ecpm, TIER_STEP - 1);
}
