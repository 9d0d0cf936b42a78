import { referredFrom } from '#kernel/kinds/live-name.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { AdPolicy, listenerPolicy } from '../kinds/ad-policy.ts';
import { dayMs, ExchangeRate } from '../kinds/exchange-rate.ts';
import { Placement, type Floor } from '../kinds/placement.ts';
import { RatesInto, type DatedRate, type RateTimelines } from '../rules/exchange.ts';
import { worthOf } from '../rules/goals.ts';
import { microsOf } from '../rules/micros.ts';
import { ratioOf } from '../rules/ratio.ts';
import type { AdsTable, CompiledFloor, CompiledPlacement } from './table.ts';

/** The kinds that placements are compiled from. */
export const PLACEMENT_KINDS: ReadonlySet<string> = new Set([Placement.id, AdPolicy.id, ExchangeRate.id]);

export function compilePlacements(world: World): AdsTable['placements'] {
  const rates = compileRates(world);
  return new Map(
    Array.from(world.list(Placement.id), (object) => [
      object.name,
      compilePlacement(object, rates.get(object.namespace) ?? new Map<string, never>(), world),
    ]),
  );
}

/** Rates into each currency, by namespace. Of several objects with one pair, which their check keeps from going live, one counts. */
function compileRates(world: World): ReadonlyMap<string, ReadonlyMap<string, RateTimelines>> {
  const byNamespace = new Map<string, Map<string, Map<string, readonly DatedRate[]>>>();
  for (const object of world.list(ExchangeRate.id)) {
    const { base, quote, rates } = ExchangeRate.spec(object);
    const into = byNamespace.get(object.namespace) ?? new Map<string, Map<string, readonly DatedRate[]>>();
    byNamespace.set(object.namespace, into);
    const timelines = into.get(quote) ?? new Map<string, readonly DatedRate[]>();
    into.set(quote, timelines);
    timelines.set(
      base,
      rates.map(({ from, rate }) => ({ fromMs: dayMs(from), ratio: ratioOf(rate) })),
    );
  }
  return byNamespace;
}

function compilePlacement(
  object: LiveObject,
  rates: ReadonlyMap<string, RateTimelines>,
  world: World,
): CompiledPlacement {
  const { name, namespace } = object;
  const spec = Placement.spec(object);
  const policy = world.get(AdPolicy.id, spec.policy);
  const floor = compileFloor(spec.floor);
  const floors = [floor, ...(spec.deals ?? []).map((deal) => compileFloor(deal.floor))];
  const deals = new Map(
    (spec.deals ?? []).flatMap((deal) =>
      deal.accounts.map((account) => [dealKey(referredFrom(namespace, account), deal.id), compileFloor(deal.floor)]),
    ),
  );
  return {
    name,
    namespace,
    spec,
    worths: {
      cpm: worthOf('cpm', spec.priors),
      cpc: worthOf('cpc', spec.priors),
      cpcv: worthOf('cpcv', spec.priors),
    },
    rates: new RatesInto(spec.currency, rates.get(spec.currency) ?? new Map<string, never>()),
    policy: policy && listenerPolicy(AdPolicy.spec(policy)),
    floor,
    floorLeast: {
      flat: Math.min(...floors.map(({ flat }) => flat)),
      perSecond: Math.min(...floors.map(({ perSecond }) => perSecond)),
    },
    deals,
  };
}

function compileFloor({ cpm, cpmPerSecond }: Floor = {}): CompiledFloor {
  return {
    flat: cpm === undefined ? 0 : microsOf(cpm),
    perSecond: cpmPerSecond === undefined ? 0 : microsOf(cpmPerSecond),
  };
}

/** A deal is for an account: others that name its id do not have it. */
export function dealKey(account: string, id: string): string {
  return `${account} ${id}`;
}
