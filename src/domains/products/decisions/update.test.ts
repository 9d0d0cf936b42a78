import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { catalogue } from '../testing/catalogue.ts';
import { kindOf, resource, worldOf } from '../testing/world.ts';
import { compile, update } from './compile.ts';
import { prices } from './prices.ts';

const NOW = Temporal.Instant.from('2026-06-01T00:00:00Z');

const idOf = (object: ResourceObject) => ({ kind: kindOf(object).id, name: object.metadata.name });

function withChanges(objects: readonly ResourceObject[], changes: readonly Change[]): readonly ResourceObject[] {
  return changes.reduce<readonly ResourceObject[]>((all, { object, gone }) => {
    const others = all.filter(({ kind, metadata }) => kind !== object.kind || metadata.name !== object.metadata.name);
    return gone ? others : [...others, object];
  }, objects);
}

interface Change {
  readonly object: ResourceObject;
  readonly gone: boolean;
}

const amount = fc.integer({ min: 100, max: 2999 }).map((cents) => (cents / 100).toFixed(2));
const marketName = fc.constantFrom('de', 'in', 'fr');
const planName = fc.constantFrom('free', 'lite', 'premium', 'duo', 'family', 'student');

const changedPrice = fc
  .record({
    plan: planName,
    market: marketName,
    interval: fc.constantFrom('P1M', 'P1Y'),
    amount,
    name: fc.constantFrom('premium-de', 'family-de', 'x', 'y'),
  })
  .map(({ name, amount, ...key }) =>
    resource('Price', name, { ...key, timeline: [{ from: '2025-01-01', amount, currency: 'EUR' }] }),
  );
const changedPlan = fc
  .record({
    name: planName,
    rank: fc.integer({ min: 0, max: 50 }),
    openTo: fc.constantFrom('everyone', 'existing'),
    markets: fc.option(fc.uniqueArray(marketName, { minLength: 1 }), { nil: undefined }),
    roles: fc.constantFrom(['manager'], ['manager', 'member']),
    features: fc.uniqueArray(fc.constantFrom('ad-free', 'on-demand', 'shuffle', 'karaoke')),
    only: fc.option(marketName, { nil: undefined }),
  })
  .map(({ name, markets, features, only, ...more }) =>
    resource('Plan', name, {
      title: name.toUpperCase(),
      group: 'music',
      ...more,
      ...(markets === undefined ? {} : { markets }),
      entitlements: features.map((feature) => ({ feature, ...(only === undefined ? {} : { markets: [only] }) })),
    }),
  );
const changedFeature = fc
  .record({
    name: fc.constantFrom('ad-free', 'on-demand', 'karaoke', 'new'),
    title: fc.constantFrom('A', 'B'),
    degradeTo: fc.option(fc.constantFrom('shuffle', 'smart-shuffle'), { nil: undefined }),
  })
  .map(({ name, title, degradeTo }) =>
    resource('Feature', name, { title, type: 'boolean', ...(degradeTo === undefined ? {} : { degradeTo }) }),
  );
const changedMarket = fc
  .record({
    name: marketName,
    territories: fc.constantFrom(['FR'], ['FR', 'MC'], ['DE']),
    zone: fc.constantFrom('Europe/Berlin', 'Asia/Tokyo'),
    rate: fc.constantFrom('7', '19'),
  })
  .map(({ name, territories, zone, rate }) =>
    resource('Market', name, {
      title: name,
      territories,
      zone,
      currencies: [{ code: 'EUR' }],
      tax: { inclusive: true, rate, name: 'VAT' },
    }),
  );
const changedCap = fc
  .record({ name: fc.constantFrom('a', 'b'), feature: fc.constantFrom('audiobooks', 'streams'), plan: planName })
  .map(({ name, feature, plan }) =>
    resource('Cap', name, { feature, plans: [plan], window: { type: 'calendar', per: 'P1D' } }),
  );
const changedAddOn = fc
  .record({ name: fc.constantFrom('a', 'b'), amount: fc.integer({ min: 1, max: 9 }) })
  .map(({ name, amount: units }) =>
    resource('AddOn', name, { title: name, feature: 'audiobooks', amount: units, kind: 'topUp' }),
  );
const change: fc.Arbitrary<Change> = fc.record({
  object: fc.oneof(
    { weight: 4, arbitrary: changedPrice },
    changedPlan,
    changedFeature,
    changedMarket,
    changedCap,
    changedAddOn,
  ),
  gone: fc.boolean().map((gone) => gone),
});

test('an updated table is the table of the changed world, after any changes in any number of steps', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }), (steps) => {
      let objects = catalogue();
      let table = compile(worldOf(objects));
      for (const step of steps) {
        objects = withChanges(objects, step);
        const world = worldOf(objects);
        table = update(
          table,
          world,
          step.map(({ object }) => idOf(object)),
        );
        const fresh = compile(world);
        assert.deepStrictEqual(table, fresh);
        // Answers that were given before the update must not be given again where they no longer hold.
        for (const market of table.markets.keys()) {
          assert.deepStrictEqual(prices(table, { market }, NOW), prices(fresh, { market }, NOW));
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('an update never alters the table before', () => {
  const objects = catalogue();
  const before = compile(worldOf(objects));
  const copy = structuredClone(before);
  const next = objects.filter(({ metadata }) => metadata.name !== 'lite' && metadata.name !== 'lite-in');
  update(before, worldOf(next), objects.map(idOf));
  assert.deepEqual(before, copy);
});

test('a changed price leaves everything else of the table as the same object', () => {
  const objects = catalogue();
  const before = compile(worldOf(objects));
  const price = resource('Price', 'family-de', {
    plan: 'family',
    market: 'de',
    interval: 'P1M',
    timeline: [{ from: '2024-01-01', amount: '21.99', currency: 'EUR' }],
  });
  const world = worldOf(withChanges(objects, [{ object: price, gone: false }]));
  const after = update(before, world, [idOf(price)]);
  assert.equal(after.markets.get('in'), before.markets.get('in'));
  assert.equal(after.features, before.features);
  assert.equal(after.plans, before.plans);
  assert.equal(after.caps, before.caps);
  assert.equal(after.addOns, before.addOns);
  const [german, germanBefore] = [after.markets.get('de'), before.markets.get('de')];
  assert.equal(german?.grants.get('family'), germanBefore?.grants.get('family'));
  assert.equal(german?.series.get('de/premium/web/P1M'), germanBefore?.series.get('de/premium/web/P1M'));
  assert.notEqual(german?.series.get('de/family/web/P1M'), germanBefore?.series.get('de/family/web/P1M'));
});

test('markets in which the same entitlements apply share one row per plan and role', () => {
  const { markets } = compile(worldOf(catalogue()));
  assert.equal(markets.get('de')?.grants.get('family'), markets.get('in')?.grants.get('family'));
  assert.notEqual(markets.get('de')?.grants.get('premium'), markets.get('in')?.grants.get('premium'));
});
