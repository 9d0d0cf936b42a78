/**
 * Writes the sample business in `examples/aria`: "Aria", a music service in seventy markets. Run it after a change here:
 * `node examples/generate-aria.ts`.
 *
 * Names, currencies and locales come from CLDR and the country list; tax rates and prices are set below, close to what
 * such services charge, and are not those of any real one.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Document, isMap, visit } from 'yaml';
import { isFault } from '#domains/products/rules/fault.ts';
import { formatAmount, majorUnits, parseMoney, scale, type Money } from '#domains/products/rules/money.ts';
import { roundPrice } from './price-rounding.ts';
import { rational, times } from '#domains/products/rules/rational.ts';

export const NAMESPACE = 'aria';
const FIRST_DAY = '2022-01-01';

interface MarketRow {
  readonly code: string;
  readonly zone: string;
  /** Name and percent; without a percent it depends on the address, and prices come without it. */
  readonly tax: string;
  /** How prices end, like 0.99. */
  readonly ending: string;
  /** Premium by month on the web: the first price, then each date with the price from then on. */
  readonly premium: string;
}

const row = (code: string, zone: string, tax: string, ending: string, premium: string): MarketRow => ({
  code,
  zone,
  tax,
  ending,
  premium,
});

const MARKETS: readonly MarketRow[] = [
  // European Union
  row('AT', 'Europe/Vienna', 'USt 20', '0.99', '9.99; 2023-10-01 10.99; 2025-09-01 11.99; 2027-02-01 12.99'),
  row('BE', 'Europe/Brussels', 'TVA 21', '0.99', '9.99; 2023-07-24 10.99; 2025-05-01 11.99'),
  row('BG', 'Europe/Sofia', 'DDS 20', '0.99', '9.99; 2023-10-01 10.99; 2026-01-01 in EUR; 2027-03-01 5.99'),
  row('HR', 'Europe/Zagreb', 'PDV 25', '0.99', '6.99; 2024-09-01 7.99'),
  row('CY', 'Asia/Nicosia', 'VAT 19', '0.99', '6.99; 2023-10-01 7.99; 2025-09-01 8.99'),
  row('CZ', 'Europe/Prague', 'DPH 21', '9', '159; 2023-10-01 169; 2025-09-01 189'),
  row('DK', 'Europe/Copenhagen', 'moms 25', '9', '109; 2023-07-24 119; 2025-09-01 129'),
  row('EE', 'Europe/Tallinn', 'KM 24', '0.99', '6.99; 2023-10-01 7.99; 2025-09-01 8.99'),
  row('FI', 'Europe/Helsinki', 'ALV 25.5', '0.99', '9.99; 2023-07-24 10.99; 2025-09-01 11.99'),
  row('FR', 'Europe/Paris', 'TVA 20', '0.99', '9.99; 2023-07-24 10.99; 2024-05-01 11.12; 2025-09-01 12.14'),
  row('DE', 'Europe/Berlin', 'MwSt. 19', '0.99', '9.99; 2023-10-01 10.99; 2025-09-01 12.99; 2027-02-01 13.99'),
  row('GR', 'Europe/Athens', 'FPA 24', '0.99', '6.99; 2023-10-01 7.99; 2025-09-01 8.99'),
  row('HU', 'Europe/Budapest', 'AFA 27', '90', '1490; 2023-10-01 1690; 2025-03-01 1990; 2027-01-15 2190'),
  row('IE', 'Europe/Dublin', 'VAT 23', '0.99', '9.99; 2023-07-24 10.99; 2024-06-01 11.99; 2025-11-01 12.99'),
  row('IT', 'Europe/Rome', 'IVA 22', '0.99', '9.99; 2023-10-01 10.99; 2025-09-01 11.99'),
  row('LV', 'Europe/Riga', 'PVN 21', '0.99', '6.99; 2023-10-01 7.99'),
  row('LT', 'Europe/Vilnius', 'PVM 21', '0.99', '6.99; 2023-10-01 7.99'),
  row('LU', 'Europe/Luxembourg', 'TVA 17', '0.99', '9.99; 2023-07-24 10.99; 2025-05-01 11.99'),
  row('MT', 'Europe/Malta', 'VAT 18', '0.99', '6.99; 2023-10-01 7.99'),
  row('NL', 'Europe/Amsterdam', 'btw 21', '0.99', '9.99; 2023-07-24 10.99; 2025-05-01 12.99'),
  row('PL', 'Europe/Warsaw', 'PTU 23', '0.99', '19.99; 2023-10-01 23.99; 2026-10-01 25.99'),
  row('PT', 'Europe/Lisbon', 'IVA 23', '0.99', '6.99; 2023-07-24 7.99; 2025-09-01 8.99'),
  row('RO', 'Europe/Bucharest', 'TVA 21', '0.99', '21.99; 2023-10-01 23.99; 2025-09-01 27.99'),
  row('SK', 'Europe/Bratislava', 'DPH 23', '0.99', '5.99; 2023-10-01 6.99; 2025-09-01 7.99'),
  row('SI', 'Europe/Ljubljana', 'DDV 22', '0.99', '6.99; 2023-10-01 7.99'),
  row('ES', 'Europe/Madrid', 'IVA 21', '0.99', '9.99; 2023-07-24 10.99; 2025-09-01 11.99; 2027-01-15 12.99'),
  row('SE', 'Europe/Stockholm', 'moms 25', '9', '109; 2023-07-24 119; 2025-09-01 129'),
  // Rest of Europe
  row('GB', 'Europe/London', 'VAT 20', '0.99', '9.99; 2023-07-24 10.99; 2024-05-01 11.99; 2025-11-01 12.99'),
  row('CH', 'Europe/Zurich', 'MWST 8.1', '0.95', '12.95; 2023-10-01 13.95; 2025-09-01 15.95'),
  row('NO', 'Europe/Oslo', 'mva 25', '9', '109; 2023-07-24 119; 2024-08-01 129; 2026-02-01 139'),
  row('IS', 'Atlantic/Reykjavik', 'VSK 24', '90', '1390; 2023-10-01 1490; 2025-09-01 1690'),
  row(
    'TR',
    'Europe/Istanbul',
    'KDV 20',
    '0.99',
    '29.99; 2023-07-24 39.99; 2024-06-01 59.99; 2025-09-01 99.00; 2027-01-01 119.00',
  ),
  row('UA', 'Europe/Kyiv', 'PDV 20', '9', '109; 2024-03-01 129; 2026-03-01 149'),
  // Americas
  row('US', 'America/New_York', 'Sales tax', '0.99', '9.99; 2023-07-24 10.99; 2024-07-01 11.99; 2026-02-01 12.99'),
  row('CA', 'America/Toronto', 'GST/HST', '0.99', '9.99; 2023-07-24 10.99; 2024-09-01 12.69; 2026-09-01 13.99'),
  row('MX', 'America/Mexico_City', 'IVA 16', '9', '115; 2023-07-24 129; 2025-09-01 139'),
  row('BR', 'America/Sao_Paulo', 'ISS 5', '0.90', '19.90; 2023-07-24 21.90; 2025-09-01 23.90; 2027-03-01 25.90'),
  row(
    'AR',
    'America/Argentina/Buenos_Aires',
    'IVA 21',
    '99',
    '699; 2023-09-01 1199; 2024-03-01 1899; 2024-10-01 2799; 2025-09-01 3299; 2026-12-15 3799',
  ),
  row('CL', 'America/Santiago', 'IVA 19', '50', '4150; 2023-07-24 4550; 2025-09-01 4950'),
  row('CO', 'America/Bogota', 'IVA 19', '900', '14900; 2023-07-24 16900; 2025-09-01 18900'),
  row('PE', 'America/Lima', 'IGV 18', '0.90', '18.90; 2023-07-24 20.90; 2025-09-01 22.90'),
  row('UY', 'America/Montevideo', 'IVA 22', '9', '229; 2023-10-01 249; 2025-09-01 269'),
  row('CR', 'America/Costa_Rica', 'IVA 13', '90', '3090; 2023-10-01 3490'),
  row('PA', 'America/Panama', 'ITBMS 7', '0.99', '5.99; 2023-10-01 6.49; 2025-09-01 6.99'),
  row('DO', 'America/Santo_Domingo', 'ITBIS 18', '9', '289; 2023-10-01 319; 2025-09-01 349'),
  row('EC', 'America/Guayaquil', 'IVA 15', '0.99', '5.99; 2023-10-01 6.49; 2025-09-01 6.99'),
  // Asia and Oceania
  row('AU', 'Australia/Sydney', 'GST 10', '0.99', '11.99; 2023-07-24 12.99; 2024-09-01 13.99; 2025-10-01 15.99'),
  row('NZ', 'Pacific/Auckland', 'GST 15', '0.99', '14.99; 2023-07-24 16.99; 2025-09-01 17.99'),
  row('JP', 'Asia/Tokyo', 'JCT 10', '80', '980; 2025-09-01 1080; 2027-04-01 1180'),
  row('KR', 'Asia/Seoul', 'VAT 10', '900', '10900; 2026-04-01 11900'),
  row('IN', 'Asia/Kolkata', 'GST 18', '9', '119; 2025-11-13 139'),
  row('ID', 'Asia/Jakarta', 'PPN 11', '990', '49990; 2024-01-01 54990; 2025-11-13 59990'),
  row('MY', 'Asia/Kuala_Lumpur', 'SST 8', '0.90', '14.90; 2023-07-24 15.90; 2025-03-01 17.90'),
  row('PH', 'Asia/Manila', 'VAT 12', '9', '129; 2023-10-01 149; 2025-09-01 169'),
  row('SG', 'Asia/Singapore', 'GST 9', '0.98', '9.98; 2023-07-24 10.98; 2025-09-01 11.98'),
  row('TH', 'Asia/Bangkok', 'VAT 7', '9', '129; 2023-07-24 139; 2025-09-01 149'),
  row('VN', 'Asia/Ho_Chi_Minh', 'VAT 10', '000', '59000; 2025-09-01 65000'),
  row('TW', 'Asia/Taipei', 'VAT 5', '9', '149; 2025-06-01 169'),
  row('HK', 'Asia/Hong_Kong', 'no tax 0', '8', '58; 2023-07-24 63; 2025-09-01 68'),
  row('PK', 'Asia/Karachi', 'GST 18', '9', '299; 2023-10-01 349; 2025-09-01 399'),
  row('IL', 'Asia/Jerusalem', 'VAT 18', '0.90', '19.90; 2023-07-24 21.90; 2025-09-01 23.90'),
  row('AE', 'Asia/Dubai', 'VAT 5', '0.99', '19.99; 2023-10-01 21.99; 2025-11-13 23.99'),
  row('SA', 'Asia/Riyadh', 'VAT 15', '0.99', '19.99; 2023-10-01 21.99; 2025-11-13 23.99'),
  row('QA', 'Asia/Qatar', 'no tax 0', '0.99', '19.99; 2023-10-01 21.99'),
  row('KW', 'Asia/Kuwait', 'no tax 0', '0.590', '1.590; 2023-10-01 1.790; 2025-09-01 1.990'),
  row('BH', 'Asia/Bahrain', 'VAT 10', '0.990', '1.990; 2025-09-01 2.290'),
  row('JO', 'Asia/Amman', 'GST 16', '0.990', '3.990; 2025-09-01 4.490'),
  // Africa
  row('ZA', 'Africa/Johannesburg', 'VAT 15', '0.99', '59.99; 2023-10-01 64.99; 2025-11-13 69.99'),
  row('NG', 'Africa/Lagos', 'VAT 7.5', '00', '900; 2024-10-01 1300; 2025-09-01 1600'),
  row('KE', 'Africa/Nairobi', 'VAT 16', '9', '299; 2023-10-01 319; 2025-09-01 339'),
  row('EG', 'Africa/Cairo', 'VAT 14', '0.99', '49.99; 2024-03-01 59.99; 2025-09-01 74.99'),
  row('MA', 'Africa/Casablanca', 'TVA 20', '0.99', '59.99; 2023-10-01 64.99; 2025-09-01 69.99'),
];

/** Prices of the other plans in percent of Premium, moved to the market's price ending. */
const SHARE_OF_PREMIUM = { lite: 48n, student: 54n, premium: 100n, duo: 136n, family: 164n };
type PaidPlan = keyof typeof SHARE_OF_PREMIUM;

const LITE_MARKETS = ['IN', 'ID', 'ZA', 'SA', 'AE'];
const LITE_SINCE = '2025-11-13';
/** A year of Premium costs ten months. */
const YEARLY_MARKETS = 'AT DE ES FR GB IE IT NL SE US CA MX BR AU NZ JP IN ID PH TR'.split(' ');
const YEARLY_SINCE = '2024-01-01';
/** Where Premium is sold in Apple's shop too, at 115 % because of its commission. */
const APPLE_MARKETS = new Set(['DE', 'GB', 'JP', 'US']);
const AUDIOBOOK_MARKETS = 'US GB CA AU NZ IE DE AT FR IT ES NL BE LU'.split(' ');

const EUROPEAN_UNION = 'AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE'.split(' ');
/** Where a higher price needs the subscriber's yes. */
const OPT_IN = new Set(['DE', 'AT', 'KR', 'IN']);

/** The locales that listeners expect where CLDR's most likely language is another. */
const LOCALES: Readonly<Record<string, string>> = { IN: 'en-IN', PH: 'en-PH', KE: 'en-KE', PK: 'en-PK', MT: 'en-MT' };
/** Google Play sells without decimals in these, though ISO 4217 has two. */
const WHOLE_ON_GOOGLE = new Set(['COP', 'HUF', 'IDR', 'PKR', 'TWD']);
/** Leva for one euro, fixed when Bulgaria joined. */
const LEVA_PER_EURO = rational(195_583n, 100_000n);

const FEATURES: Readonly<Record<string, object>> = {
  'ad-free': { title: 'Music without ads', type: 'boolean' },
  'any-order': { title: 'Play in any order', type: 'boolean', degradeTo: 'shuffle' },
  shuffle: { title: 'Shuffle play', type: 'boolean' },
  'on-demand': { title: 'Any track on demand', type: 'metered', unit: 'minutes', degradeTo: 'shuffle' },
  skips: { title: 'Skips', type: 'metered', unit: 'skips' },
  offline: { title: 'Offline downloads', type: 'boolean' },
  'offline-tracks': { title: 'Downloaded tracks', type: 'concurrent', unit: 'tracks' },
  'offline-devices': { title: 'Devices with downloads', type: 'concurrent', unit: 'devices' },
  'audio-quality': {
    title: 'Audio quality',
    type: 'config',
    valueSchema: { type: 'string', enum: ['normal', 'high', 'very-high', 'lossless'] },
  },
  streams: { title: 'Simultaneous streams', type: 'concurrent', unit: 'streams' },
  audiobooks: { title: 'Audiobooks', type: 'metered', unit: 'minutes' },
  podcasts: { title: 'Podcasts', type: 'boolean' },
  lyrics: { title: 'Lyrics', type: 'boolean' },
  'lyrics-translation': { title: 'Translated lyrics', type: 'boolean', degradeTo: 'lyrics' },
  'queue-editing': { title: 'Edit the queue', type: 'boolean' },
  'group-session': { title: 'Listen together', type: 'boolean' },
  dj: { title: 'Personal DJ', type: 'boolean' },
  'duo-mix': { title: 'Duo Mix', type: 'boolean' },
  'family-mix': { title: 'Family Mix', type: 'boolean' },
  'parental-controls': { title: 'Parental controls', type: 'boolean' },
  'kids-mode': { title: 'Kids mode', type: 'boolean' },
};

const give = (...features: readonly string[]) => features.map((feature) => ({ feature }));
const PAID = [
  ...give(
    'ad-free',
    'any-order',
    'shuffle',
    'offline',
    'podcasts',
    'lyrics',
    'lyrics-translation',
    'queue-editing',
    'group-session',
    'dj',
  ),
  { feature: 'on-demand', limit: 'unlimited' },
  { feature: 'skips', limit: 'unlimited' },
  { feature: 'offline-tracks', limit: 10_000 },
  { feature: 'offline-devices', limit: 5 },
  { feature: 'audio-quality', value: 'lossless' },
  { feature: 'streams', limit: 1 },
];
const AUDIOBOOKS = {
  feature: 'audiobooks',
  limit: 900,
  per: 'P1M',
  markets: AUDIOBOOK_MARKETS.map((code) => code.toLowerCase()),
};

const PLANS: Readonly<Record<'free' | PaidPlan, object>> = {
  free: {
    title: 'Free',
    group: 'music',
    rank: 0,
    entitlements: [
      ...give('shuffle', 'podcasts', 'lyrics'),
      { feature: 'on-demand', limit: 30, per: 'P1D' },
      { feature: 'skips', limit: 6, per: 'PT1H' },
      { feature: 'audio-quality', value: 'normal' },
      { feature: 'streams', limit: 1 },
    ],
  },
  lite: {
    title: 'Lite',
    group: 'music',
    rank: 10,
    markets: LITE_MARKETS.map((code) => code.toLowerCase()),
    entitlements: [
      ...give('ad-free', 'any-order', 'shuffle', 'podcasts', 'lyrics', 'queue-editing'),
      { feature: 'on-demand', limit: 'unlimited' },
      { feature: 'skips', limit: 'unlimited' },
      { feature: 'audio-quality', value: 'high' },
      { feature: 'streams', limit: 1 },
    ],
  },
  student: { title: 'Premium Student', group: 'music', rank: 20, entitlements: PAID },
  premium: { title: 'Premium', group: 'music', rank: 30, entitlements: [...PAID, AUDIOBOOKS] },
  duo: {
    title: 'Premium Duo',
    group: 'music',
    rank: 40,
    seats: 2,
    roles: ['manager', 'member'],
    entitlements: [...PAID, ...give('duo-mix'), { ...AUDIOBOOKS, roles: ['manager'] }],
  },
  family: {
    title: 'Premium Family',
    group: 'music',
    rank: 50,
    seats: 6,
    roles: ['manager', 'member', 'child'],
    entitlements: [
      ...PAID,
      ...give('family-mix'),
      { feature: 'parental-controls', roles: ['manager'] },
      { feature: 'kids-mode', roles: ['child'] },
      { ...AUDIOBOOKS, roles: ['manager'] },
    ],
  },
};

const require = createRequire(import.meta.url);
const countries: readonly {
  readonly cca2: string;
  readonly name: { readonly common: string };
}[] = require('world-countries');
const likely: {
  readonly supplemental: { readonly likelySubtags: Readonly<Record<string, string>> };
} = require('cldr-core/supplemental/likelySubtags.json');
type Tender = Readonly<Record<string, { readonly _to?: string; readonly _tender?: string }>>;
const tenders: {
  readonly supplemental: { readonly currencyData: { readonly region: Readonly<Record<string, readonly Tender[]>> } };
} = require('cldr-core/supplemental/currencyData.json');

/** The currency that prices are in now; where a territory has two, the one that CLDR lists last. */
function currencyOf(code: string): string {
  const current = (tenders.supplemental.currencyData.region[code] ?? []).flatMap((tender) =>
    Object.entries(tender).flatMap(([currency, { _to, _tender }]) =>
      _to === undefined && _tender !== 'false' ? [currency] : [],
    ),
  );
  const currency = current.at(-1);
  if (currency === undefined) throw new Error(`no currency for ${code}`);
  return currency;
}

function localeOf(code: string): string {
  const [language = 'en', script] = (likely.supplemental.likelySubtags[`und-${code}`] ?? 'en').split('-');
  return LOCALES[code] ?? (script === 'Hant' ? `zh-Hant-${code}` : `${language}-${code}`);
}

function currenciesOf(code: string): readonly object[] {
  if (code === 'HR') return [{ code: 'EUR', from: '2023-01-01' }];
  // Prices changed on 1 January 2026; leva were accepted for one month more.
  if (code === 'BG')
    return [
      { code: 'EUR', from: '2026-01-01' },
      { code: 'BGN', until: '2026-02-01' },
    ];
  return [{ code: currencyOf(code) }];
}

function marketSpec({ code, zone, tax }: MarketRow): object {
  const [, taxName = tax, rate] = /^(.*?)(?: ([\d.]+))?$/.exec(tax) ?? [];
  const currency = currencyOf(code);
  const country = countries.find(({ cca2 }) => cca2 === code);
  if (country === undefined) throw new Error(`no country ${code}`);
  const google = WHOLE_ON_GOOGLE.has(currency) ? { exponents: { [currency]: 0 } } : {};
  return {
    title: country.name.common,
    territories: [code],
    zone,
    currencies: currenciesOf(code),
    channels: [{ name: 'web' }, { name: 'apple' }, { name: 'google', ...google }],
    tax: { inclusive: rate !== undefined, ...(rate === undefined ? {} : { rate }), name: taxName },
    locale: localeOf(code),
    notice: { days: EUROPEAN_UNION.includes(code) ? 60 : 30 },
    consent: OPT_IN.has(code) ? 'optIn' : EUROPEAN_UNION.includes(code) ? 'optOut' : 'none',
  };
}

interface Step {
  readonly from: string;
  readonly money: Money;
}

function money(text: string, currency: string): Money {
  const parsed = parseMoney(text, currency);
  if (isFault(parsed)) throw new Error(parsed.fault);
  return parsed;
}

/** A plan's prices: `percent` of Premium, moved to the market's ending; a change of the currency keeps the exact value. */
function stepsOf({ code, ending, premium }: MarketRow, percent: bigint, since = FIRST_DAY): readonly Step[] {
  const steps: Step[] = [];
  let currency = code === 'BG' ? 'BGN' : currencyOf(code);
  let from = code === 'HR' ? '2023-01-01' : FIRST_DAY;
  for (const part of premium.split('; ')) {
    const [, date, what = ''] = /^(?:(\d{4}-\d{2}-\d{2}) )?(.*)$/.exec(part) ?? [];
    from = date ?? from;
    const last = steps.at(-1);
    if (what === 'in EUR' && last !== undefined) {
      currency = 'EUR';
      steps.push({
        from,
        money: { ...scale(last.money, rational(LEVA_PER_EURO.denominator, LEVA_PER_EURO.numerator)), currency },
      });
      continue;
    }
    const own = money(what, currency);
    const share = roundPrice(times(majorUnits(own), rational(percent, 100n)), currency, own.exponent, {
      endings: [ending],
    });
    const next = percent === 100n ? own : share;
    if (last?.money.minor !== next.minor) steps.push({ from, money: next });
  }
  const current = steps.findLast((step) => step.from <= since);
  return [
    ...(current === undefined ? [] : [{ ...current, from: current.from > since ? current.from : since }]),
    ...steps.filter((step) => step.from > since),
  ];
}

/** Whole amounts are written as people write them: 1990, not 1990.00. */
function amountText(amount: Money): string {
  return formatAmount(amount).replace(/\.0+$/, '');
}

function priceObject(
  plan: PaidPlan,
  market: MarketRow,
  more: { interval?: string; channel?: string },
  steps: readonly Step[],
): object {
  const code = market.code.toLowerCase();
  const { interval = 'P1M', channel } = more;
  const name = [plan, code, interval === 'P1M' ? 'monthly' : 'yearly', channel]
    .filter((part) => part !== undefined)
    .join('-');
  const timeline = steps.map(({ from, money: amount }) => ({
    from,
    amount: amountText(amount),
    currency: amount.currency,
  }));
  return resource('Price', name, {
    plan,
    market: code,
    interval,
    ...(channel === undefined ? {} : { channel }),
    timeline,
  });
}

function pricesOf(plan: PaidPlan): readonly object[] {
  const share = SHARE_OF_PREMIUM[plan];
  return MARKETS.flatMap((market) => {
    const { code } = market;
    if (plan === 'lite')
      return LITE_MARKETS.includes(code) ? [priceObject(plan, market, {}, stepsOf(market, share, LITE_SINCE))] : [];
    const monthly = priceObject(plan, market, {}, stepsOf(market, share));
    if (plan !== 'premium') return [monthly];
    return [
      monthly,
      ...(YEARLY_MARKETS.includes(code)
        ? [priceObject(plan, market, { interval: 'P1Y' }, stepsOf(market, 1000n, YEARLY_SINCE))]
        : []),
      ...(APPLE_MARKETS.has(code) ? [priceObject(plan, market, { channel: 'apple' }, stepsOf(market, 115n))] : []),
    ];
  });
}

function resource(kind: string, name: string, spec: object): object {
  return { apiVersion: 'products.backline.dev/v1', kind, metadata: { name, namespace: NAMESPACE }, spec };
}

/** YAML documents as people and YAML 1.1 readers (kubectl) both understand them: "NO" and dates are quoted. */
export function yamlOf(objects: readonly object[], generator = 'node examples/generate-aria.ts'): string {
  return objects
    .map((object, index) => {
      const document = new Document(object, { version: '1.1' });
      if (index === 0) document.commentBefore = ` Written by \`${generator}\`: change that and run it again.`;
      visit(document, {
        Map: (_, map) => {
          const simple =
            map.items.length > 0 &&
            map.items.every(({ value }) => !isMap(value) && (value as { items?: unknown }).items === undefined);
          if (simple && (map.has('from') || map.has('feature') || map.has('code'))) map.flow = true;
        },
        Seq: (_, seq) => {
          if (seq.items.every((item) => (item as { items?: unknown }).items === undefined)) seq.flow = true;
        },
      });
      return document.toString({ lineWidth: 120, flowCollectionPadding: true });
    })
    .join('---\n');
}

/** The files of the sample business: name and text. */
export function ariaFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['namespace.yaml', yamlOf([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }])],
    ['products/features.yaml', yamlOf(Object.entries(FEATURES).map(([name, spec]) => resource('Feature', name, spec)))],
    ['products/plans.yaml', yamlOf(Object.entries(PLANS).map(([name, spec]) => resource('Plan', name, spec)))],
    [
      'products/markets.yaml',
      yamlOf(MARKETS.map((market) => resource('Market', market.code.toLowerCase(), marketSpec(market)))),
    ],
    ...(['lite', 'student', 'premium', 'duo', 'family'] as const).map((plan): [string, string] => [
      `products/prices-${plan}.yaml`,
      yamlOf(pricesOf(plan)),
    ]),
  ]);
}

export const ARIA_FOLDER = join(import.meta.dirname, 'aria');

if (import.meta.main) {
  await mkdir(join(ARIA_FOLDER, 'products'), { recursive: true });
  for (const [name, text] of ariaFiles()) await writeFile(join(ARIA_FOLDER, name), text);
  console.log(`wrote ${ariaFiles().size} files to ${ARIA_FOLDER}`);
}
