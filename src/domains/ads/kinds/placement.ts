import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { RATE_DIGITS, RATES_MAX } from '../rules/goals.ts';
import { FORMATS } from './asset.ts';
import { AD_POLICY, GROUP, VERSION } from './identity.ts';
import { amount, categories, currency, currencyProblems, nameOf, title } from './parts.ts';
import type { Path, Problem } from '#kernel/base/failures.ts';

const SLOTS_MAX = 20;
const SECONDS_MAX = 600;
const DEALS_MAX = 200;
const DEAL_ACCOUNTS_MAX = 100;

const Floor = Type.Object(
  {
    cpm: Type.Optional(amount('For a thousand impressions.')),
    cpmPerSecond: Type.Optional(amount('The same for each second of an ad.')),
  },
  { description: 'The least that an ad pays, by one of the two.' },
);

const PlacementSpecSchema = Type.Object(
  {
    title,
    format: Type.Enum(FORMATS, { description: 'What it plays or shows.' }),
    slots: Type.Integer({ minimum: 1, maximum: SLOTS_MAX, default: 1, description: 'The most ads in one break.' }),
    seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: SECONDS_MAX, description: 'The longest break; one of images has none.' }),
    ),
    currency: {
      ...currency,
      description:
        'ISO 4217 code of its floors. Bids in other currencies are converted by an ExchangeRate; without one they are no candidates.',
    },
    floor: Type.Optional(Floor),
    deals: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.String({ pattern: '^[A-Za-z0-9][\\w.-]{0,99}$', description: 'As ad sets name it.' }),
            accounts: Type.Array(
              Type.String({
                minLength: 1,
                maxLength: 253,
                description: 'Name of an Advertiser, or NAMESPACE/NAME where it is in another namespace.',
              }),
              { minItems: 1, maxItems: DEAL_ACCOUNTS_MAX, uniqueItems: true, description: 'Advertisers that have it.' },
            ),
            floor: Floor,
          },
          { description: 'A floor that was agreed with some advertisers.' },
        ),
        {
          minItems: 1,
          maxItems: DEALS_MAX,
          description: 'Exactly one floor applies to an ad: that of its deal, or else that of the placement.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['id'],
        },
      ),
    ),
    pricing: Type.Enum(['firstPrice', 'secondPrice'], {
      default: 'firstPrice',
      description:
        'firstPrice: each pays its bid. secondPrice: each pays what others lose by its presence (VCG); with one slot that is the second bid.',
    }),
    priors: Type.Object(
      {
        clickRate: Type.Number({
          minimum: 10 ** -RATE_DIGITS,
          maximum: RATES_MAX.clickRate,
          default: 0.002,
          description: 'Clicks for each impression; six decimals count.',
        }),
        completionRate: Type.Number({
          minimum: 10 ** -RATE_DIGITS,
          maximum: RATES_MAX.completionRate,
          default: 0.9,
          description: 'Plays to the end for each impression; six decimals count.',
        }),
      },
      { default: {}, description: 'What an ad is expected to do here: bids for clicks and plays are compared by it.' },
    ),
    policy: { ...nameOf('AdPolicy'), description: 'The AdPolicy: its rules for consent, ages and territories apply.' },
    rewarded: Type.Optional(
      Type.Boolean({
        description:
          'True: listeners ask for its ad themselves, to have time without ads (`load.rewardedMinutes` of the AdPolicy). It counts as a break, and no load holds it back.',
      }),
    ),
    adFreeFeature: { ...nameOf('Feature'), description: 'Feature whose holders never get an ad.' },
    blockedCategories: categories('Categories that are not served here.'),
  },
  { description: 'A break, or a place for pictures.' },
);

export type Floor = Static<typeof Floor>;
export type PlacementSpec = Static<typeof PlacementSpecSchema>;

export const Placement = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Placement',
  plural: 'placements',
  categories: ['advertising'],
  scope: 'Namespaced',
  released: true,
  description: 'A placement is a break between songs, or a place for pictures, and the rules of what is served there.',
  spec: PlacementSpecSchema,
  columns: [
    { name: 'Format', type: 'string', description: 'What it plays or shows.', value: ({ spec }) => spec.format },
    { name: 'Slots', type: 'integer', description: 'The most ads in one break.', value: ({ spec }) => spec.slots },
    { name: 'Seconds', type: 'integer', description: 'The longest break.', value: ({ spec }) => spec.seconds },
  ],
  refs: ({ policy }) => [{ path: ['spec', 'policy'], kind: AD_POLICY, name: policy }],
  validate: (spec) => [...currencyProblems(spec.currency, ['spec', 'currency']), ...shapeProblems(spec)],
  describe: (name, { before, after }) => {
    if (after === undefined) return [`Placement ${before?.title ?? name} is removed: nothing is served there.`];
    if (before === undefined) return [`New placement: ${breakInWords(after)}.`];
    const label = `Placement ${after.title ?? name}`;
    return [
      ...(breakInWords(before) === breakInWords(after)
        ? []
        : [`${label}: ${breakInWords(before)} → ${breakInWords(after)}.`]),
      ...(floorInWords(before) === floorInWords(after)
        ? []
        : [`${label}: floor ${floorInWords(before)} → ${floorInWords(after)}.`]),
      ...(before.policy === after.policy ? [] : [`${label}: AdPolicy ${before.policy} → ${after.policy}.`]),
    ];
  },
  example: {
    name: 'between-songs',
    spec: {
      format: 'audio',
      slots: 3,
      seconds: 90,
      currency: 'EUR',
      floor: { cpm: '2.00' },
      pricing: 'firstPrice',
      priors: { clickRate: 0.002, completionRate: 0.9 },
      policy: 'standard',
      adFreeFeature: 'ad-free',
    },
  },
});

function shapeProblems({ format, slots, seconds, floor, deals = [], rewarded }: PlacementSpec): readonly Problem[] {
  const problem = (path: Path, detail: string): Problem => ({
    path: ['spec', ...path],
    reason: 'FieldValueInvalid',
    detail,
  });
  return [
    ...(format !== 'image' && seconds === undefined
      ? [{ ...problem(['seconds'], `a break of ${format} has a length`), reason: 'FieldValueRequired' as const }]
      : []),
    ...(rewarded === true && (format === 'image' || slots > 1)
      ? [problem(['rewarded'], 'a reward is for one ad that plays to the end: one slot of audio or video')]
      : []),
    ...(format === 'image' && seconds !== undefined ? [problem(['seconds'], 'a place for images has no length')] : []),
    ...(floor === undefined ? [] : floorProblems(floor, ['floor'])),
    ...deals.flatMap(({ floor: agreed }, index) => floorProblems(agreed, ['deals', index, 'floor'])),
  ];

  function floorProblems({ cpm, cpmPerSecond }: Floor, path: Path): readonly Problem[] {
    if ((cpm === undefined) === (cpmPerSecond === undefined)) {
      return [problem(path, 'a floor has cpm or cpmPerSecond, and not both')];
    }
    if (format !== 'image' || cpmPerSecond === undefined) return [];
    return [problem([...path, 'cpmPerSecond'], 'an image has no seconds; use cpm')];
  }
}

function breakInWords({ format, slots, seconds, rewarded }: PlacementSpec): string {
  const length = seconds === undefined ? '' : ` in ${seconds} s`;
  return `${rewarded === true ? 'rewarded, ' : ''}${slots === 1 ? 'one ad' : `up to ${slots} ads`} of ${format}${length}`;
}

function floorInWords({ floor, currency: code }: PlacementSpec): string {
  if (floor?.cpm !== undefined) return `${code} ${floor.cpm}`;
  return floor?.cpmPerSecond === undefined ? 'none' : `${code} ${floor.cpmPerSecond} a second`;
}
