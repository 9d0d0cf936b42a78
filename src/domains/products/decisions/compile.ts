import { atOnce, type Steps } from '#kernel/base/turns.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { ChangedObject } from '#kernel/snapshots/module.ts';
import { rankedAddOn } from '../kinds/add-on.ts';
import { Cap } from '../kinds/cap.ts';
import type { CapSpec } from '../kinds/cap-spec.ts';
import { Feature } from '../kinds/feature.ts';
import { ADD_ON, CAP, FEATURE, MARKET, PLAN, PRICE } from '../kinds/identity.ts';
import { DEFAULT_CHANNEL, legalCurrencies, marketSpec } from '../kinds/market-spec.ts';
import { Plan } from '../kinds/plan.ts';
import { Price, priceKey } from '../kinds/price.ts';
import { compileGrants, grantSignature } from './grants.ts';
import { compareSeries, compileOffers, compileSeries } from './price-series.ts';
import type { CompiledObject, MarketTable, PlanGrants, PriceSeries, ProductsTable } from './table.ts';

/** Compiles the table of a world in which every reference resolves and every check passes. */
export function compile(world: World): ProductsTable {
  return atOnce(compileInSteps(world));
}

/** The same in steps. The world must not change meanwhile. */
export function* compileInSteps(world: World): Steps<ProductsTable> {
  const features = compileAll(world, FEATURE, Feature.spec);
  const plans = compileAll(world, PLAN, Plan.spec);
  const grantsFor = grantsMaker(features, new Map());
  const markets = new Map<string, MarketTable>();
  for (const market of byName(world, MARKET)) {
    markets.set(market.name, compileMarket(market, plans, grantsFor, allSeries(world, market)));
    yield;
  }
  return {
    features,
    plans,
    markets,
    marketOfTerritory: territoriesOf(markets),
    caps: byFeature(compileAll(world, CAP, Cap.spec)),
    addOns: compileAll(world, ADD_ON, rankedAddOn),
  };
}

/**
 * Compiles the next table from the last one and the changes; equals `compile(world)`. Shares unchanged parts:
 * a changed price costs its timeline and its market's offers, a changed plan its rows, a changed feature all
 * rows.
 */
export function update(table: ProductsTable, world: World, changed: readonly ChangedObject[]): ProductsTable {
  return atOnce(updateInSteps(table, world, changed));
}

/** The same in steps. The world must not change meanwhile. */
export function* updateInSteps(
  table: ProductsTable,
  world: World,
  changed: readonly ChangedObject[],
): Steps<ProductsTable> {
  const names = (kind: string) => new Set(changed.filter((object) => object.kind === kind).map(({ name }) => name));
  const changedMarkets = names(MARKET);
  const changedPlans = names(PLAN);
  const changedCaps = names(CAP);
  const changedAddOns = names(ADD_ON);
  const featuresChanged = names(FEATURE).size > 0;
  const staleKeys = keysOf(table, world, names(PRICE));

  const features = featuresChanged ? compileAll(world, FEATURE, Feature.spec) : table.features;
  const plans =
    changedPlans.size > 0
      ? compileAll(world, PLAN, Plan.spec, { before: table.plans, changed: changedPlans })
      : table.plans;
  const grantsFor = grantsMaker(features, featuresChanged ? new Map() : keptGrants(table, changedPlans));
  const everyMarket = featuresChanged || changedPlans.size > 0;

  const markets = new Map<string, MarketTable>();
  for (const market of byName(world, MARKET)) {
    const before = changedMarkets.has(market.name) ? undefined : table.markets.get(market.name);
    const stale = staleKeys.get(market.name);
    if (before !== undefined && stale === undefined && !everyMarket) markets.set(market.name, before);
    else {
      const series = before === undefined ? allSeries(world, market) : nextSeries(before, world, stale ?? new Set());
      markets.set(market.name, compileMarket(market, plans, grantsFor, series));
      yield;
    }
  }
  const marketOfTerritory = changedMarkets.size > 0 ? territoriesOf(markets) : table.marketOfTerritory;
  const caps = changedCaps.size > 0 ? byFeature(compileAll(world, CAP, Cap.spec)) : table.caps;
  const addOns =
    changedAddOns.size > 0
      ? compileAll(world, ADD_ON, rankedAddOn, { before: table.addOns, changed: changedAddOns })
      : table.addOns;
  return { features, plans, markets, marketOfTerritory, caps, addOns };
}

type GrantsFor = (plan: CompiledObject<ReturnType<typeof Plan.spec>>, market: string) => PlanGrants;

function byName(world: World, kind: string): readonly LiveObject[] {
  return [...world.list(kind)].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** All objects of a kind; unchanged ones are reused from `before`. */
function compileAll<Spec>(
  world: World,
  kind: string,
  specOf: (object: LiveObject) => Spec,
  kept?: { readonly before: ReadonlyMap<string, CompiledObject<Spec>>; readonly changed: ReadonlySet<string> },
): ReadonlyMap<string, CompiledObject<Spec>> {
  const { before = new Map<string, CompiledObject<Spec>>(), changed = new Set<string>() } = kept ?? {};
  return new Map(
    byName(world, kind).map((object): [string, CompiledObject<Spec>] => {
      const { name } = object;
      const kept = changed.has(name) ? undefined : before.get(name);
      return [name, kept ?? { name, source: sourceOf(object), spec: specOf(object) }];
    }),
  );
}

function byFeature(caps: ReadonlyMap<string, CompiledObject<CapSpec>>): ProductsTable['caps'] {
  return Map.groupBy(caps.values(), ({ spec }) => spec.feature);
}

function sourceOf({ kind, name, revision }: LiveObject) {
  return { kind, name, revision };
}

/** Compiles each plan once for all markets in which the same entitlements apply. */
function grantsMaker(features: ProductsTable['features'], known: Map<string, PlanGrants>): GrantsFor {
  return (plan, market) => {
    const signature = grantSignature(plan, market);
    const key = `${plan.name} ${signature}`;
    const grants = known.get(key) ?? compileGrants(plan, market, features, signature);
    known.set(key, grants);
    return grants;
  };
}

function keptGrants(table: ProductsTable, changedPlans: ReadonlySet<string>): Map<string, PlanGrants> {
  const kept = new Map<string, PlanGrants>();
  for (const { grants } of table.markets.values()) {
    for (const [plan, given] of grants) if (!changedPlans.has(plan)) kept.set(`${plan} ${given.signature}`, given);
  }
  return kept;
}

function compileMarket(
  market: LiveObject,
  plans: ProductsTable['plans'],
  grantsFor: GrantsFor,
  series: readonly PriceSeries[],
): MarketTable {
  const { name } = market;
  const spec = marketSpec(market);
  const channels = spec.channels.map((channel) => channel.name);
  const ordered = series.toSorted(compareSeries(plans));
  const grants = new Map([...plans.values()].map((plan) => [plan.name, grantsFor(plan, name)]));
  return {
    name,
    source: sourceOf(market),
    spec,
    legal: legalCurrencies(spec),
    channels,
    defaultChannel: channels[0] ?? DEFAULT_CHANNEL,
    grants,
    series: new Map(ordered.map((one) => [one.key, one])),
    offers: compileOffers(ordered, name, plans, grants),
  };
}

function allSeries(world: World, market: LiveObject): readonly PriceSeries[] {
  const prices = world.find(PRICE, 'market', market.name);
  return [...Map.groupBy(prices, (price) => priceKey(Price.spec(price))).values()].flatMap(
    (group) => compileSeries(group, marketSpec(market)) ?? [],
  );
}

function nextSeries(before: MarketTable, world: World, stale: ReadonlySet<string>): readonly PriceSeries[] {
  const kept = [...before.series.values()].filter(({ key }) => !stale.has(key));
  const renewed = [...stale].flatMap((key) => compileSeries(world.find(PRICE, 'key', key), before.spec) ?? []);
  return [...kept, ...renewed];
}

/** Price keys by market that these Prices have or had. */
function keysOf(table: ProductsTable, world: World, prices: ReadonlySet<string>): ReadonlyMap<string, Set<string>> {
  const keys = new Map<string, Set<string>>();
  const add = (market: string, key: string) => keys.set(market, (keys.get(market) ?? new Set()).add(key));
  if (prices.size === 0) return keys;
  for (const market of table.markets.values()) {
    for (const { key, sources } of market.series.values()) {
      if (sources.some(({ name }) => prices.has(name))) add(market.name, key);
    }
  }
  for (const name of prices) {
    const price = world.get(PRICE, name);
    if (price !== undefined) add(Price.spec(price).market, priceKey(Price.spec(price)));
  }
  return keys;
}

function territoriesOf(markets: ReadonlyMap<string, MarketTable>): ReadonlyMap<string, string> {
  return new Map(
    [...markets.values()].flatMap(({ name, spec }) => spec.territories.map((territory) => [territory, name] as const)),
  );
}
