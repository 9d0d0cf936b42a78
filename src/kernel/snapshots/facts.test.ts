import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inOneStep } from '#kernel/base/turns.ts';
import { factsBetween } from './facts.ts';
import type { DecisionModule } from './module.ts';

function moduleOf(name: string, more: Partial<DecisionModule<unknown>> = {}): DecisionModule<unknown> {
  return {
    name,
    kinds: [],
    compile: () => inOneStep(() => name),
    update: (table) => inOneStep(() => table),
    routes: [],
    ...more,
  };
}

test('a fact comes from the table of the module that provides it', () => {
  const plans = moduleOf('plans', { provides: { planOf: (table) => `planOf from ${String(table)}` } });
  const ads = moduleOf('ads', { needs: ['planOf'] });
  const facts = factsBetween([ads, plans]);
  assert.deepEqual(facts.sourcesOf(ads), ['ads', 'plans']);
  assert.deepEqual(facts.sourcesOf(plans), ['plans']);
  const tableOf = (name: string) => `the table of ${name}`;
  assert.deepEqual(facts.of(ads, tableOf), { planOf: 'planOf from the table of plans' });
  assert.deepEqual(facts.of(plans, tableOf), {});
});

test('a fact that nobody provides, or two do, is found at the start', () => {
  const plans = moduleOf('plans', { provides: { planOf: () => 1 } });
  assert.throws(() => factsBetween([moduleOf('ads', { needs: ['planOf'] })]), /ads needs the fact planOf, which no/);
  assert.throws(
    () => factsBetween([plans, moduleOf('others', { provides: { planOf: () => 2 } })]),
    /the fact planOf is provided by plans and others/,
  );
});
