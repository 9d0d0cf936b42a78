import type { Refusal } from '#kernel/base/failures.ts';
import { productRefusal } from '#domains/products/refusals.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { MARKET } from '../kinds/identity.ts';
import { Market } from '../kinds/market.ts';
import type { PlanSpec } from '../kinds/plan.ts';
import { isFault } from '../rules/fault.ts';
import { nearTerritories } from '#kernel/base/territories.ts';
import { parseTime } from '../rules/times.ts';
import type { CompiledObject, GrantRow, MarketTable, PlanGrants, ProductsTable } from './table.ts';

/** A market by name, or a territory of one. */
export interface Place {
  readonly market?: string | undefined;
  readonly territory?: string | undefined;
}

/** A place that may be on record, and so may no longer be declared. */
export interface KnownPlace extends Place {
  readonly isOnRecord?: boolean;
  /** Zone for dates when the market is no longer declared. */
  readonly zone?: string;
}

/**
 * Finds the market of a place. A market on record that is no longer declared gives the entitlements for all
 * markets and sells nothing. Otherwise refuses `products/market-needed`, `unknown-market`,
 * `unknown-territory` and `market-mismatch`.
 */
export function marketAt(table: ProductsTable, place: KnownPlace): MarketTable {
  const { market, territory } = place;
  const name = territory === undefined ? market : table.marketOfTerritory.get(territory);
  const found = name === undefined ? undefined : table.markets.get(name);
  if (found !== undefined && (market === undefined || market === found.name)) return found;
  if (found !== undefined) {
    throw productRefusal(
      'market-mismatch',
      `The territory ${territory} belongs to the market "${found.name}", not to "${market}".`,
    );
  }
  if (territory !== undefined) {
    const known = table.marketOfTerritory.keys();
    throw unknown('territory', territory, known, { more: 'No market has it.', near: nearTerritories });
  }
  if (market !== undefined && place.isOnRecord === true) return goneMarket(market, place.zone ?? 'UTC');
  if (market !== undefined) throw unknown('market', market, table.markets.keys());
  throw productRefusal('market-needed', 'Give a market or a territory: answers differ by market.');
}

function goneMarket(name: string, zone: string): MarketTable {
  return {
    name,
    source: { kind: MARKET, name, revision: '' },
    spec: Market.spec({
      spec: { title: name, territories: [], zone, currencies: [], tax: { name: '', inclusive: false } },
    }),
    legal: [],
    channels: [],
    defaultChannel: '',
    grants: new Map(),
    series: new Map(),
    offers: new Map(),
  };
}

/** A plan by name. Refuses `products/unknown-plan`. */
export function planNamed(table: ProductsTable, name: string): CompiledObject<PlanSpec> {
  const plan = table.plans.get(name);
  if (plan === undefined) throw unknown('plan', name, table.plans.keys());
  return plan;
}

/** Grants of a plan in a market. Refuses `products/unknown-plan`. */
export function grantsOf(market: MarketTable, plan: string): PlanGrants {
  const grants = market.grants.get(plan);
  if (grants === undefined) throw unknown('plan', plan, market.grants.keys());
  return grants;
}

/** Grants of a role, by default the plan's first. Refuses `products/unknown-role`. */
export function rowOf(grants: PlanGrants, plan: string, role: string | undefined): GrantRow {
  const row = role === undefined ? grants.firstRole : grants.rows.get(role);
  if (row === undefined)
    throw unknown('role', role ?? '', grants.rows.keys(), {
      more: `The plan "${plan}" has the roles ${[...grants.rows.keys()].join(', ')}.`,
    });
  return row;
}

/** Refuses `products/unknown-channel`. */
export function requireChannel(market: MarketTable, channel: string): void {
  // A market that is no longer declared has no channels; its listeners need not know.
  if (market.channels.length === 0 || market.channels.includes(channel)) return;
  throw unknown('channel', channel, market.channels, {
    more: `${market.spec.title} has ${market.channels.join(', ')}.`,
  });
}

/** Kinds of names that a question may misspell. */
type UnknownName = 'feature' | 'plan' | 'market' | 'territory' | 'channel' | 'role' | 'add-on';

/** Makes a refusal such as `products/unknown-feature`, with near spellings. */
export function unknown(
  what: UnknownName,
  name: string,
  known: Iterable<string>,
  help: {
    readonly more?: string;
    readonly near?: (name: string, known: Iterable<string>) => readonly string[];
  } = {},
): Refusal {
  const { more = '', near = nearSpellings } = help;
  const hint = didYouMean(near(name, known));
  const message = `There is no ${what} "${name}"${hint}.${more === '' ? '' : ` ${more}`}`;
  return productRefusal(`unknown-${what}`, message, {
    problems: [{ path: [what], reason: 'FieldValueNotFound', detail: message }],
    remedy: `Check the spelling, or whether the ${what} is live.`,
  });
}

/** The moment to answer for: `at` (a date begins in the market's zone), or now. Refuses `products/bad-time`. */
export function momentOf(at: string | undefined, market: MarketTable, now: Temporal.Instant): number {
  if (at === undefined) return now.epochMilliseconds;
  const moment = parseTime(at, market.spec.zone);
  if (!isFault(moment)) return moment;
  throw productRefusal('bad-time', `at: ${moment.fault}`, {
    problems: [{ path: ['at'], reason: 'FieldValueInvalid', detail: moment.fault }],
    remedy: `Give a date, which begins in ${market.spec.zone}, or an instant with its offset.`,
  });
}
