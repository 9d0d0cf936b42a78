import { Type, type Static } from 'typebox';
import { specReader } from '#kernel/kinds/schema/read-typed.ts';
import { CURRENCIES, MINOR_DIGITS_MAX } from '#kernel/base/currencies.ts';
import { isFault } from '../rules/fault.ts';
import { TERRITORIES } from '#kernel/base/territories.ts';
import { OPEN, parseTime } from '../rules/times.ts';

export const DEFAULT_CHANNEL = 'web';
const CHANNELS_MAX = 20;
const CURRENCIES_MAX = 20;
const NOTICE_DAYS_MAX = 365;
const TAX_RATES_MAX = 50;

const TIME_DESCRIPTION = 'An instant (RFC 3339), or a date, which means its first moment in the zone of the market.';

export const MarketSpecSchema = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 100, description: 'The name that people see.' }),
    territories: Type.Array(Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2, in capitals.' }), {
      minItems: 1,
      maxItems: TERRITORIES.size,
      description: 'The territories that make up the market. A territory belongs to one market only.',
      'x-kubernetes-list-type': 'set',
    }),
    zone: Type.String({ minLength: 1, maxLength: 64, description: 'IANA time zone in which dates of prices begin.' }),
    currencies: Type.Array(
      Type.Object(
        {
          code: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code.' }),
          from: Type.Optional(
            Type.String({ description: `From when prices may be in it; absent: always. ${TIME_DESCRIPTION}` }),
          ),
          until: Type.Optional(
            Type.String({ description: `When that ends (not included); absent: never. ${TIME_DESCRIPTION}` }),
          ),
        },
        { description: 'A currency and when prices may be in it.' },
      ),
      {
        minItems: 1,
        maxItems: CURRENCIES_MAX,
        description: 'Legal currencies. The first that is valid now is the default.',
      },
    ),
    channels: Type.Array(
      Type.Object(
        {
          name: Type.String({
            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
            maxLength: 40,
            description: 'web, apple, google …',
          }),
          exponents: Type.Optional(
            Type.Record(
              Type.String(),
              Type.Integer({
                minimum: 0,
                maximum: MINOR_DIGITS_MAX,
                description: 'Decimals of that currency there.',
              }),
              { description: 'Decimals by currency, where the channel differs from ISO 4217.' },
            ),
          ),
        },
        { description: 'A way to buy.' },
      ),
      {
        minItems: 1,
        maxItems: CHANNELS_MAX,
        default: [{ name: DEFAULT_CHANNEL }],
        description: 'The ways to buy in this market.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      },
    ),
    tax: Type.Object(
      {
        inclusive: Type.Boolean({ description: 'True: prices contain the tax. False: it is added to them.' }),
        rate: Type.Optional(
          Type.String({ description: 'In percent, like "19". Absent where it depends on the address of the buyer.' }),
        ),
        rates: Type.Optional(
          Type.Array(
            Type.Object(
              {
                from: Type.String({ description: `From when it holds. ${TIME_DESCRIPTION}` }),
                rate: Type.String({ description: 'In percent, like "16".' }),
              },
              { description: 'A later rate.' },
            ),
            {
              minItems: 1,
              maxItems: TAX_RATES_MAX,
              description:
                'Rates that come after it, the earliest first; each holds until the next. What has begun stays.',
            },
          ),
        ),
        name: Type.String({ minLength: 1, maxLength: 40, description: 'Name of the tax: VAT, GST, Sales tax.' }),
      },
      { description: 'The tax on a subscription.' },
    ),
    rounding: Type.Object(
      {
        mode: Type.Enum(['halfUp', 'halfEven', 'up', 'down'], {
          default: 'halfUp',
          description: 'How a fraction of the smallest unit is rounded, once, at the end.',
        }),
      },
      { default: {}, description: 'How tax is rounded here.' },
    ),
    locale: Type.String({
      maxLength: 35,
      default: 'en',
      description: 'BCP 47 locale in which prices are written for listeners.',
    }),
    notice: Type.Optional(
      Type.Object(
        {
          days: Type.Integer({
            minimum: 0,
            maximum: NOTICE_DAYS_MAX,
            description: 'Days between notice and charge.',
          }),
        },
        {
          description:
            'Notice that subscribers must get before a higher price. The plan of a change says by when; nothing enforces it.',
        },
      ),
    ),
    consent: Type.Enum(['optIn', 'optOut', 'none'], {
      default: 'none',
      description:
        'Whether existing subscribers must agree to a higher price (optIn), may object (optOut), or neither (none). The plan of a change says it; nothing enforces it.',
    }),
  },
  { description: 'A set of territories that share currency, tax and rules for prices.' },
);

export type MarketSpec = Static<typeof MarketSpecSchema>;

/** The spec of a stored or live Market. */
export const marketSpec = specReader(MarketSpecSchema);

/** Decimals of a currency on a channel of a market: the channel's own, or those of ISO 4217. */
export function exponentOn(market: MarketSpec | undefined, channel: string, currency: string): number | undefined {
  const exponents = market?.channels.find(({ name }) => name === channel)?.exponents;
  if (exponents !== undefined && Object.hasOwn(exponents, currency)) return exponents[currency];
  return CURRENCIES.get(currency);
}

/** A currency of a market with its time in milliseconds since the epoch; half-open. */
export interface LegalCurrency {
  readonly code: string;
  readonly from: number;
  readonly until: number;
}

/** The currencies of a market in the declared order. An unreadable time, which `validate` refuses, never applies. */
export function legalCurrencies({ currencies, zone }: MarketSpec): readonly LegalCurrency[] {
  return currencies.map(({ code, from, until }) => {
    const begin = from === undefined ? -OPEN : parseTime(from, zone);
    const end = until === undefined ? OPEN : parseTime(until, zone);
    return { code, from: isFault(begin) ? OPEN : begin, until: isFault(end) ? -OPEN : end };
  });
}

/** The market's currency at a moment: the first that is valid then. */
export function currencyAt(legal: readonly LegalCurrency[], epochMs: number): string | undefined {
  return legal.find(({ from, until }) => from <= epochMs && epochMs < until)?.code;
}

/** A tax rate from a moment until the next rate. */
export interface TaxRate {
  readonly from: number;
  readonly rate: string | undefined;
}

/** Tax rates over time, the earliest first. An unreadable time, which `validate` refuses, never applies. */
export function taxRates({ tax: { rate, rates = [] }, zone }: MarketSpec): readonly TaxRate[] {
  const later = rates.map((one): TaxRate => {
    const from = parseTime(one.from, zone);
    return { from: isFault(from) ? OPEN : from, rate: one.rate };
  });
  return [{ from: -OPEN, rate }, ...later];
}

/** The rate at a moment; undefined where it depends on the buyer's address. */
export function taxRateAt(rates: readonly TaxRate[], epochMs: number): string | undefined {
  return rates.findLast(({ from }) => from <= epochMs)?.rate;
}
