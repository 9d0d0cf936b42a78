import type { SpecChange } from '#kernel/kinds/kind.ts';
import type { MarketSpec } from './market-spec.ts';

/** Describes a change of a market in sentences. */
export function describeMarket(name: string, { before, after }: SpecChange<MarketSpec>): readonly string[] {
  if (after === undefined)
    return [
      `Market ${before?.title ?? name} is removed: nothing is sold there any more. Its listeners keep the entitlements that their plans give in every market.`,
    ];
  if (before === undefined) {
    return [
      `New market ${after.title} (${after.territories.join(', ')}): ${currenciesInWords(after)}, ${taxInWords(after)}.`,
    ];
  }
  const { title } = after;
  const sentences: string[] = [];
  const addChange = (what: string, was: string, is: string) => {
    if (was !== is) sentences.push(`${title}: ${what} ${was} → ${is}.`);
  };
  if (before.title !== title) sentences.push(`Market ${before.title} is now called ${title}.`);
  const added = after.territories.filter((territory) => !before.territories.includes(territory));
  const removed = before.territories.filter((territory) => !after.territories.includes(territory));
  if (added.length > 0) sentences.push(`${title} now includes ${added.join(', ')}.`);
  if (removed.length > 0) sentences.push(`${title} no longer includes ${removed.join(', ')}.`);
  addChange('currencies', currenciesInWords(before), currenciesInWords(after));
  addChange('tax', taxInWords(before), taxInWords(after));
  addChange('time zone', before.zone, after.zone);
  addChange('channels', channelsInWords(before), channelsInWords(after));
  addChange('rounding of tax', before.rounding.mode, after.rounding.mode);
  addChange('prices are written for', before.locale, after.locale);
  addChange('notice of a higher price', `${before.notice?.days ?? 0} days`, `${after.notice?.days ?? 0} days`);
  addChange('consent to a higher price', CONSENT[before.consent], CONSENT[after.consent]);
  return sentences;
}

const CONSENT = { optIn: 'subscribers must agree', optOut: 'subscribers may object', none: 'not needed' } as const;

function currenciesInWords({ currencies }: MarketSpec): string {
  return currencies
    .map(({ code, from, until }) =>
      [code, from === undefined ? '' : `from ${from}`, until === undefined ? '' : `until ${until}`]
        .filter(Boolean)
        .join(' '),
    )
    .join(' and ');
}

function taxInWords({ tax }: MarketSpec): string {
  const rate = tax.rate === undefined ? 'by address' : `${tax.rate} %`;
  const later = (tax.rates ?? []).map((one) => `, ${one.rate} % from ${one.from}`).join('');
  return `${tax.name} ${rate}${later} ${tax.inclusive ? 'included' : 'added'}`;
}

function channelsInWords({ channels }: MarketSpec): string {
  return channels
    .map(({ name, exponents = {} }) => {
      const own = Object.entries(exponents).map(([code, digits]) => `${code} with ${digits} decimals`);
      return own.length === 0 ? name : `${name} (${own.join(', ')})`;
    })
    .join(', ');
}
