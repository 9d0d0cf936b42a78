import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { CheckContext } from '#kernel/kinds/kind.ts';
import { CURRENCIES, WITHDRAWN } from '#kernel/base/currencies.ts';
import { isLocale } from '../rules/display-money.ts';
import { isFault } from '../rules/fault.ts';
import { unknownCurrency } from '../rules/money.ts';
import { parseDecimal } from '../rules/rational.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { nearTerritories, TERRITORIES } from '#kernel/base/territories.ts';
import { isPlainDate, isZone, OPEN, parseTime } from '../rules/times.ts';
import { Price } from './price.ts';
import { describeMarket } from './describe-market.ts';
import { GROUP, MARKET, PRICE, VERSION } from './identity.ts';
import { currencyAt, legalCurrencies, MarketSpecSchema, taxRateAt, taxRates, type MarketSpec } from './market-spec.ts';

export const Market = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Market',
  plural: 'markets',
  shortNames: ['mkt'],
  categories: ['products'],
  scope: 'Namespaced',
  released: true,
  description: 'A market is a set of territories with common currencies, tax, time zone and price rules.',
  spec: MarketSpecSchema,
  columns: [
    {
      name: 'Title',
      type: 'string',
      description: 'The name that people see.',
      value: ({ spec }) => spec.title,
    },
    {
      name: 'Territories',
      type: 'string',
      description: 'Its territories.',
      value: ({ spec }) => spec.territories.join(','),
    },
    {
      name: 'Currency',
      type: 'string',
      description: 'The default currency now.',
      value: ({ spec }, now) => currencyAt(legalCurrencies(spec), now.epochMilliseconds),
    },
    {
      name: 'Zone',
      type: 'string',
      description: 'The zone in which dates begin.',
      value: ({ spec }) => spec.zone,
    },
    {
      name: 'Tax',
      type: 'string',
      description: 'Its name and rate.',
      value: ({ spec }, now) => {
        return `${spec.tax.name} ${taxRateAt(taxRates(spec), now.epochMilliseconds) ?? 'varies'}`;
      },
    },
    {
      name: 'Channels',
      type: 'string',
      description: 'The ways to buy.',
      priority: 1,
      value: ({ spec }) => spec.channels.map(({ name }) => name).join(','),
    },
  ],
  indexes: { territory: ({ territories }) => territories },
  validate: (spec, context) => [
    ...territoryProblems(spec, context),
    ...zoneProblems(spec, context),
    ...currencyProblems(spec),
    ...channelProblems(spec),
    ...taxProblems(spec, context),
    ...localeProblems(spec),
  ],
  check: (spec, world, name) => takenTerritories(spec, name, (territory) => world.find(MARKET, 'territory', territory)),
  describe: describeMarket,
  example: {
    name: 'de',
    spec: {
      title: 'Germany',
      territories: ['DE'],
      zone: 'Europe/Berlin',
      currencies: [{ code: 'EUR' }],
      channels: [{ name: 'web' }, { name: 'apple' }, { name: 'google' }],
      tax: { inclusive: true, rate: '19', name: 'MwSt.' },
      rounding: { mode: 'halfUp' },
      locale: 'de-DE',
      notice: { days: 90 },
      consent: 'optIn',
    },
  },
});

type Context = CheckContext & { readonly name: string; readonly before?: MarketSpec };

function territoryProblems(spec: MarketSpec, { name, find }: Context): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [index, territory] of spec.territories.entries()) {
    const path = ['spec', 'territories', index];
    if (!TERRITORIES.has(territory)) {
      const hint = didYouMean(nearTerritories(territory, TERRITORIES));
      problems.push({
        path,
        reason: 'FieldValueInvalid',
        detail: `"${territory}" is not a code of ISO 3166-1${hint}.`,
      });
    }
  }
  const taken = takenTerritories(spec, name, (territory) =>
    find(MARKET, 'territory', territory).map(({ metadata }) => metadata),
  );
  return [...problems, ...taken];
}

function takenTerritories(
  { territories }: MarketSpec,
  name: string,
  marketsWith: (territory: string) => readonly { readonly name: string }[],
): readonly Problem[] {
  return territories.flatMap((territory, index) => {
    const other = marketsWith(territory).find((market) => market.name !== name);
    if (other === undefined) return [];
    const detail = `${territory} belongs to Market "${other.name}" already; a territory belongs to one market only.`;
    const instead = `${territory} belongs to a Market that you may not read; a territory belongs to one market only.`;
    const about = { kind: MARKET, name: other.name, instead };
    return [{ path: ['spec', 'territories', index], reason: 'FieldValueDuplicate', detail, about } as const];
  });
}

function zoneProblems({ zone }: MarketSpec, { name, before, now, find }: Context): readonly Problem[] {
  const path = ['spec', 'zone'];
  if (!isZone(zone)) {
    const hint = didYouMean(nearSpellings(zone, Intl.supportedValuesOf('timeZone')));
    return [{ path, reason: 'FieldValueInvalid', detail: `"${zone}" is not an IANA time zone${hint}.` }];
  }
  if (before === undefined || before.zone === zone) return [];
  // Price dates begin in this zone: changing it would move entries that have begun.
  const begun = find(PRICE, 'market', name).filter((price) =>
    plainDates(price).some((date) => {
      const moments = [parseTime(date, before.zone), parseTime(date, zone)];
      return moments.some((moment) => !isFault(moment) && moment <= now.epochMilliseconds);
    }),
  );
  if (begun.length === 0) return [];
  const detail =
    `Prices with dates that have begun (${begun.length}, for example "${begun[0]?.metadata.name}") are read in ${before.zone}; ` +
    `in ${zone} they would have begun at another moment. The past cannot change.`;
  const instead =
    `Prices with dates that have begun (${begun.length}) are read in ${before.zone}; ` +
    `in ${zone} they would have begun at another moment. The past cannot change.`;
  const about = { kind: PRICE, name: begun[0]?.metadata.name ?? '', instead };
  return [{ path, reason: 'FieldValueForbidden', detail, about }];
}

/** The plain dates in the timeline of a Price. */
function plainDates(price: { readonly spec?: unknown }): readonly string[] {
  return Price.spec(price)
    .timeline.flatMap(({ from, until }) => [from, until ?? ''])
    .filter(isPlainDate);
}

function currencyProblems({ currencies, zone }: MarketSpec): readonly Problem[] {
  if (!isZone(zone)) return [];
  const problems: Problem[] = [];
  for (const [index, { code, from, until }] of currencies.entries()) {
    const refuse = (field: string, detail: string) =>
      problems.push({ path: ['spec', 'currencies', index, field], reason: 'FieldValueInvalid', detail });
    if (!CURRENCIES.has(code)) refuse('code', unknownCurrency(code));
    if (WITHDRAWN.has(code) && until === undefined)
      refuse('until', `${code} was withdrawn: say until when it was legal.`);
    const begin = from === undefined ? -OPEN : parseTime(from, zone);
    const end = until === undefined ? OPEN : parseTime(until, zone);
    if (isFault(begin)) refuse('from', begin.fault);
    else if (isFault(end)) refuse('until', end.fault);
    else if (end <= begin) refuse('until', `${code} ends at ${until}, which is not after it begins at ${from}.`);
  }
  return problems;
}

function channelProblems({ channels }: MarketSpec): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [index, { exponents = {} }] of channels.entries()) {
    const path = ['spec', 'channels', index];
    for (const code of Object.keys(exponents)) {
      if (CURRENCIES.has(code)) continue;
      problems.push({ path: [...path, 'exponents', code], reason: 'FieldValueInvalid', detail: unknownCurrency(code) });
    }
  }
  return problems;
}

const TAX_PERCENT_MAX = 100n;

function taxProblems(spec: MarketSpec, context: Context): readonly Problem[] {
  const { tax, zone } = spec;
  const path = ['spec', 'tax', 'rate'];
  const later = tax.rates ?? [];
  const problems: Problem[] = [];
  if (tax.rate === undefined) {
    if (tax.inclusive || later.length > 0) {
      const why = tax.inclusive ? 'A tax that prices contain' : 'A tax with later rates';
      problems.push({
        path,
        reason: 'FieldValueRequired',
        detail: `${why} needs a rate, to say how much of a price it is.`,
      });
    }
  } else problems.push(...rateProblems(tax.rate, path));
  let last = -OPEN;
  for (const [index, { from, rate }] of later.entries()) {
    const place = ['spec', 'tax', 'rates', index];
    problems.push(...rateProblems(rate, [...place, 'rate']));
    const begin = isZone(zone) ? parseTime(from, zone) : last;
    const fault = isFault(begin)
      ? begin.fault
      : begin <= last && index > 0
        ? `${from} is not after the rate before it, which begins at ${later[index - 1]?.from}.`
        : undefined;
    if (fault !== undefined) problems.push({ path: [...place, 'from'], reason: 'FieldValueInvalid', detail: fault });
    if (!isFault(begin)) last = begin;
  }
  return problems.length > 0 ? problems : begunTaxProblems(spec, context);
}

function rateProblems(text: string, path: Problem['path']): readonly Problem[] {
  const rate = parseDecimal(text);
  if (isFault(rate)) return [{ path, reason: 'FieldValueInvalid', detail: rate.fault }];
  if (rate.numerator >= 0n && rate.numerator <= TAX_PERCENT_MAX * rate.denominator) return [];
  const detail = `${text} is not a rate between 0 and ${TAX_PERCENT_MAX} percent.`;
  return [{ path, reason: 'FieldValueInvalid', detail }];
}

/** A tax rate that has begun is part of past prices and cannot change. */
function begunTaxProblems(spec: MarketSpec, { name, before, now, find }: Context): readonly Problem[] {
  if (before === undefined || before.zone !== spec.zone || find(PRICE, 'market', name).length === 0) return [];
  const nowMs = now.epochMilliseconds;
  const [was, is] = [taxRates(before), taxRates(spec)];
  const moments = [...was, ...is].map(({ from }) => from).filter((from) => from <= nowMs);
  const rewritten = moments.find((moment) => taxRateAt(was, moment) !== taxRateAt(is, moment));
  if (rewritten === undefined) return [];
  const rate = taxRateAt(is, rewritten) ?? '';
  const detail =
    `It was ${taxRateAt(was, rewritten) ?? 'by address'} %, and prices here are answered with it, also for the past. ` +
    `Declare another one from a moment to come: rates: [{ from: "2027-01-01", rate: "${rate}" }].`;
  return [{ path: ['spec', 'tax'], reason: 'FieldValueForbidden', detail }];
}

function localeProblems({ locale }: MarketSpec): readonly Problem[] {
  if (locale === undefined || isLocale(locale)) return [];
  const detail = `"${locale}" is not a supported BCP 47 locale; write it like "de-DE".`;
  return [{ path: ['spec', 'locale'], reason: 'FieldValueInvalid', detail }];
}
