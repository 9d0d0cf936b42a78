import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { fieldsWithoutEffect, type FieldEffects } from '#kernel/kinds/testing/field-effects.ts';
import { bucketsFor } from '../decisions/buckets-for.ts';
import { compile } from '../decisions/compile.ts';
import { addOnsFor, decideUse } from '../decisions/decide-use.ts';
import { describeUsage } from '../decisions/describe-usage.ts';
import { entitlements } from '../decisions/entitlements.ts';
import { explain } from '../decisions/explain.ts';
import { checkOnRecord } from '../decisions/on-record.ts';
import { movesAtChange } from '../decisions/plan-change.ts';
import { prices } from '../decisions/prices.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import type { ProductsTable } from '../decisions/table.ts';
import { usageCatalogue } from '../testing/catalogue.ts';
import { anna, Counters, grant } from '../testing/on-record.ts';
import { contextOf, kindOf, resource, worldOf } from '../testing/world.ts';
import { AddOn } from './add-on.ts';
import { Cap } from './cap.ts';
import { Feature } from './feature.ts';
import { Market } from './market.ts';
import { Plan } from './plan.ts';
import { Price } from './price.ts';

const NOW = Temporal.Instant.from('2026-06-15T12:00:00Z');
const NOW_MS = NOW.epochMilliseconds;
const ANCHOR = { wallTime: '2026-01-31T15:00', zone: 'Europe/Berlin' };

/** Answers of a table: each question as the routes ask it, with and without a record. */
function answers(table: ProductsTable): unknown {
  const attempt = (ask: () => unknown): unknown => {
    try {
      return ask();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return error.message;
    }
  };
  const moments = [undefined, '2025-01-15', '2025-10-01', '2026-12-15', '2028-01-01'];
  const places = [{ market: 'de' }, { market: 'in' }, { territory: 'DE' }, { territory: 'AT' }];
  const plans = ['free', 'premium', 'family'];
  const features = ['audiobooks', 'daily', 'streams', 'audio-quality', 'on-demand', 'karaoke'];
  const roles = [undefined, 'manager', 'member', 'child'];
  const family = anna({ plan: 'family' });
  const facts: readonly SubjectFacts[] = [
    anna(
      {},
      {
        grants: [grant('g'), grant('p', { addOn: 'plus', anchor: ANCHOR })],
      },
    ),
    anna({ plan: 'family', role: 'member' }),
    anna({ plan: 'free' }),
    anna({ status: 'lapsed' }, { grants: [grant('g'), grant('p', { addOn: 'plus', anchor: ANCHOR })] }),
  ];
  return [
    ...places.flatMap((place) => moments.map((at) => attempt(() => prices(table, { ...place, at }, NOW)))),
    ...places.flatMap((place) =>
      plans.flatMap((plan) => roles.map((role) => attempt(() => entitlements(table, { ...place, plan, role })))),
    ),
    ...plans.flatMap((plan) =>
      [...features, undefined].map((feature) => attempt(() => explain(table, { market: 'de', plan, feature }, NOW))),
    ),
    ...facts.flatMap((known) =>
      features.map((feature) =>
        attempt(() => {
          const question = { market: 'de', plan: 'free', feature };
          const use = bucketsFor(table, question, known, NOW_MS);
          if (!use.metered) return use;
          const counters = new Counters().at(NOW_MS);
          const { cap: _cap, ...shown } = use;
          const steps = [10, 800, 400, 5_000].map((amount) => {
            const standing = counters.check(use, amount);
            const base = checkOnRecord(table, question, known, NOW);
            const answer = decideUse(table, { base, use }, standing, { amount });
            return [answer, describeUsage(use, standing), counters.consume(use, amount)];
          });
          return [shown, steps, addOnsFor(table, use)];
        }),
      ),
    ),
    attempt(() => movesAtChange(table, anna(), family, NOW_MS)),
  ];
}

const rise = (more: readonly object[]) => ({
  plan: 'premium',
  market: 'de',
  interval: 'P1M',
  channel: 'web',
  timeline: [{ from: '2024-01-01', amount: '9.99', currency: 'EUR' }, ...more],
});
const RISE = { before: rise([]), after: rise([{ from: '2026-07-01', amount: '11.99', currency: 'EUR' }]) };

/** The answers, refusals and what keeps it from going live, of the catalogue with one object like this. */
function observer(kind: Kind, name: string): FieldEffects['observe'] {
  const others = usageCatalogue().filter((object) => kindOf(object) !== kind || object.metadata.name !== name);
  return (spec) => {
    const object: ResourceObject = resource(kind.kind as 'Plan', name, spec);
    const objects = [...others, object];
    const context = contextOf(objects, NOW.toString());
    const world = worldOf(objects);
    return [
      kind.validate?.(spec, { ...context, name }),
      kind.check?.(spec, world, name),
      kind.refs?.(spec, 'default').filter((ref) => world.get(ref.kind, ref.name) === undefined),
      answers(compile(world)),
      // The plan's notice of a price rise follows from the market.
      kind === Price ? [] : Price.describe?.('premium-de', RISE, { world, now: NOW }),
    ];
  };
}

const EFFECTS: readonly (Omit<FieldEffects, 'observe'> & { readonly name: string })[] = [
  {
    kind: Feature,
    name: 'audio-quality',
    bases: [
      { title: 'Audio', type: 'config', valueSchema: { type: 'string', enum: ['normal', 'high', 'lossless'] } },
      { title: 'Audio', type: 'config', valueSchema: { type: 'integer', minimum: 5, maximum: 9 } },
      { title: 'Audio', type: 'boolean', degradeTo: 'shuffle' },
      { title: 'Audio', type: 'metered', unit: 'hours' },
    ],
    informational: ['title'],
    values: { 'valueSchema.enum[]': [5, undefined], degradeTo: ['audio-quality'] },
  },
  {
    kind: Market,
    name: 'de',
    bases: [
      {
        title: 'Germany',
        territories: ['DE'],
        zone: 'Europe/Berlin',
        currencies: [{ code: 'EUR', from: '2000-01-01', until: '2027-01-01' }, { code: 'USD' }],
        channels: [{ name: 'web', exponents: { EUR: 2 } }, { name: 'apple' }],
        notice: { days: 30 },
        consent: 'optIn',
        tax: { inclusive: true, rate: '19.5', rates: [{ from: '2025-06-01', rate: '20' }], name: 'VAT' },
        locale: 'de-DE',
      },
    ],
    informational: ['title'],
    values: {
      'territories[]': ['AT', 'XX'],
      zone: ['America/New_York'],
      'currencies[].code': ['GBP'],
      'currencies[].from': ['2026-01-01'],
      'currencies[].until': ['2026-01-01'],
      'channels[].exponents{}': [3, 1, 0],
      'tax.rate': ['7'],
      'tax.rates[].from': ['2026-01-01'],
      'tax.rates[].rate': ['7'],
      locale: ['en-US', 'nowhere-at-all'],
    },
  },
  {
    kind: Plan,
    name: 'family',
    bases: [
      {
        title: 'Family',
        group: 'music',
        rank: 40,
        seats: 6,
        roles: ['manager', 'member'],
        markets: ['de'],
        entitlements: [
          { feature: 'audio-quality', value: 'high' },
          { feature: 'audiobooks', limit: 900, per: 'P1M', roles: ['manager'], markets: ['de'] },
        ],
      },
    ],
    informational: ['title'],
    values: { 'entitlements[].per': ['P1D'], rank: [5] },
  },
  {
    kind: Price,
    name: 'premium-de',
    bases: [
      {
        plan: 'premium',
        market: 'de',
        interval: 'P1M',
        channel: 'web',
        timeline: [{ from: '2024-01-01', until: '2027-01-01', amount: '9.99', currency: 'EUR' }],
      },
    ],
    informational: [],
    values: {
      interval: ['P1Y'],
      channel: ['apple'],
      currency: ['USD'],
      'timeline[].from': ['2025-06-01'],
      'timeline[].until': ['2025-06-01'],
      'timeline[].amount': ['8.99'],
      'timeline[].currency': ['USD'],
    },
  },
  {
    kind: Cap,
    name: 'audiobooks',
    bases: [
      {
        feature: 'audiobooks',
        plans: ['premium', 'family'],
        roles: ['manager'],
        markets: ['de'],
        limit: 900,
        window: { type: 'calendar', per: 'P1M', zone: 'Europe/Berlin' },
        rollover: { max: 100, min: 10 },
        offlineFor: 'P3D',
      },
      { feature: 'audiobooks', limit: 900, window: { type: 'calendar', per: 'P1W', weekStart: 'sun' } },
      { feature: 'audiobooks', limit: 900, window: { type: 'anchored', per: 'P1M' }, enforcement: 'soft', grace: 10 },
      {
        feature: 'audiobooks',
        limit: 900,
        window: { type: 'anchored', per: 'P1M' },
        onLimitChange: 'nextWindow',
        limitBefore: { limit: 600, until: '2026-06-10T00:00:00Z' },
      },
    ],
    informational: [],
    values: {
      'window.per': ['P1D', 'P1W'],
      'window.zone': ['America/New_York'],
      'limitBefore.until': ['2020-01-01T00:00:00Z'],
      offlineFor: ['P50D', 'P5D'],
    },
  },
  {
    kind: AddOn,
    name: 'plus',
    bases: [
      {
        title: 'Plus',
        feature: 'audiobooks',
        amount: 600,
        kind: 'recurring',
        per: 'P1M',
        plans: ['premium'],
        roles: ['manager'],
        markets: ['de'],
        priority: 50,
        rollover: { max: 100, min: 10, overage: 'forgiven' },
      },
      { title: 'Plus', feature: 'audiobooks', amount: 600, kind: 'topUp', validity: 'P12M' },
    ],
    informational: ['title'],
    values: { per: ['P1D'], validity: ['P1M'], priority: [400] },
  },
];

for (const { name, ...effects } of EFFECTS) {
  test(`no field of a ${effects.kind.kind} without an effect`, async () => {
    assert.deepEqual(await fieldsWithoutEffect({ ...effects, observe: observer(effects.kind, name) }), []);
  });
}
