import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { fieldsWithoutEffect, type FieldEffects } from '#kernel/kinds/testing/field-effects.ts';
import { rewardMsOf } from '../break-history.ts';
import { ownerNumber } from '../decisions/caps.ts';
import { decideBreak } from '../decisions/decide.ts';
import { EMPTY_HISTORY } from '../rules/ad-history.ts';
import { capCheck } from '../rules/cap-check.ts';
import { observePolicy, POLICY, VENDOR } from '../testing/policy-world.ts';
import type { CompiledAd, CompiledAdSet } from '../decisions/table.ts';
import { vastDocument } from '../serving/vast.ts';
import { askBreak, live, tableOf, worldOf } from '../testing/world.ts';
import { Ad } from './ad.ts';
import { AdPolicy } from './ad-policy.ts';
import { AdSet } from './ad-set.ts';
import { Advertiser } from './advertiser.ts';
import { Asset } from './asset.ts';
import { Campaign } from './campaign.ts';
import { ExchangeRate } from './exchange-rate.ts';
import { Placement } from './placement.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);

const asset = (account: string, seconds: number) => ({
  account,
  format: 'audio',
  seconds,
  renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg', kbps: 128, width: 1, height: 1 }],
});
const image = {
  account: 'a',
  format: 'image',
  renditions: [{ url: 'https://cdn.example.com/a.png', mime: 'image/png', width: 300, height: 250 }],
};
const placementSpec = {
  format: 'audio',
  slots: 2,
  seconds: 60,
  currency: 'EUR',
  floor: { cpm: '2.00' },
  deals: [{ id: 'd1', accounts: ['a'], floor: { cpm: '8.00' } }],
  pricing: 'firstPrice',
  policy: 'standard',
  adFreeFeature: 'ad-free',
  blockedCategories: ['betting'],
};
const free = { anyOf: [{ allOf: [{ attribute: 'plan', in: ['free'] }] }] };
const adSetSpec = { account: 'a', campaign: 'a.c', bid: '9.00', tier: 'auction', position: 'any' };

const WORLD: readonly LiveObject[] = [
  live(Attribute, 'plan', { type: 'string' }),
  live(Audience, 'payers', { anyOf: [{ allOf: [{ attribute: 'plan', in: ['premium'] }] }] }),
  live(AdPolicy, 'standard', { consent: [{ framework: 'none' }], load: { rewardedMinutes: 30 } }),
  live(Placement, 'break', placementSpec),
  live(Advertiser, 'a', { currency: 'EUR', categories: ['cars'] }),
  live(Advertiser, 'b', { currency: 'EUR', categories: ['cars'] }),
  live(Advertiser, 'd', { currency: 'EUR', categories: [] }),
  live(Advertiser, 'u', { currency: 'USD', categories: [] }),
  live(ExchangeRate, 'usd-eur', { base: 'USD', quote: 'EUR', rates: [{ from: '2026-11-01', rate: '0.90' }] }),
  ...['a', 'b', 'd', 'u'].flatMap((account) => [
    live(Campaign, `${account}.c`, { account }),
    live(AdSet, `${account}.s`, {
      ...adSetSpec,
      account,
      campaign: `${account}.c`,
      ...(account === 'a' ? { bid: '9.00', deal: 'd1' } : { bid: '5.00' }),
    }),
    live(Asset, `${account}.f`, asset(account, 30)),
    live(Ad, `${account}.ad`, { account, adSet: `${account}.s`, asset: `${account}.f`, weight: 1 }),
  ]),
  live(AdSet, 'd.clicks', { ...adSetSpec, account: 'd', campaign: 'd.c', goal: 'cpc', bid: '4.00' }),
  live(AdSet, 'd.plays', { ...adSetSpec, account: 'd', campaign: 'd.c', goal: 'cpcv', bid: '0.01' }),
  live(Asset, 'd.g', asset('d', 20)),
  live(Ad, 'd.ad2', { account: 'd', adSet: 'd.clicks', asset: 'd.g', weight: 1 }),
  live(Ad, 'd.ad3', { account: 'd', adSet: 'd.plays', asset: 'd.g', weight: 1 }),
  live(AdSet, 'a.t', { ...adSetSpec, bid: '1.00' }),
  live(Asset, 'a.g', asset('a', 20)),
  live(Asset, 'a.p', image),
  live(Ad, 'a.ad2', { account: 'a', adSet: 'a.s', asset: 'a.g', weight: 1 }),
];

/** Half an hour before the first moment the listener got an ad of each owner, on another device. */
const GOT: Parameters<typeof capCheck>[0] = new Map([
  [
    'listener' as const,
    {
      history: {
        groups: [
          {
            owners: [
              [AdSet, 'default/a.s'] as const,
              [Campaign, 'default/a.c'] as const,
              [Advertiser, 'default/a'] as const,
            ].map(([kind, name]) => ownerNumber(kind.id, name)),
            keepMs: 86_400_000,
            exposures: [{ id: 1, hasPlayed: true, ms: NOW_MS - 1_800_000 }],
          },
        ],
      },
    },
  ],
  ['device' as const, { history: EMPTY_HISTORY }],
]);

/** An ad as a player gets it. */
function vastOf({ advertiser, categories }: CompiledAdSet, ad: CompiledAd): string {
  const one = { ad, advertiser, categories, servingId: 'd.0', token: 'T' };
  return vastDocument([one], { baseUrl: 'https://ads.example.com', mayMeasure: true });
}

/** Breaks for many listeners and moments, and the problems of a write. */
function observer(kind: Kind, name: string): FieldEffects['observe'] {
  return (spec) => {
    const objects = [
      ...WORLD.filter((object) => object.kind !== kind.id || object.name !== live(kind, name, {}).name),
      live(kind, name, spec),
    ];
    const world = worldOf(objects);
    const table = tableOf(objects);
    const find = (of: string, index: string, value: string) =>
      world
        .find(of, index, value)
        .map((object) => ({ apiVersion: '', kind: '', metadata: { name: object.name }, spec: object.spec }) as const);
    const breaks = ['free', 'premium'].flatMap((plan) =>
      [NOW_MS, NOW_MS + 86_400_000].flatMap((nowMs) =>
        [true, false].flatMap((filtersExplicit) =>
          [0.1, 0.6].map((random) => {
            if (!table.placements.has('break')) return [];
            const question = askBreak(table, {
              nowMs,
              context: { targetingKey: 'ann', plan },
              filtersExplicit,
              heldBack: ({ caps }) => capCheck(GOT, nowMs)(caps),
              random: () => random,
            });
            const { served, candidates } = decideBreak(table, question);
            return [
              question.placement.spec.adFreeFeature,
              rewardMsOf(question.placement),
              candidates.map(({ adSet, ecpm }) => [adSet.name, ecpm]),
              served.map(({ adSet, ad, ecpm, charge }) => [
                adSet.name,
                adSet.campaign,
                adSet.money,
                vastOf(adSet, ad),
                ad.clickThrough,
                ecpm,
                charge,
              ]),
            ];
          }),
        ),
      ),
    );
    const context = { now: Temporal.Instant.fromEpochMilliseconds(NOW_MS), find, name };
    const refs = kind.refs?.(spec, 'default').filter((ref) => world.get(ref.kind, ref.name) === undefined);
    return [breaks, kind.validate?.(spec, context), refs];
  };
}

const HOURLY = { frequencyCaps: [{ count: 1, per: 'PT1H', scope: 'listener' }] };
const CAPS = {
  'frequencyCaps[].count': [2],
  'frequencyCaps[].per': ['PT10M'],
  'frequencyCaps[].scope': ['device'],
};

const BUDGETS = { 'budget.daily': ['6.00'], 'budget.lifetime': ['60.00'] };

const EFFECTS: readonly (Omit<FieldEffects, 'observe'> & { readonly name: string })[] = [
  {
    kind: Placement,
    name: 'break',
    bases: [
      placementSpec,
      { ...placementSpec, pricing: 'secondPrice' },
      { ...placementSpec, slots: 1, rewarded: true },
      { ...placementSpec, floor: { cpmPerSecond: '0.10' } },
      { ...placementSpec, deals: [{ id: 'd1', accounts: ['a'], floor: { cpmPerSecond: '0.10' } }] },
    ],
    informational: ['title'],
    values: {
      currency: ['USD'],
      slots: [1],
      seconds: [30],
      'floor.cpm': ['6.00'],
      'floor.cpmPerSecond': ['0.20'],
      'blockedCategories[]': ['cars'],
      'deals[].id': ['d2'],
      'deals[].accounts[]': ['b'],
      'deals[].floor.cpm': ['9.50'],
      'deals[].floor.cpmPerSecond': ['0.50'],
      'priors.clickRate': [0.01],
      'priors.completionRate': [0.1],
    },
  },
  {
    kind: ExchangeRate,
    name: 'usd-eur',
    bases: [{ base: 'USD', quote: 'EUR', rates: [{ from: '2026-11-01', rate: '0.90' }] }],
    informational: [],
    values: { base: ['GBP'], quote: ['GBP'], 'rates[].from': ['2026-12-01'], 'rates[].rate': ['0.10'] },
  },
  {
    kind: Advertiser,
    name: 'a',
    bases: [
      { currency: 'EUR', categories: ['cars'] },
      { currency: 'EUR', suspended: { reason: 'unpaid' } },
      { currency: 'EUR', ...HOURLY },
      { currency: 'EUR', zone: 'Europe/Berlin', budget: { daily: '5.00', lifetime: '50.00' } },
    ],
    informational: ['title', 'suspended.reason'],
    values: { currency: ['USD'], 'categories[]': ['betting'], zone: ['Asia/Tokyo'], ...BUDGETS, ...CAPS },
  },
  {
    kind: Campaign,
    name: 'a.c',
    bases: [
      { account: 'a', budget: { daily: '5.00', lifetime: '50.00' } },
      { account: 'a', ...HOURLY },
    ],
    informational: ['title'],
    values: { ...BUDGETS, ...CAPS },
  },
  {
    kind: AdSet,
    name: 'a.s',
    bases: [
      { ...adSetSpec, audience: 'payers', placements: ['break'] },
      { ...adSetSpec, ...HOURLY },
      { ...adSetSpec, bid: '7.00', deal: 'd1' },
      { ...adSetSpec, dayParts: [{ days: ['mon'], from: '07:00', until: '13:00' }] },
      { ...adSetSpec, pacing: 'asap', budget: { daily: '5.00', lifetime: '50.00' } },
      { ...adSetSpec, when: free, from: '2026-11-30T00:00:00Z', until: '2026-12-01T00:00:00Z' },
    ],
    informational: ['title'],
    shared: ['when'],
    values: {
      bid: ['3.00'],
      ...BUDGETS,
      ...CAPS,
      tier: ['house', 'sponsorship'],
      position: ['last'],
      deal: ['d2'],
      'dayParts[].days[]': ['tue'],
      'dayParts[].from': ['12:30'],
      'dayParts[].until': ['11:00'],
      from: ['2026-11-30T18:00:00Z'],
      until: ['2026-12-24T00:00:00Z'],
      when: [{ anyOf: [{ allOf: [{ attribute: 'plan', in: ['premium'] }] }] }],
    },
  },
  {
    kind: Asset,
    name: 'a.f',
    bases: [asset('a', 30), { ...asset('a', 30), renditions: [], vastTagUri: 'https://other.example/vast' }],
    informational: ['title'],
    values: {
      seconds: [25],
      'renditions[].url': ['https://cdn.example.com/b.mp3'],
      'renditions[].mime': ['audio/ogg'],
      vastTagUri: ['https://other.example/vast?b'],
    },
  },
  {
    kind: Ad,
    name: 'a.ad',
    bases: [
      {
        account: 'a',
        adSet: 'a.s',
        asset: 'a.f',
        weight: 1,
        clickThrough: 'https://example.com/',
        companion: 'a.p',
        tracking: [{ event: 'start', url: 'https://third.example/start' }],
        verification: [
          {
            vendor: 'third',
            url: 'https://third.example/omid.js',
            parameters: 'p',
            notExecuted: 'https://third.example/no',
          },
        ],
      },
    ],
    informational: ['title'],
    values: {
      weight: [9],
      clickThrough: ['https://example.com/other'],
      adSet: ['a.t'],
      asset: ['a.g'],
      companion: ['a.q'],
      'tracking[].url': ['https://third.example/other'],
      'verification[].url': ['https://third.example/other.js'],
      'verification[].notExecuted': ['https://third.example/other'],
    },
  },
];

for (const { name, ...effects } of EFFECTS) {
  test(`every field of ${effects.kind.kind} shows`, async () => {
    assert.deepEqual(await fieldsWithoutEffect({ ...effects, observe: observer(effects.kind, name) }), []);
  });
}

test('every field of AdPolicy shows', async () => {
  const bases = [
    POLICY,
    { ...POLICY, load: { breaksPerHour: 2, gapSeconds: 60 } },
    { ...POLICY, load: { gapSeconds: 60 } },
    { ...POLICY, load: { graceMinutes: 5, rewardedMinutes: 30 } },
    { ...POLICY, categories: [{ categories: ['jazz'], territories: ['DE'] }] },
    { ...POLICY, consent: [{ territories: ['DE'], framework: 'tcf', vendor: VENDOR, legitimateInterests: [7] }] },
  ];
  const values = {
    'load.breaksPerHour': [3],
    'load.gapSeconds': [1_000],
    'load.graceMinutes': [1],
    'load.rewardedMinutes': [20],
    explicit: ['adults', 'never'],
    'ages.teenFrom': [12],
    'ages.adultFrom': [17],
    'childCategories[]': ['alcohol'],
    'categories[].categories[]': ['toys'],
    'categories[].minAge': [18],
    'categories[].territories[]': ['JP'],
    'categories[].deniedIn[]': ['JP'],
    'consent[].territories[]': ['JP'],
    'consent[].framework': ['none'],
    'consent[].vendor': [14],
    'consent[].legitimateInterests[]': [2],
    'attributes.contextual[]': ['device'],
    'attributes.limited[]': ['income'],
  };
  const effects = { kind: AdPolicy, bases, informational: ['title'], values, observe: observePolicy };
  assert.deepEqual(await fieldsWithoutEffect(effects), []);
});
