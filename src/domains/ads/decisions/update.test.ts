import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { atOnce } from '#kernel/base/turns.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdPolicy } from '../kinds/ad-policy.ts';
import { AdSet, TIERS } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { ExchangeRate } from '../kinds/exchange-rate.ts';
import { Placement } from '../kinds/placement.ts';
import { askBreak, live, tableOf, worldOf } from '../testing/world.ts';
import { compileInSteps, updateInSteps } from './compile.ts';
import { decideBreak } from './decide.ts';
import { countReasons } from './explain.ts';
import type { AdsTable } from './table.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const ACCOUNTS = ['a', 'b', 'c'];
const number = fc.integer({ min: 0, max: 3 });

/** One object in another form; without a spec it is deleted. */
interface Change {
  readonly kind: Kind;
  readonly name: string;
  readonly spec: object | undefined;
}

const account = fc.constantFrom(...ACCOUNTS);
const rule = (plan: string) => ({ anyOf: [{ allOf: [{ attribute: 'plan', in: [plan] }] }] });
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined, freq: 4 });

const change: fc.Arbitrary<Change> = fc.oneof(
  fc
    .record({
      at: account,
      suspended: fc.boolean(),
      currency: fc.constantFrom('EUR', 'EUR', 'USD'),
      there: maybe(fc.constant(true)),
    })
    .map(({ at, suspended, currency, there }) => ({
      kind: Advertiser,
      name: at,
      spec: there && {
        currency,
        categories: [],
        ...(suspended
          ? { suspended: { reason: 'r' }, frequencyCaps: [{ count: 1, per: 'P1D', scope: 'listener' }] }
          : {}),
      },
    })),
  fc.record({ at: account, paused: fc.boolean(), there: maybe(fc.constant(true)) }).map(({ at, paused, there }) => ({
    kind: Campaign,
    name: `${at}.c`,
    spec: there && {
      account: at,
      paused,
      ...(paused ? {} : { frequencyCaps: [{ count: 2, per: 'PT1H', scope: 'device' }] }),
    },
  })),
  fc
    .record({
      at: account,
      number,
      bid: fc.integer({ min: 1, max: 9 }),
      tier: fc.constantFrom(...TIERS),
      paused: fc.boolean(),
      audience: maybe(fc.constant('payers')),
      plan: maybe(fc.constantFrom('free', 'premium')),
      there: maybe(fc.constant(true)),
    })
    .map(({ at, number: n, there, plan, bid, audience, ...spec }) => ({
      kind: AdSet,
      name: `${at}.s${n}`,
      spec: there && {
        account: at,
        campaign: `${at}.c`,
        position: 'any',
        bid: `${bid}.00`,
        ...spec,
        ...(audience === undefined ? {} : { audience }),
        ...(plan === undefined ? {} : { when: rule(plan) }),
      },
    })),
  fc
    .record({ at: account, number, seconds: fc.constantFrom(15, 30), there: maybe(fc.constant(true)) })
    .map(({ at, number: n, seconds, there }) => ({
      kind: Asset,
      name: `${at}.f${n}`,
      spec: there && {
        account: at,
        format: 'audio',
        seconds,
        renditions: [{ url: 'https://a.example/a', mime: 'audio/aac' }],
      },
    })),
  fc
    .record({ at: account, number, set: number, file: number, there: maybe(fc.constant(true)) })
    .map(({ at, number: n, set, file, there }) => ({
      kind: Ad,
      name: `${at}.a${n}`,
      spec: there && { account: at, adSet: `${at}.s${set}`, asset: `${at}.f${file}`, weight: 1 },
    })),
  fc.integer({ min: 1, max: 3 }).map((slots) => ({
    kind: Placement,
    name: 'break',
    spec: {
      format: 'audio',
      slots,
      seconds: 60,
      currency: 'EUR',
      pricing: 'firstPrice',
      policy: 'standard',
      adFreeFeature: 'ad-free',
    },
  })),
  maybe(fc.constantFrom('0.5', '0.9', '2')).map((rate) => ({
    kind: ExchangeRate,
    name: 'usd-eur',
    spec: rate && { base: 'USD', quote: 'EUR', rates: [{ from: '2026-11-01', rate }] },
  })),
  maybe(fc.constantFrom('adults', 'never')).map((explicit) => ({
    kind: AdPolicy,
    name: 'standard',
    spec: explicit && { explicit, ages: { teenFrom: 13, adultFrom: 18 }, consent: [{ framework: 'none' }] },
  })),
  fc.constantFrom('free', 'premium').map((plan) => ({ kind: Audience, name: 'payers', spec: rule(plan) })),
);

const FIRST: readonly LiveObject[] = [
  live(Attribute, 'plan', { type: 'string' }),
  live(Audience, 'payers', rule('premium')),
  live(Placement, 'break', {
    format: 'audio',
    slots: 3,
    seconds: 60,
    currency: 'EUR',
    pricing: 'firstPrice',
    policy: 'standard',
    adFreeFeature: 'ad-free',
  }),
  ...ACCOUNTS.flatMap((at) => [
    live(Advertiser, at, { currency: 'EUR', categories: [] }),
    live(Campaign, `${at}.c`, { account: at }),
    live(AdSet, `${at}.s0`, { account: at, campaign: `${at}.c`, tier: 'auction', position: 'any', bid: '5.00' }),
    live(Asset, `${at}.f0`, {
      account: at,
      format: 'audio',
      seconds: 15,
      renditions: [{ url: 'https://a.example/a', mime: 'audio/aac' }],
    }),
    live(Ad, `${at}.a0`, { account: at, adSet: `${at}.s0`, asset: `${at}.f0`, weight: 1 }),
  ]),
];

/** Everything that can be seen of a table. */
function answersOf(table: AdsTable): unknown {
  return ['free', 'premium'].map((plan) => {
    const question = askBreak(table, {
      nowMs: NOW_MS,
      context: { targetingKey: 'ann', plan },
      seconds: 60,
      random: () => 0.4,
    });
    const decision = decideBreak(table, question);
    const counts = atOnce(countReasons(table, question, decision)).map(({ reason, adSets }) => `${reason} ${adSets}`);
    const { served, candidates } = decision;
    const { setOfAd, cappedCount } = table;
    return [question.placement.policy, served, candidates, counts.toSorted(), [...setOfAd].toSorted(), cappedCount];
  });
}

test('a table after any changes answers as one that is compiled anew', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 12 }), (batches) => {
      const world = worldOf(FIRST);
      let table = tableOf(FIRST);
      for (const batch of batches) {
        const changed = batch.map(({ kind, name, spec }) => {
          const object = live(kind, name, spec);
          if (spec === undefined) world.delete(kind.id, object.name);
          else world.set(object);
          return { kind: kind.id, name: object.name };
        });
        table = atOnce(updateInSteps(table, world, changed, compileAudiences(world)));
        assert.deepEqual(answersOf(table), answersOf(atOnce(compileInSteps(world, compileAudiences(world)))));
      }
    }),
    { numRuns: 150 },
  );
});

test('a table counts the ad sets that may be served and have caps', () => {
  const cap = { frequencyCaps: [{ count: 1, per: 'P1D', scope: 'listener' }] };
  const counts = [{}, cap, { ...cap, paused: true }].map((spec) => {
    const objects = FIRST.map((object) =>
      object.kind === Campaign.id && object.name === 'default/a.c'
        ? live(Campaign, 'a.c', { account: 'a', ...spec })
        : object,
    );
    return tableOf(objects).cappedCount;
  });
  assert.deepEqual(counts, [0, 1, 0]);
});

test('the index is built anew when many ad sets have changed since', () => {
  const world = worldOf(FIRST);
  const audiences = compileAudiences(world);
  let table = tableOf(FIRST);
  const { index } = table;
  const built: number[] = [];
  for (let n = 0; n < 600; n += 1) {
    const spec = { account: 'a', campaign: 'a.c', tier: 'auction', position: 'any', bid: `${1 + (n % 9)}.00` };
    const objects = [
      live(AdSet, `a.many-${n}`, spec),
      live(Ad, `a.many-ad-${n}`, { account: 'a', adSet: `a.many-${n}`, asset: 'a.f0', weight: 1 }),
    ];
    for (const object of objects) world.set(object);
    const before = table.index;
    table = atOnce(updateInSteps(table, world, objects, audiences));
    if (table.index !== before) built.push(n);
    assert.ok(table.recent.length <= 256 && table.outdated.size <= 256);
  }
  assert.notEqual(table.index, index);
  assert.deepEqual(built, [256, 513]);
  assert.deepEqual(answersOf(table), answersOf(atOnce(compileInSteps(world, audiences))));
});
