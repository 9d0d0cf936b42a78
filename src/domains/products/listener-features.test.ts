import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile } from './decisions/compile.ts';
import { featuresOfListeners } from './listener-features.ts';
import { catalogue } from './testing/catalogue.ts';
import { worldOf } from './testing/world.ts';

const NOW = Temporal.Instant.from('2026-06-15T12:00:00Z');
const hasFeature = featuresOfListeners(undefined)(compile(worldOf(catalogue())));
const ask = (plan: string | undefined, feature: string, more: object = {}) =>
  hasFeature({ plan, market: 'de', ...more }, feature, NOW);

test('a plan has what it includes, and not what it degrades from', async () => {
  assert.equal(await ask('premium', 'ad-free'), true);
  assert.equal(await ask('free', 'ad-free'), false);
  // The plan includes Shuffle instead.
  assert.equal(await ask('free', 'on-demand'), false);
  assert.equal(await ask('premium', 'on-demand'), true);
});

test('without a plan, a record or such a feature it is unknown', async () => {
  assert.equal(await ask(undefined, 'ad-free'), undefined);
  assert.equal(await ask('gone', 'ad-free'), undefined);
  assert.equal(await ask('premium', 'no-such-feature'), undefined);
  assert.equal(await ask('premium', 'ad-free', { listener: 'ann' }), undefined);
});
