import { AudienceIndexBuilder, type AudienceIndex } from '#kernel/audiences/index/audience-index.ts';
import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { PositionCache } from '#kernel/base/position-cache.ts';
import { sortInSteps } from '#kernel/base/sort-in-steps.ts';
import { eachOf, type Steps } from '#kernel/base/turns.ts';
import type { ChangedObject } from '#kernel/snapshots/module.ts';
import { liveName, readLiveName } from '#kernel/kinds/live-name.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdSet, listenerRule, TIERS } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { ecpmOf, RATES_MAX, worthOf, type Bid } from '../rules/goals.ts';
import { sizeOf, type Ratio } from '../rules/ratio.ts';
import { AdSetRows, rowOf, type AdSetRow } from './ad-set-rows.ts';
import { adSetNamed } from './ad-sets.ts';
import { compilePlacements, PLACEMENT_KINDS } from './compile-placement.ts';
import type { AdsTable, CompiledAdSet, RecentAdSet } from './table.ts';

/** Above every bid: what is in an earlier tier comes first, whatever it pays. */
const TIER_STEP = 1e15;

/** Ad sets that stay compiled, some 3 KB each: most breaks look at the same few thousand. */
const COMPILED_MAX = 16_384;

/** Ad sets that are tried one by one; with more the index is built anew. */
const RECENT_MAX = 256;

/**
 * Compiles the table of a world. References of advertisers' objects may lead nowhere: such an ad set is halted.
 * @param compiledMax so many of them stay compiled
 */
export function* compileInSteps(world: World, audiences: AudienceTable, compiledMax = COMPILED_MAX): Steps<AdsTable> {
  const rows = new AdSetRows();
  for (const object of world.list(AdSet.id)) {
    rows.add(rowOf(object, world));
    yield;
  }
  return yield* buildTable(rows, { world, placements: compilePlacements(world), audiences }, compiledMax);
}

/**
 * The table after a change; answers as `compileInSteps(world)` does. A changed object costs the ad sets that it is part of, a
 * changed audience the rules that name one, a changed attribute the index. The world of the table is still as it was.
 */
export function* updateInSteps(
  table: AdsTable,
  world: World,
  changed: readonly ChangedObject[],
  audiences: AudienceTable,
): Steps<AdsTable> {
  const placements = changed.some(({ kind }) => PLACEMENT_KINDS.has(kind))
    ? compilePlacements(world)
    : table.placements;
  const stale = yield* staleAdSets(table.world, world, changed);
  const outdated = new Set(table.outdated);
  yield* eachOf(stale, (name) => outdated.add(name));
  if (outdated.size > RECENT_MAX) {
    const rows = yield* currentRows(table, world, outdated);
    return yield* buildTable(rows, { world, placements, audiences }, table.compiled.max);
  }
  let { size, cappedCount } = table;
  for (const name of stale) {
    const [before, after] = [rowNamed(name, table.world), rowNamed(name, world)];
    size += Number(after !== undefined) - Number(before !== undefined);
    cappedCount += cappedIn(after) - cappedIn(before);
    yield;
  }
  const isSame = audiences === table.audiences;
  const index = isSame ? table.index : yield* indexForAudiences(table, audiences);
  const next = { ...table, index, world, placements, size, cappedCount, audiences, outdated };
  const isKept = ({ adSet }: RecentAdSet): boolean =>
    !stale.has(adSet.name) &&
    (isSame || (audiences.attributes === table.audiences.attributes && !namesAudience(adSet.rule)));
  const recent = table.recent.filter(isKept);
  const kept = new Set(recent.map(({ adSet }) => adSet.name));
  for (const name of isSame ? stale : outdated) {
    if (!kept.has(name)) recent.push(...recentNamed(name, next));
    yield;
  }
  return { ...next, recent };
}

function* buildTable(
  unordered: AdSetRows,
  sources: Pick<AdsTable, 'world' | 'placements' | 'audiences'>,
  compiledMax: number,
): Steps<AdsTable> {
  const weights = weightsOf(sources.placements);
  const rows = yield* orderRows(unordered, weights);
  const size = rows.length;
  return {
    ...sources,
    size,
    cappedCount: yield* countCapped(rows),
    rows,
    index: yield* indexRows(rows, weights, sources.audiences),
    weights,
    compiled: new PositionCache(size, compiledMax),
    outdated: new Set(),
    recent: [],
  };
}

function namesAudience(rule: CompiledAdSet['rule']): boolean {
  return rule?.anyOf.some(({ allOf }) => allOf.some(({ audience }) => audience !== undefined)) === true;
}

function rowNamed(name: string, world: World): AdSetRow | undefined {
  const object = world.get(AdSet.id, name);
  return object && rowOf(object, world);
}

function recentNamed(name: string, table: AdsTable): readonly RecentAdSet[] {
  const adSet = adSetNamed(table, name);
  return adSet === undefined ? [] : [{ adSet, matcher: adSet.rule && table.audiences.compile(adSet.rule) }];
}

/** 1 for an ad set that has caps and may be served. */
function cappedIn(row: AdSetRow | undefined): number {
  return Number(row?.hasCaps === true && row.halts.length === 0);
}

/** The rows of a table, and those of the outdated ad sets as they are now. */
function* currentRows({ rows }: AdsTable, world: World, outdated: ReadonlySet<string>): Steps<AdSetRows> {
  const current = new AdSetRows();
  for (let at = 0; at < rows.length; at += 1) {
    if (!outdated.has(rows.objectAt(at).name)) current.add(rows.rowAt(at));
    yield;
  }
  for (const name of outdated) {
    const row = rowNamed(name, world);
    if (row !== undefined) current.add(row);
    yield;
  }
  return current;
}

/** In the order of service, with those that are halted behind all others. */
function* orderRows(rows: AdSetRows, weights: AdsTable['weights']): Steps<AdSetRows> {
  const serving: number[] = [];
  const halted: number[] = [];
  const bounds = new Float64Array(rows.length);
  for (let at = 0; at < bounds.length; at += 1) {
    bounds[at] = boundAt(rows, at, weights);
    (rows.isHalted(at) ? halted : serving).push(at);
    yield;
  }
  const order = yield* sortInSteps(serving, (a, b) => {
    const byBound = (bounds[b] as number) - (bounds[a] as number);
    return byBound || (rows.objectAt(a).name < rows.objectAt(b).name ? -1 : 1);
  });
  const ordered = new AdSetRows(rows.length);
  for (const some of [order, halted]) yield* eachOf(some, (at) => ordered.add(rows.rowAt(at)));
  return ordered.trim();
}

function* countCapped(rows: AdSetRows): Steps<number> {
  let count = 0;
  for (let at = 0; at < rows.length && !rows.isHalted(at); at += 1) {
    count += Number(rows.hasCaps(at));
    yield;
  }
  return count;
}

function* indexRows(rows: AdSetRows, weights: AdsTable['weights'], audiences: AudienceTable): Steps<AudienceIndex> {
  const builder = new AudienceIndexBuilder(audiences);
  for (let at = 0; at < rows.length && !rows.isHalted(at); at += 1) {
    const rule = listenerRule(AdSet.spec(rows.objectAt(at)));
    builder.add(at, { rule, upperBound: boundAt(rows, at, weights) });
    yield;
  }
  return yield* builder.build();
}

/** The index of the same ad sets with other audiences or attributes. One whose audience is missing is not found. */
function indexForAudiences(
  { rows, index, weights, audiences: { attributes } }: AdsTable,
  audiences: AudienceTable,
): Steps<AudienceIndex> {
  return attributes === audiences.attributes ? index.withAudiences(audiences) : indexRows(rows, weights, audiences);
}

/** Names of the ad sets that changed objects are part of, or were. */
function* staleAdSets(before: World, world: World, changed: readonly ChangedObject[]): Steps<ReadonlySet<string>> {
  const stale = new Set<string>();
  for (const { kind, name } of changed) {
    const { namespace = '', name: own } = readLiveName(AdSet, name);
    const add = (objects: readonly LiveObject[], nameOf: (object: LiveObject) => string): Steps<void> =>
      eachOf(objects, (object) => {
        if (object.namespace === namespace) stale.add(nameOf(object));
      });
    if (kind === AdSet.id) stale.add(name);
    else if (kind === Campaign.id) yield* add(world.find(AdSet.id, 'campaign', own), (adSet) => adSet.name);
    else if (kind === Advertiser.id) yield* add(world.find(AdSet.id, 'account', own), (adSet) => adSet.name);
    else if (kind === Asset.id) yield* add(world.find(Ad.id, 'asset', own), setNameOf);
    else if (kind === Ad.id) {
      for (const ad of [before.get(Ad.id, name), world.get(Ad.id, name)])
        if (ad !== undefined) stale.add(setNameOf(ad));
    }
    yield;
  }
  return stale;
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

/** The rank at a placement where most listeners click and play to the end. */
function boundAt(rows: AdSetRows, at: number, weights: AdsTable['weights']): number {
  const bid: Bid = { goal: rows.goalAt(at), bid: rows.bidAt(at) };
  return rankOf(rows.tierAt(at), ecpmOf(bid, MOST[bid.goal]) * (weights.get(rows.currencyAt(at)) ?? 1));
}

const MOST = { cpm: worthOf('cpm', RATES_MAX), cpc: worthOf('cpc', RATES_MAX), cpcv: worthOf('cpcv', RATES_MAX) };

/** The tier, then the revenue of a thousand impressions. */
export function rankOf(tier: number, ecpm: number): number {
  return (TIERS.length - tier) * TIER_STEP + Math.min(ecpm, TIER_STEP - 1);
}
