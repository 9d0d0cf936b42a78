import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdPolicy } from '../kinds/ad-policy.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { ExchangeRate } from '../kinds/exchange-rate.ts';
import type { ServingStatus } from '../kinds/parts.ts';
import { Placement } from '../kinds/placement.ts';
import { OPEN_RULES } from '../rules/listener-rules.ts';
import { askBreak, live, tableOf, worldOf } from '../testing/world.ts';
import { adStatuses } from './ad-statuses.ts';
import { decideBreak } from './decide.ts';

const NOW_MS = Date.UTC(2026, 11, 1, 12);
const NOW = Temporal.Instant.fromEpochMilliseconds(NOW_MS);
const iso = (ms: number) => Temporal.Instant.fromEpochMilliseconds(ms).toString();
const HOUR_MS = 3_600_000;

/** The status of each object of advertisers, by its name. */
function readAll(objects: readonly LiveObject[]): ReadonlyMap<string, ServingStatus> {
  const readers = adStatuses(worldOf(objects));
  return new Map(
    objects.flatMap((object) => {
      const reader = readers.find(({ kind }) => kind.id === object.kind);
      return reader === undefined
        ? []
        : [[object.name, reader.read(storedForm(object, reader.kind), NOW) as ServingStatus]];
    }),
  );
}

function storedForm({ name, namespace, spec }: LiveObject, kind: Kind) {
  const metadata = { name: readLiveName(kind, name).name, namespace };
  return { apiVersion: kind.apiVersion, kind: kind.kind, metadata, spec };
}

/** Asks for a break at each placement as a listener who may get everything. */
function isServedAnywhere(objects: readonly LiveObject[]): boolean {
  const table = tableOf(objects);
  return Array.from(table.placements).some(([name, { policy }]) => {
    if (policy === undefined) return false;
    const rules = { ...OPEN_RULES, mayBeExplicit: policy.explicit !== 'never' };
    return decideBreak(table, askBreak(table, { nowMs: NOW_MS, rules }, name)).served.length > 0;
  });
}

/** The same world with one of the ad sets, or of the ads, alone. */
function onlyWith(objects: readonly LiveObject[], { kind, name }: LiveObject): readonly LiveObject[] {
  return objects.filter((one) => one.kind !== kind || one.name === name);
}

const SETS = ['a.s0', 'a.s1'];
const PLACES = ['p0', 'p1'];
const isThere = fc.integer({ min: 0, max: 9 }).map((number) => number > 0);
const rarely = fc.integer({ min: 0, max: 5 }).map((number) => number === 0);
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined, freq: 2 });

const adSet = fc.record({
  paused: rarely,
  bid: fc.integer({ min: 1, max: 9 }).map((bid) => `${bid}.00`),
  audience: fc.constantFrom(undefined, undefined, 'everybody', 'nobody-declared'),
  placements: maybe(fc.uniqueArray(fc.constantFrom(...PLACES, 'gone'), { minLength: 1 })),
  from: fc.constantFrom(undefined, undefined, iso(NOW_MS - HOUR_MS), iso(NOW_MS), iso(NOW_MS + HOUR_MS)),
  until: fc.constantFrom(undefined, undefined, iso(NOW_MS + 2 * HOUR_MS), iso(NOW_MS)),
});
const ad = fc.record({
  adSet: fc.constantFrom(...SETS),
  asset: fc.constantFrom('a.short', 'a.long', 'a.image', 'a.gone'),
  paused: rarely,
  explicit: rarely,
});
const placement = fc.record({
  shape: fc.constantFrom({ format: 'audio', seconds: 60 }, { format: 'audio', seconds: 20 }, { format: 'image' }),
  floor: fc.constantFrom(undefined, { cpm: '4.00' }, { cpmPerSecond: '0.10' }),
  currency: fc.constantFrom('EUR', 'USD'),
  blockedCategories: fc.constantFrom(undefined, undefined, ['cars']),
  policy: fc.constantFrom('standard', 'standard', 'strict', 'gone'),
});

const asset = (name: string, spec: object) =>
  live(Asset, name, { account: 'a', renditions: [{ url: 'https://a.example/a', mime: 'audio/aac' }], ...spec });

const FIXED: readonly LiveObject[] = [
  live(AdPolicy, 'standard', { consent: [{ framework: 'none' }] }),
  live(AdPolicy, 'strict', { consent: [{ framework: 'none' }], explicit: 'never' }),
  live(Audience, 'everybody', {
    anyOf: [{ allOf: [{ attribute: 'targetingKey', exists: true }] }],
  }),
  asset('a.short', { format: 'audio', seconds: 15 }),
  asset('a.long', { format: 'audio', seconds: 45 }),
  asset('a.image', { format: 'image' }),
];

const world: fc.Arbitrary<readonly LiveObject[]> = fc
  .record({
    account: fc.record({ there: isThere, suspended: rarely, currency: fc.constantFrom('EUR', 'USD'), cars: rarely }),
    campaign: fc.record({ there: isThere, paused: rarely }),
    adSets: fc.array(adSet, { maxLength: SETS.length }),
    ads: fc.array(ad, { maxLength: 4 }),
    placements: fc.array(placement, { maxLength: PLACES.length }),
    rate: fc.boolean(),
  })
  .map(({ account, campaign, adSets, ads, placements, rate }) => [
    ...FIXED,
    ...(account.there
      ? [
          live(Advertiser, 'a', {
            currency: account.currency,
            categories: account.cars ? ['cars'] : [],
            ...(account.suspended ? { suspended: { reason: 'unpaid' } } : {}),
          }),
        ]
      : []),
    ...(campaign.there ? [live(Campaign, 'a.c', { account: 'a', paused: campaign.paused })] : []),
    ...adSets.map((spec, index) =>
      live(AdSet, `a.s${index}`, { account: 'a', campaign: 'a.c', tier: 'auction', position: 'any', ...spec }),
    ),
    ...ads.map((spec, index) => live(Ad, `a.ad${index}`, { account: 'a', weight: 1, ...spec })),
    ...placements.map(({ shape, ...spec }, index) =>
      live(Placement, `p${index}`, { slots: 2, pricing: 'firstPrice', adFreeFeature: 'ad-free', ...shape, ...spec }),
    ),
    ...(rate
      ? [live(ExchangeRate, 'usd', { base: 'USD', quote: 'EUR', rates: [{ from: '2026-01-01', rate: '0.9' }] })]
      : []),
  ]);

test('what is serving is what a listener who may get everything is served, and all else has a reason', () => {
  fc.assert(
    fc.property(world, (objects) => {
      const statuses = readAll(objects);
      for (const object of objects) {
        const status = statuses.get(object.name);
        if (status === undefined) continue;
        const own = object.kind === AdSet.id || object.kind === Ad.id ? onlyWith(objects, object) : objects;
        // An ad may be served for its own ad set alone; one account and one campaign have all.
        assert.equal(status.serving, isServedAnywhere(own), `${object.name}: ${JSON.stringify(status)}`);
        assert.equal(status.serving, status.reasons.length === 0, object.name);
        assert.doesNotMatch(JSON.stringify(status), /undefined|Infinity|: \.|by \./, object.name);
      }
    }),
    { numRuns: 300 },
  );
});

const STORY = [
  ...FIXED,
  live(Advertiser, 'a', { currency: 'EUR', categories: [] }),
  live(Campaign, 'a.c', { account: 'a', paused: true }),
  live(Placement, 'p0', {
    format: 'audio',
    slots: 2,
    seconds: 30,
    currency: 'EUR',
    floor: { cpm: '20.00' },
    pricing: 'firstPrice',
    policy: 'standard',
    adFreeFeature: 'ad-free',
  }),
  live(AdSet, 'a.s', {
    account: 'a',
    campaign: 'a.c',
    tier: 'auction',
    position: 'any',
    bid: '9.00',
    from: iso(NOW_MS + HOUR_MS),
    placements: ['p0', 'gone'],
  }),
  live(Ad, 'a.ad', { account: 'a', adSet: 'a.s', asset: 'a.short', weight: 1 }),
  live(Ad, 'a.other', { account: 'a', adSet: 'a.s', asset: 'a.gone', weight: 1 }),
  live(Ad, 'a.stray', { account: 'a', adSet: 'a.none', asset: 'a.short', weight: 1, paused: true }),
];

test('a status has each reason with its remedy', () => {
  const statuses = readAll(STORY);
  const begins = {
    reason: 'not begun',
    message: 'It begins at 2026-12-01T13:00:00Z.',
    remedy: 'Wait, or set an earlier spec.from of the AdSet.',
  };
  const paused = {
    reason: 'campaign paused',
    message: 'Campaign a.c is paused.',
    remedy: 'Set spec.paused of Campaign a.c to false.',
  };
  const missing = {
    reason: 'placement missing',
    message: 'Not live: Placement gone.',
    remedy: 'Declare it, or name other placements in spec.placements of the AdSet.',
  };
  const floor = {
    reason: 'below the floor',
    message: 'The bid is below the floor of p0.',
    remedy: 'Raise spec.bid of the AdSet, or name other placements in spec.placements of the AdSet.',
  };
  assert.deepEqual(statuses.get('default/a.s'), { serving: false, reasons: [paused, begins, floor, missing] });
  assert.deepEqual(statuses.get('default/a.ad'), { serving: false, reasons: [paused, begins, floor, missing] });
  assert.deepEqual(
    statuses.get('default/a.other')?.reasons.map(({ reason }) => reason),
    ['asset missing', 'campaign paused', 'not begun'],
  );
  assert.deepEqual(
    statuses.get('default/a.stray')?.reasons.map(({ message }) => message),
    ['It is paused.', 'There is no AdSet a.none.'],
  );
  assert.deepEqual(statuses.get('default/a'), {
    serving: false,
    reasons: [
      {
        reason: 'no ad set serving',
        message:
          'None of its ad sets is serving: a.s (campaign paused, not begun, below the floor, placement missing).',
        remedy: 'Look at the reasons of each: kubectl get adsets --field-selector spec.account=a.',
      },
    ],
  });
});

test('a change of what a placement is made of shows at once, and a campaign of many halted ad sets is not decided', () => {
  const sets = Array.from({ length: 60 }, (_, index) =>
    live(AdSet, `a.s${index}`, {
      account: 'a',
      campaign: 'a.c',
      tier: 'auction',
      position: 'any',
      bid: '9.00',
      ...(index === 0 ? {} : { paused: true }),
    }),
  );
  const objects = [
    ...STORY.slice(0, -4),
    ...sets,
    live(Ad, 'a.x', { account: 'a', adSet: 'a.s0', asset: 'a.short', weight: 1 }),
  ];
  const running = worldOf(objects.filter(({ kind }) => kind !== Campaign.id));
  running.set(live(Campaign, 'a.c', { account: 'a' }));
  const reader = adStatuses(running).find(({ kind }) => kind === Campaign);
  const read = () => reader?.read(storedForm(live(Campaign, 'a.c', { account: 'a' }), Campaign), NOW) as ServingStatus;

  assert.equal(read().serving, undefined);
  assert.match(
    read().reasons[0]?.message ?? '',
    /^None of the first 50 of its 60 ad sets is serving: a\.s0 \(below the floor\); /,
  );
  const place = objects.find(({ kind }) => kind === Placement.id) as LiveObject;
  running.set({ ...place, spec: { ...(place.spec as object), floor: { cpm: '1.00' } } });
  assert.deepEqual(read(), { serving: true, reasons: [] });
});

test('the status of an ad reads none of the other ads of its ad set', () => {
  const world = worldOf([
    live(Advertiser, 'a', { currency: 'EUR' }),
    live(Campaign, 'a.c', { account: 'a' }),
    live(AdSet, 'a.s', { account: 'a', campaign: 'a.c', tier: 'auction', position: 'any', bid: '9.00' }),
    live(Asset, 'a.f', { account: 'a', format: 'audio', seconds: 30, renditions: [] }),
  ]);
  const ad = live(Ad, 'a.ad', { account: 'a', adSet: 'a.s', asset: 'a.f', weight: 1 });
  const readers = adStatuses({
    get: (kind, name) => world.get(kind, name),
    list: (kind) => world.list(kind),
    find: (kind, index, value) => {
      assert.notEqual(kind, Ad.id, 'a list of ads would cost the square of them');
      return world.find(kind, index, value);
    },
  });
  const status = readers.find(({ kind }) => kind === Ad)?.read(storedForm(ad, Ad), NOW) as ServingStatus;
  assert.deepEqual(
    status.reasons.map(({ reason }) => reason),
    ['no placement'],
  );
});
