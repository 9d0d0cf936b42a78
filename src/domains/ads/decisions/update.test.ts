import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { buildAudienceIndex } from '#kernel/audiences/index/audience-index.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { atOnce } from '#kernel/base/turns.ts';
import type { Kind, LiveObject, World } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdPolicy } from '../kinds/ad-policy.ts';
import { AdSet, TIERS } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { ExchangeRate } from '../kinds/exchange-rate.ts';
import { Placement } from '../kinds/placement.ts';
import { OPEN_RULES } from '../rules/listener-rules.ts';
import { allAdSets, askBreak, live, tableOf, worldOf, worldOver } from '../testing/world.ts';
import { AdSetRows } from './ad-set-rows.ts';
import { compileInSteps, updateInSteps } from './compile.ts';
import { ecpmOf, GOALS } from '../rules/goals.ts';
import { worthsAt } from './may-fit.ts';
import { decideBreak, fittingAds, type BreakQuestion } from './decide.ts';
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

const isoOf = (ms: number) => Temporal.Instant.fromEpochMilliseconds(ms).toString();
const floor = fc.constantFrom(undefined, { cpm: '3.00' }, { cpmPerSecond: '0.20' });
const deals = fc.constantFrom(undefined, [{ id: 'low', accounts: ['a', 'b'], floor: { cpm: '1.00' } }]);
const blockedCategories = fc.constantFrom(undefined, ['betting']);

function withoutAbsent(spec: object): object {
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));
}

const change: fc.Arbitrary<Change> = fc.oneof(
  fc
    .record({
      at: account,
      suspended: fc.boolean(),
      currency: fc.constantFrom('EUR', 'EUR', 'USD'),
      category: maybe(fc.constantFrom('betting', 'toys')),
      there: maybe(fc.constant(true)),
    })
    .map(({ at, suspended, currency, category, there }) => ({
      kind: Advertiser,
      name: at,
      spec: there && {
        currency,
        categories: category === undefined ? [] : [category],
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
      tier: fc.constantFrom('auction', ...TIERS),
      goal: fc.constantFrom(...GOALS),
      position: fc.constantFrom('any', 'any', 'first'),
      paused: fc.boolean(),
      audience: maybe(fc.constant('payers')),
      plan: maybe(fc.constantFrom('free', 'premium')),
      placements: maybe(fc.constantFrom(['break'], ['other'], ['break', 'other'])),
      from: maybe(fc.constantFrom(isoOf(NOW_MS), isoOf(NOW_MS + 1))),
      until: maybe(fc.constantFrom(isoOf(NOW_MS), isoOf(NOW_MS + 1))),
      deal: maybe(fc.constant('low')),
      there: maybe(fc.constant(true)),
    })
    .map(({ at, number: n, there, plan, bid, ...spec }) => ({
      kind: AdSet,
      name: `${at}.s${n}`,
      spec: there && {
        account: at,
        campaign: `${at}.c`,
        bid: `${bid}.00`,
        ...withoutAbsent(spec),
        ...(plan === undefined ? {} : { when: rule(plan) }),
      },
    })),
  fc
    .record({
      at: account,
      number: fc.constantFrom(0, 0, 1),
      seconds: fc.constantFrom(15, 30),
      format: fc.constantFrom('audio', 'audio', 'video'),
      vastTagUri: maybe(fc.constant('https://a.example/vast')),
      there: maybe(fc.constant(true)),
    })
    .map(({ at, number: n, there, ...spec }) => ({
      kind: Asset,
      name: `${at}.f${n}`,
      spec: there && {
        account: at,
        renditions: [{ url: 'https://a.example/a', mime: 'audio/aac' }],
        ...withoutAbsent(spec),
      },
    })),
  fc
    .record({
      at: account,
      number,
      set: fc.constantFrom(0, 0, 0, 1),
      file: fc.constantFrom(0, 0, 1),
      explicit: fc.boolean(),
      paused: fc.boolean(),
      companion: maybe(number),
      there: maybe(fc.constant(true)),
    })
    .map(({ at, number: n, set, file, companion, there, ...spec }) => ({
      kind: Ad,
      name: `${at}.a${n}`,
      spec: there && {
        account: at,
        adSet: `${at}.s${set}`,
        asset: `${at}.f${file}`,
        weight: 1,
        ...spec,
        ...(companion === undefined ? {} : { companion: `${at}.f${companion}` }),
      },
    })),
  fc.record({ slots: fc.integer({ min: 1, max: 3 }), floor, deals, blockedCategories }).map(({ slots, ...spec }) => ({
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
      ...withoutAbsent(spec),
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
  maybe(fc.constantFrom('free', 'premium')).map((plan) => ({
    kind: Audience,
    name: 'payers',
    spec: plan && rule(plan),
  })),
  fc.boolean().map((multiValued) => ({ kind: Attribute, name: 'plan', spec: { type: 'string', multiValued } })),
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

/** More ad sets of the same accounts: what a click may be worth is far above what it is. */
const MORE: readonly LiveObject[] = ACCOUNTS.flatMap((at) =>
  GOALS.flatMap((goal, n) => [
    live(AdSet, `${at}.s${n}`, {
      account: at,
      campaign: `${at}.c`,
      tier: 'auction',
      goal,
      position: 'any',
      bid: ['2.00', '1.00', '0.01'][n],
    }),
    live(Ad, `${at}.a${n}`, { account: at, adSet: `${at}.s${n}`, asset: `${at}.f0`, weight: 1 }),
  ]),
);

/** Questions of listeners that different ads fit. */
function questionsOf(table: AdsTable): readonly BreakQuestion[] {
  const question = { nowMs: NOW_MS, random: () => 0.4 };
  const { permission } = OPEN_RULES;
  const rules = [
    OPEN_RULES,
    { ...OPEN_RULES, permission: { ...permission, measurement: false } },
    { ...OPEN_RULES, mayBeExplicit: false },
    { ...OPEN_RULES, onlyCategories: new Set(['toys']) },
    { ...OPEN_RULES, deniedCategories: new Map([['toys', 'territory' as const]]) },
  ];
  return [
    ...['free', 'premium'].map((plan) =>
      askBreak(table, { ...question, context: { targetingKey: 'ann', plan }, seconds: 60 }),
    ),
    ...rules.map((one) => askBreak(table, { ...question, rules: one, context: { plan: 'premium' } })),
    askBreak(table, { ...question, context: { plan: ['premium'] } }),
    askBreak(table, { ...question, filtersExplicit: true }),
    askBreak(table, { ...question, seconds: 20 }),
    askBreak(table, { ...question, seconds: 15 }),
  ];
}

/** Everything that can be seen of a table. */
function answersOf(table: AdsTable): unknown {
  return questionsOf(table).map((question) => {
    const decision = decideBreak(table, question);
    const counts = atOnce(countReasons(table, question, decision)).map(({ reason, adSets }) => `${reason} ${adSets}`);
    const { served, candidates } = decision;
    const { size, cappedCount } = table;
    return [question.placement.policy, served, candidates, counts.toSorted(), size, cappedCount];
  });
}

/** The same without an index, and with every ad set compiled. */
function naiveAnswersOf(world: World): unknown {
  const audiences = compileAudiences(world);
  const table = atOnce(compileInSteps(world, audiences));
  const recent = allAdSets(table).map((adSet) => ({ adSet, matcher: adSet.rule && audiences.compile(adSet.rule) }));
  const rows = new AdSetRows();
  return answersOf({ ...table, rows, index: buildAudienceIndex([], audiences), recent });
}

/** The candidates of a break, by looking at each ad set: the best for each length and position of an advertiser. */
function naiveCandidates(table: AdsTable, question: BreakQuestion): readonly string[] {
  const worthOf = worthsAt(question);
  const rooms = new Set<string>();
  return allAdSets(table)
    .flatMap((adSet) => {
      const isIn = adSet.rule === undefined || table.audiences.compile(adSet.rule)(question.context, NOW_MS) === true;
      const ads = isIn && adSet.halts.length === 0 ? fittingAds(adSet, question) : [];
      const worth = worthOf(adSet.currency, adSet.goal);
      if (typeof ads === 'string' || ads.length === 0 || worth === undefined) return [];
      const weights = ads.reduce((sum, { weight }) => sum + weight, 0);
      let left = question.random() * weights;
      const ad = ads.find(({ weight }) => (left -= weight) < 0);
      return [
        { adSet, ecpm: ecpmOf(adSet, worth), room: `${adSet.advertiser} ${ad?.asset.seconds} ${adSet.position}` },
      ];
    })
    .sort((a, b) => a.adSet.tier - b.adSet.tier || b.ecpm - a.ecpm || (a.adSet.name < b.adSet.name ? -1 : 1))
    .filter(({ room }) => !rooms.has(room) && rooms.add(room))
    .map(({ adSet }) => adSet.name);
}

test('a table after any changes answers as one that is compiled anew, and as one without an index', () => {
  const compiledMax = 2;
  const batch = fc.array(change, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), fc.array(batch, { maxLength: 8 }), (first, batches) => {
      const world = worldOf([...FIRST, ...MORE]);
      for (const { kind, name, spec } of first) if (spec !== undefined) world.set(live(kind, name, spec));
      let audiences = compileAudiences(world);
      let table = atOnce(compileInSteps(world, audiences, compiledMax));
      for (const changes of batches) {
        const next = worldOver(world);
        const changed = changes.map(({ kind, name, spec }) => {
          const object = live(kind, name, spec);
          next.put(kind.id, object.name, spec === undefined ? undefined : object);
          return { kind: kind.id, name: object.name, object: spec === undefined ? undefined : object };
        });
        audiences = atOnce(audiences.update(next, changed));
        table = atOnce(updateInSteps(table, next, changed, audiences));
        assert.deepEqual(answersOf(table), answersOf(atOnce(compileInSteps(next, compileAudiences(next)))));
        assert.deepEqual(answersOf(table), naiveAnswersOf(next));
        for (const question of questionsOf(table)) {
          const { candidates } = decideBreak(table, question);
          assert.deepEqual(
            candidates.map(({ adSet }) => adSet.name),
            naiveCandidates(table, question),
          );
        }
        assert.ok(table.compiled.size <= compiledMax);
        for (const { kind, name, object } of changed) {
          if (object === undefined) world.delete(kind, name);
          else world.set(object);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('a pause holds from the next table on, whether the ad set was compiled before or not', () => {
  for (const isCompiled of [true, false]) {
    for (const paused of [
      live(AdSet, 'a.s0', {
        account: 'a',
        campaign: 'a.c',
        tier: 'auction',
        position: 'any',
        bid: '5.00',
        paused: true,
      }),
      live(Campaign, 'a.c', { account: 'a', paused: true }),
      live(Advertiser, 'a', { currency: 'EUR', categories: [], suspended: { reason: 'unpaid' } }),
      live(Ad, 'a.a0', { account: 'a', adSet: 'a.s0', asset: 'a.f0', weight: 1, paused: true }),
    ]) {
      const world = worldOf(FIRST);
      const audiences = compileAudiences(world);
      const table = atOnce(compileInSteps(world, audiences));
      if (isCompiled) assert.deepEqual(servedBy(table), ['default/a', 'default/b', 'default/c']);
      const next = worldOver(world);
      next.put(paused.kind, paused.name, paused);
      const after = atOnce(updateInSteps(table, next, [paused], audiences));
      world.set(paused);
      assert.deepEqual(servedBy(after), ['default/b', 'default/c']);
    }
  }
});

test('a table that is not the latest answers by its own world, also what it did not look at before', () => {
  const later: readonly LiveObject[] = [
    live(AdSet, 'a.s0', { account: 'a', campaign: 'a.c', tier: 'house', position: 'any', bid: '9.00' }),
    live(Advertiser, 'a', { currency: 'EUR', categories: ['toys'] }),
    live(Campaign, 'b.c', { account: 'b', paused: true }),
    live(Asset, 'c.f0', { account: 'c', format: 'audio', seconds: 10, renditions: [] }),
    live(Ad, 'c.a0', { account: 'c', adSet: 'c.s0', asset: 'c.f0', weight: 2 }),
  ];
  for (const object of later) {
    const world = worldOf(FIRST);
    const [fresh, used] = [0, 1].map(() => atOnce(compileInSteps(world, compileAudiences(world))));
    assert.ok(fresh !== undefined && used !== undefined);
    const ask = (table: AdsTable) => decideBreak(table, askBreak(table, { nowMs: NOW_MS, context: { plan: 'free' } }));
    const before = ask(used);
    world.set(object);
    world.delete(Ad.id, 'default/a.a0');
    assert.deepEqual(ask(fresh), before);
    assert.deepEqual(ask(used), before);
  }
});

test('a changed audience and a lower floor of a deal hold from the next table on', () => {
  const spec = { account: 'a', campaign: 'a.c', tier: 'auction', position: 'any', bid: '2.00' };
  const world = worldOf([...FIRST, live(AdSet, 'a.s0', { ...spec, audience: 'payers', deal: 'low' })]);
  let audiences = compileAudiences(world);
  let table = atOnce(compileInSteps(world, audiences));
  const { index, rows } = table;
  const placed = FIRST.find(({ kind }) => kind === Placement.id)?.spec as object;
  const steps: readonly (readonly [LiveObject, readonly string[]])[] = [
    [live(Audience, 'payers', rule('free')), ['default/a', 'default/b', 'default/c']],
    [live(Placement, 'break', { ...placed, floor: { cpm: '3.00' } }), ['default/b', 'default/c']],
    [
      live(Placement, 'break', {
        ...placed,
        floor: { cpm: '3.00', cpmPerSecond: '0.10' },
        deals: [{ id: 'low', accounts: ['a'], floor: { cpm: '1.00', cpmPerSecond: '0.05' } }],
      }),
      ['default/a', 'default/b', 'default/c'],
    ],
    [live(Audience, 'payers', rule('premium')), ['default/b', 'default/c']],
  ];
  assert.deepEqual(servedBy(table), ['default/b', 'default/c']);
  for (const [object, served] of steps) {
    const next = worldOver(world);
    next.put(object.kind, object.name, object);
    audiences = atOnce(audiences.update(next, [object]));
    table = atOnce(updateInSteps(table, next, [object], audiences));
    world.set(object);
    assert.deepEqual(servedBy(table), served);
    assert.equal(table.rows, rows);
  }
  assert.notEqual(table.index, index);
});

test('a changed attribute holds from the next table on, in the index and for ad sets that are newer', () => {
  const spec = { tier: 'auction', position: 'any', bid: '2.00', when: rule('free') };
  const setOf = (at: string) => live(AdSet, `${at}.s0`, { account: at, campaign: `${at}.c`, ...spec });
  const world = worldOf([...FIRST, setOf('a'), setOf('b')]);
  let audiences = compileAudiences(world);
  let table = atOnce(compileInSteps(world, audiences));
  const servedNow = () =>
    decideBreak(table, askBreak(table, { nowMs: NOW_MS, context: { plan: ['free'] } }))
      .served.map(({ adSet }) => adSet.advertiser)
      .toSorted();
  for (const object of [
    live(AdSet, 'b.s0', { account: 'b', campaign: 'b.c', ...spec, bid: '3.00' }),
    live(Attribute, 'plan', { type: 'string', multiValued: true }),
  ]) {
    assert.deepEqual(servedNow(), ['default/c']);
    const next = worldOver(world);
    next.put(object.kind, object.name, object);
    audiences = atOnce(audiences.update(next, [object]));
    table = atOnce(updateInSteps(table, next, [object], audiences));
    world.set(object);
  }
  assert.deepEqual(servedNow(), ['default/a', 'default/b', 'default/c']);
});

function servedBy(table: AdsTable): readonly string[] {
  const question = askBreak(table, { nowMs: NOW_MS, context: { plan: 'free' } });
  return decideBreak(table, question)
    .served.map(({ adSet }) => adSet.advertiser)
    .toSorted();
}

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
  let table = atOnce(compileInSteps(world, audiences));
  const { index } = table;
  const built: number[] = [];
  for (let n = 0; n < 600; n += 1) {
    const spec = { account: 'a', campaign: 'a.c', tier: 'auction', position: 'any', bid: `${1 + (n % 9)}.00` };
    const objects = [
      live(AdSet, `a.many-${n}`, spec),
      live(Ad, `a.many-ad-${n}`, { account: 'a', adSet: `a.many-${n}`, asset: 'a.f0', weight: 1 }),
    ];
    const next = worldOver(world);
    for (const object of objects) next.put(object.kind, object.name, object);
    const before = table.index;
    table = atOnce(updateInSteps(table, next, objects, audiences));
    for (const object of objects) world.set(object);
    if (table.index !== before) built.push(n);
    assert.ok(table.recent.length <= 256 && table.outdated.size <= 256);
  }
  assert.notEqual(table.index, index);
  assert.deepEqual(built, [256, 513]);
  assert.deepEqual(answersOf(table), answersOf(atOnce(compileInSteps(world, audiences))));
});
