/**
 * Writes the ads of the sample business in `examples/aria/ads`: forty made-up advertisers with three hundred ad sets. Run it after
 * a change here: `node examples/generate-aria-ads.ts`. Everything follows from the lists and the seed below.
 *
 * The assets are tones; `node examples/generate-tones.ts FOLDER` makes the files.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chance, seedOf, type Chance } from '#simulation/chance.ts';
import { ARIA_FOLDER, NAMESPACE, yamlOf } from './generate-aria.ts';

const SEED = 40;
/** Of most advertisers; every other one has one more. */
const AD_SETS_EACH = 7;
const GENERATOR = 'node examples/generate-aria-ads.ts';

interface AdvertiserRow {
  readonly name: string;
  readonly title: string;
  readonly category: string;
  readonly currency: keyof typeof PER_EURO;
  readonly zone: string;
}

/** One euro in each currency, roughly: bids are drawn in euros. */
const PER_EURO = { EUR: 1, USD: 1.08, GBP: 0.85, SEK: 11.2, BRL: 6, INR: 98 };

const advertiser = (line: string): AdvertiserRow => {
  const [name = '', title = '', category = '', currency = '', zone = ''] = line.split(' | ');
  return { name, title, category, currency: currency as AdvertiserRow['currency'], zone };
};

const HOUSE = 'aria-house';

const ADVERTISERS: readonly AdvertiserRow[] = [
  'aria-house | Aria | IAB1-6 | EUR | Europe/Berlin',
  'brewhaus | Brewhaus Berlin | IAB8-5 | EUR | Europe/Berlin',
  'kettle-leaf | Kettle & Leaf Tea | IAB8 | GBP | Europe/London',
  'northbank | Northbank | IAB13 | GBP | Europe/London',
  'fjordair | Fjordair | IAB20 | SEK | Europe/Stockholm',
  'velo-nord | Velo Nord | IAB17 | SEK | Europe/Stockholm',
  'mobilo | Mobilo | IAB19-18 | EUR | Europe/Madrid',
  'casa-verde | Casa Verde | IAB10 | EUR | Europe/Rome',
  'pasta-prima | Pasta Prima | IAB8-9 | EUR | Europe/Rome',
  'stromwerk | Stromwerk | IAB10-6 | EUR | Europe/Berlin',
  'autoline | Autoline | IAB2 | EUR | Europe/Berlin',
  'wanderlux | Wanderlux Hotels | IAB20-13 | EUR | Europe/Vienna',
  'librio | Librio Books | IAB1-1 | EUR | Europe/Paris',
  'mode-martine | Mode Martine | IAB18 | EUR | Europe/Paris',
  'parfum-ete | Parfum Été | IAB18-1 | EUR | Europe/Paris',
  'cine-roma | Cine Roma | IAB1-5 | EUR | Europe/Rome',
  'playforge | Playforge Games | IAB9-30 | USD | America/Los_Angeles',
  'peakform | Peakform Fitness | IAB7-18 | USD | America/New_York',
  'greenbowl | Greenbowl | IAB8 | USD | America/New_York',
  'sunbelt | Sunbelt Insurance | IAB13-6 | USD | America/Chicago',
  'loopride | Loopride | IAB2 | USD | America/Los_Angeles',
  'homestead | Homestead Tools | IAB10-5 | USD | America/Chicago',
  'brightpath | Brightpath College | IAB5 | USD | America/New_York',
  'petpantry | Petpantry | IAB16 | USD | America/New_York',
  'cloudnine | Cloudnine Mattress | IAB10 | USD | America/Denver',
  'moto-norte | Moto Norte | IAB2-17 | BRL | America/Sao_Paulo',
  'cafe-serra | Café Serra | IAB8 | BRL | America/Sao_Paulo',
  'banco-azul | Banco Azul | IAB13 | BRL | America/Sao_Paulo',
  'praia-wear | Praia Wear | IAB18 | BRL | America/Sao_Paulo',
  'chai-co | Chai & Co | IAB8 | INR | Asia/Kolkata',
  'rupeepay | Rupeepay | IAB13 | INR | Asia/Kolkata',
  'bollyflix | Bollyflix | IAB1-7 | INR | Asia/Kolkata',
  'swiftkart | Swiftkart | IAB22 | INR | Asia/Kolkata',
  'tallship | Tallship Rum | IAB8-5 | GBP | Europe/London',
  'oakandash | Oak & Ash Furniture | IAB10 | GBP | Europe/London',
  'railcard | Railcard | IAB20 | GBP | Europe/London',
  'medova | Medova Pharmacy | IAB7 | EUR | Europe/Vienna',
  'toyland | Toyland | IAB6 | EUR | Europe/Berlin',
  'festivo | Festivo Tickets | IAB1-6 | EUR | Europe/Madrid',
  'skandia-home | Skandia Home | IAB10 | SEK | Europe/Stockholm',
].map(advertiser);

export const ADVERTISER_NAMES: readonly string[] = ADVERTISERS.map(({ name }) => name);
/** Lengths of the tones of each advertiser. */
export const TONE_SECONDS = [15, 30] as const;

const MARKETS = ['de', 'fr', 'gb', 'se', 'no', 'us', 'br', 'in', 'mx', 'jp'] as const;
/** Where its customers are, by the currency of the advertiser. */
const HOME_MARKETS: Readonly<Record<AdvertiserRow['currency'], readonly string[]>> = {
  EUR: ['de', 'fr', 'fi', 'at', 'it', 'es'],
  USD: ['us'],
  GBP: ['gb'],
  SEK: ['se', 'no', 'dk', 'fi'],
  BRL: ['br'],
  INR: ['in'],
};
const END = '2030-01-01T00:00:00Z';

function resource(kind: string, name: string, spec: object): object {
  return { apiVersion: 'ads.backline.dev/v1', kind, metadata: { name, namespace: NAMESPACE }, spec };
}

function places(): readonly object[] {
  const shared = { currency: 'EUR', policy: 'aria', adFreeFeature: 'ad-free' };
  return [
    resource('AdPolicy', 'aria', {
      title: 'Ads of Aria',
      load: { breaksPerHour: 6, gapSeconds: 300 },
      childCategories: ['IAB6'],
      categories: [{ categories: ['IAB8-5'], minAge: 21, deniedIn: ['NO', 'IN', 'SE'] }],
      consent: [
        { territories: ['DE', 'FR', 'SE', 'FI', 'DK', 'NO', 'AT', 'IT', 'ES'], framework: 'tcf', vendor: 21 },
        { territories: ['US'], framework: 'gpp' },
        { framework: 'none' },
      ],
      attributes: { limited: ['platform', 'appVersion', 'language', 'market'] },
    }),
    resource('Placement', 'track-break', {
      title: 'Between two tracks',
      format: 'audio',
      slots: 2,
      seconds: 60,
      ...shared,
      floor: { cpm: '2.00' },
      deals: [{ id: 'autumn-sound', accounts: ['autoline', 'stromwerk'], floor: { cpm: '1.20' } }],
    }),
    resource('Placement', 'podcast-mid', {
      title: 'In the middle of a podcast',
      format: 'audio',
      slots: 3,
      seconds: 90,
      ...shared,
      floor: { cpmPerSecond: '0.10' },
      pricing: 'secondPrice',
    }),
    resource('Placement', 'home-banner', {
      title: 'Picture on the first screen',
      format: 'image',
      slots: 1,
      ...shared,
      priors: { clickRate: 0.004 },
    }),
    ...Object.entries(PER_EURO).flatMap(([base, perEuro]) =>
      base === 'EUR'
        ? []
        : [
            resource('ExchangeRate', `${base.toLowerCase()}-eur`, {
              base,
              quote: 'EUR',
              rates: [{ from: '2026-01-01', rate: (1 / perEuro).toFixed(6) }],
            }),
          ],
    ),
  ];
}

/** An advertiser, its campaigns and files, its ad sets and ads. */
function accountOf(row: AdvertiserRow, index: number): readonly object[] {
  const { name: account, title, category, currency, zone } = row;
  const { next, pick, yes } = chance(seedOf(SEED, index));
  const own = (name: string): string => `${account}.${name}`;
  const money = (euros: number, digits = 2): string => (euros * PER_EURO[currency]).toFixed(digits);
  const file = (name: string, format: string, more: object, mime: string): object =>
    resource('Asset', own(name), {
      account,
      format,
      ...more,
      renditions: [{ url: `https://cdn.example.com/aria/${account}/${name}`, mime, ...sizeOf(format) }],
    });
  const count = AD_SETS_EACH + (index % 2);
  return [
    resource('Advertiser', account, {
      title,
      currency,
      zone,
      categories: [category],
      ...(account === HOUSE ? {} : { budget: { daily: money(400 + 100 * Math.floor(next() * 12)) } }),
      ...(yes(0.3) ? { frequencyCaps: [{ count: 12, per: 'P1D', scope: 'household' }] } : {}),
    }),
    resource('Campaign', own('always-on'), { account, title: `${title}, all year` }),
    resource('Campaign', own('launch'), {
      account,
      title: `${title}, something new`,
      frequencyCaps: [{ count: 6, per: 'P7D', scope: 'listener' }],
    }),
    ...TONE_SECONDS.map((seconds) =>
      file(`tone-${seconds}.wav`, 'audio', { title: `Tone of ${seconds} seconds`, seconds }, 'audio/wav'),
    ),
    file('cover.png', 'image', { title: 'Square picture' }, 'image/png'),
    ...Array.from({ length: count }, (_, n) => {
      const name = own(`set-${n + 1}`);
      const isImage = n === count - 1;
      return [
        resource('AdSet', name, {
          account,
          campaign: own(n % 2 === 0 ? 'always-on' : 'launch'),
          ...priceOf(n, isImage),
          ...audienceOf(row, { next, pick, yes }),
          placements: isImage ? ['home-banner'] : pick(PLACES),
        }),
        ...adsOf(n, name, isImage),
      ];
    }).flat(),
  ];

  function priceOf(n: number, isImage: boolean): object {
    if (account === HOUSE) return { tier: 'house', goal: 'cpm', bid: '3.50' };
    // Sponsors of the season, and advertisers with impressions that were sold beforehand.
    if (n === 0 && index % 13 === 1) {
      return { tier: 'sponsorship', goal: 'cpm', bid: money(20), budget: { daily: money(120) }, position: 'first' };
    }
    const daily = money(20 + Math.floor(next() * 12) * 10);
    if (n === 1 && index % 8 === 2) {
      return { tier: 'guaranteed', goal: 'cpm', bid: money(9), budget: { daily } };
    }
    if (isImage) return { goal: 'cpc', bid: money(0.4 + next()), budget: { daily } };
    if (yes(0.2)) return { goal: 'cpcv', bid: money(0.006 + next() * 0.012, 4), budget: { daily } };
    const cpm = money(4 + next() * 14);
    const budget = yes(0.25) ? { lifetime: money(20_000 + Math.floor(next() * 10) * 1_000) } : { daily };
    const deal = account === 'autoline' || account === 'stromwerk' ? { deal: 'autumn-sound' } : {};
    return { goal: 'cpm', bid: cpm, budget, ...('lifetime' in budget ? { until: END } : {}), ...deal };
  }

  function adsOf(n: number, adSet: string, isImage: boolean): readonly object[] {
    const page = `https://www.example.com/${account}`;
    const ad = (suffix: string, asset: string, more: object): object =>
      resource('Ad', `${adSet}${suffix}`, { account, adSet, asset: own(asset), clickThrough: page, ...more });
    if (isImage) return [ad('-a', 'cover.png', {})];
    const companion = own('cover.png');
    const spot = ad('-a', n % 2 === 0 ? 'tone-30.wav' : 'tone-15.wav', { companion });
    return n % 3 === 0 ? [spot, ad('-b', 'tone-15.wav', { weight: 2 })] : [spot];
  }
}

const PLACES: readonly (readonly [readonly string[], number])[] = [
  [['track-break'], 5],
  [['track-break', 'podcast-mid'], 4],
  [['podcast-mid'], 1],
];

/** Some ad sets are for everybody in the markets of their advertiser, the others for some of them, or at some times. */
function audienceOf(
  { name, currency }: AdvertiserRow,
  { next, pick, yes }: Pick<Chance, 'next' | 'pick' | 'yes'>,
): object {
  if (name === HOUSE) return {};
  const home = yes(0.8) ? HOME_MARKETS[currency] : [MARKETS[Math.floor(next() * MARKETS.length)] ?? 'us'];
  const more = pick<readonly object[]>([
    [[], 5],
    [[{ attribute: 'platform', in: ['ios', 'android'] }], 2],
    [[{ attribute: 'ageBand', in: ['18-24', '25-34'] }], 2],
    [[{ attribute: 'ageBand', in: ['35-44', '45-54', '55+'] }], 1],
    [[{ attribute: 'genres', in: ['pop', 'hip-hop'] }], 1],
    [[{ attribute: 'genres', in: ['rock', 'indie', 'metal'] }], 1],
    [[{ audience: 'evening' }], 1],
  ]);
  const caps = yes(0.6)
    ? { frequencyCaps: [{ count: 2 + Math.floor(next() * 4), per: 'P1D', scope: 'listener' }] }
    : {};
  // An evening has no morning.
  const dayParts =
    yes(0.15) && !more.some((test) => 'audience' in test)
      ? { dayParts: [pick([[{ from: '06:00', until: '10:00' }, 1] as const, [{ days: WEEKEND }, 1] as const])] }
      : {};
  return { ...caps, ...dayParts, when: { anyOf: [{ allOf: [{ attribute: 'market', in: home }, ...more] }] } };
}

const WEEKEND = ['sat', 'sun'];

function sizeOf(format: string): object {
  return format === 'image' ? { width: 640, height: 640 } : {};
}

/** The files of the ads: name and text. */
export function ariaAdFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['places.yaml', yamlOf(places(), GENERATOR)],
    ...ADVERTISERS.map((row, index): [string, string] => [
      `${row.name}.yaml`,
      yamlOf(accountOf(row, index), GENERATOR),
    ]),
  ]);
}

export const ARIA_ADS_FOLDER = join(ARIA_FOLDER, 'ads');

if (import.meta.main) {
  await mkdir(ARIA_ADS_FOLDER, { recursive: true });
  for (const [name, text] of ariaAdFiles()) await writeFile(join(ARIA_ADS_FOLDER, name), text);
  console.log(`wrote ${ariaAdFiles().size} files to ${ARIA_ADS_FOLDER}`);
}
