import { test } from 'node:test';
import * as fc from 'fast-check';
import { contextOf, kindOf, resource, worldOf } from '../testing/world.ts';
import { catalogue } from '../testing/catalogue.ts';

const NOW = '2026-06-15T12:00:00Z';
const objects = catalogue();
const world = worldOf(objects);

/** Texts that a schema lets through: odd ones, and ones that other rules know. */
const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'de',
    'EUR',
    'P1M',
    '2026-02-30',
    '2026-12-01',
    '9999-12-31',
    '0000-01-01',
    '1e9',
    '-1',
    '0.99',
    'Europe/Berlin',
    'toString',
  ),
);
const some = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const texts = fc.array(text, { minLength: 1, maxLength: 3 });
const json = fc.jsonValue();

const specs = {
  Feature: fc.record({
    title: text,
    type: fc.constantFrom('boolean', 'config', 'metered', 'concurrent'),
    unit: some(text),
    valueSchema: some(
      fc.record({
        type: fc.constantFrom('string', 'integer', 'number', 'boolean'),
        enum: some(fc.array(json, { minLength: 1 })),
        minimum: some(fc.double()),
        maximum: some(fc.double()),
      }),
    ),
    degradeTo: some(text),
  }),
  Market: fc.record({
    title: text,
    territories: texts,
    zone: text,
    currencies: fc.array(fc.record({ code: text, from: some(text), until: some(text) }), {
      minLength: 1,
      maxLength: 3,
    }),
    channels: some(
      fc.array(fc.record({ name: text, exponents: some(fc.dictionary(text, fc.integer({ min: 0, max: 4 }))) }), {
        minLength: 1,
        maxLength: 3,
      }),
    ),
    tax: fc.record({ inclusive: fc.boolean(), rate: some(text), name: text }),
    rounding: some(fc.record({ mode: some(text) })),
    locale: some(text),
  }),
  Plan: fc.record({
    title: text,
    group: text,
    rank: fc.nat(),
    roles: some(texts),
    markets: some(texts),
    entitlements: some(
      fc.array(
        fc.record({
          feature: text,
          value: some(json),
          limit: some(fc.oneof(text, fc.double(), fc.integer())),
          per: some(text),
          roles: some(texts),
          markets: some(texts),
        }),
        { maxLength: 4 },
      ),
    ),
  }),
  Price: fc.record({
    plan: text,
    market: text,
    interval: text,
    channel: some(text),
    timeline: fc.array(fc.record({ from: text, until: some(text), amount: text, currency: text }), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
  Cap: fc.record(
    {
      feature: text,
      plans: texts,
      roles: texts,
      limit: fc.oneof(text, fc.double(), fc.integer()),
      window: fc.record({
        type: fc.constantFrom('calendar', 'anchored', 'rolling', 'lifetime', 'concurrent'),
        per: text,
        zone: text,
        weekStart: text,
      }),
      enforcement: fc.constantFrom('hard', 'soft', 'degrade'),
      grace: fc.oneof(text, fc.double(), fc.integer()),
      onLimitChange: fc.constantFrom('now', 'nextWindow'),
      limitBefore: fc.record({ limit: fc.oneof(text, fc.double()), until: text }),
      offlineFor: text,
    },
    { requiredKeys: ['feature', 'window'] },
  ),
  AddOn: fc.record(
    {
      title: text,
      feature: text,
      amount: fc.nat(),
      kind: fc.constantFrom('recurring', 'topUp'),
      per: text,
      validity: text,
      roles: texts,
    },
    { requiredKeys: ['title', 'feature', 'amount', 'kind'] },
  ),
};

test('whatever the schema lets through is refused with problems or accepted, and never ends as a crash', () => {
  for (const [name, spec] of Object.entries(specs)) {
    const kind = kindOf(resource(name as keyof typeof specs, 'x', {}));
    fc.assert(
      fc.property(spec, spec, (before, after) => {
        const clean: unknown = JSON.parse(JSON.stringify(after));
        const context = contextOf(objects, NOW);
        const accepted = kind.validate?.(clean, { ...context, name: 'x' }) ?? [];
        kind.validate?.(clean, { ...context, name: 'x', before: JSON.parse(JSON.stringify(before)) as unknown });
        kind.validateDelete?.(clean, { ...context, annotations: {} });
        kind.refs?.(clean, 'default');
        if (accepted.length > 0) return;
        kind.check?.(clean, world, 'x');
        kind.describe?.('x', { before: undefined, after: clean }, { world, now: context.now });
      }),
    );
  }
});
