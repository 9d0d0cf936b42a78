import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EppoClient, MemoryOnlyConfigurationStore, VariationType, type Flag } from '@eppo/js-client-sdk-common';
import { GrowthBook } from '@growthbook/growthbook';
import { FlagdCore } from '@openfeature/flagd-core';
import fc from 'fast-check';
import murmurHash3 from 'murmurhash3js-revisited';
import { normalizedStrategyValue, normalizedVariantValue } from 'unleash-client/lib/strategy/util.js';
import { selectVariantDefinition } from 'unleash-client/lib/variant.js';
import type { Bucketing } from './bucketing.ts';
import { BUCKETS } from './buckets.ts';
import { compileSlot } from './compile-slot.ts';
import { murmur3x86 } from './murmur3.ts';

const { x64, x86 } = murmurHash3;

/** Plain ids, ids of any script, and broken ones. */
const unit = fc.oneof(
  fc.uuid(),
  fc.string({ maxLength: 300 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
);
const wellFormed = unit.filter((text) => text.isWellFormed());
const salt = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 40 }));
const weights = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 6 });

function slot(bucketing: Bucketing, id: string, total: number): number {
  return compileSlot(bucketing, total)(id);
}

/** The variant of a slot: the first whose cumulative weight is above it. */
function chooseVariant(parts: readonly number[], at: number): number {
  let end = 0;
  return parts.findIndex((weight) => (end += weight) > at);
}

function sum(parts: readonly number[]): number {
  return parts.reduce((total, part) => total + part, 0);
}

test('backline: the published bucket of Spotify Confidence, and murmur3 x64 128 for any text', () => {
  assert.equal(slot({ algorithm: 'backline', salt: 'MegaSalt-confidence-test' }, 'roug', BUCKETS), 567_493);
  fc.assert(
    fc.property(salt, unit, (key, id) => {
      const hex = x64.hash128(new TextEncoder().encode(`${key}|${id}`));
      const bucket = Number((BigInt(`0x${hex.slice(0, 16)}`) >> 4n) % 1_000_000n);
      assert.equal(slot({ algorithm: 'backline', salt: key }, id, BUCKETS), bucket);
      assert.equal(slot({ algorithm: 'backline', salt: key }, id, 3), (bucket * 3) / BUCKETS);
    }),
    { numRuns: 3_000 },
  );
});

test('backline: keys longer than the scratch memory', () => {
  for (const id of ['x'.repeat(8_100), 'x'.repeat(20_000), 'å🎧'.repeat(5_000)]) {
    const hex = x64.hash128(new TextEncoder().encode(`long|${id}`));
    const bucket = Number((BigInt(`0x${hex.slice(0, 16)}`) >> 4n) % 1_000_000n);
    assert.equal(slot({ algorithm: 'backline', salt: 'long' }, id, BUCKETS), bucket);
  }
});

test('murmur3 x86 32 for any ASCII and any seed', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary-ascii', maxLength: 100 }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (text, seed) => {
        const expected = x86.hash32(new TextEncoder().encode(text), seed);
        assert.equal(murmur3x86(text, seed, 0xff), expected);
        assert.equal(murmur3x86(text, seed, 0xffff), expected);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('growthbook: the variations and buckets of its own library, for any text, weights and both versions', () => {
  fc.assert(
    fc.property(
      salt,
      unit.filter((id) => id !== ''),
      weights,
      fc.constantFrom(1, 2),
      (seed, id, parts, version) => {
        const total = sum(parts);
        fc.pre(total > 0 && parts.length > 1);
        const shares = parts.map((part) => part / total);
        const growthbook = new GrowthBook({ attributes: { id } });
        const experiment = {
          key: 'k',
          seed,
          hashVersion: version,
          weights: shares,
          variations: parts.map((_, index) => index),
        };
        const result = growthbook.run(experiment as never);
        growthbook.destroy();
        // An empty seed falls back to the key.
        const key = seed === '' ? 'k' : seed;
        const at = slot({ algorithm: version === 1 ? 'growthbook-v1' : 'growthbook-v2', salt: key }, id, 1);
        assert.equal(at, result.bucket);
        assert.equal(chooseVariant(shares, at), result.inExperiment ? result.variationId : -1);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('unleash: gradual strategies and variants of its own client, for any text', () => {
  fc.assert(
    fc.property(
      salt,
      unit.filter((id) => id !== ''),
      weights,
      fc.integer({ min: 0, max: 100 }),
      (group, id, parts, percent) => {
        const gradual: Bucketing = { algorithm: 'unleash', salt: group, seed: 0 };
        assert.equal(slot(gradual, id, 100) < percent, normalizedStrategyValue(id, group) <= percent);
        const total = sum(parts);
        fc.pre(total > 0);
        const variants: Bucketing = { algorithm: 'unleash', salt: group, seed: 86_028_157 };
        assert.equal(slot(variants, id, total) + 1, normalizedVariantValue(id, group, total));
        const defined = parts.map((weight, index) => ({
          name: String(index),
          weight,
          payload: { type: 'string', value: '' },
        }));
        const selected = selectVariantDefinition(group, 'default', defined as never, { userId: id });
        assert.equal(String(chooseVariant(parts, slot(variants, id, total))), selected?.name);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('flagd: the variants of its own engine, for any text and large weights', () => {
  const large = fc.array(fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 500_000_000 })), {
    minLength: 1,
    maxLength: 4,
  });
  const key = fc.string({ unit: fc.constantFrom('a', 'b', 'flag-', '1'), minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(
      key,
      unit.filter((id) => id !== ''),
      large,
      (flag, id, parts) => {
        fc.pre(sum(parts) > 0);
        const core = new FlagdCore();
        const variants = Object.fromEntries(parts.map((_, index) => [`v${index}`, `v${index}`]));
        const targeting = { fractional: parts.map((weight, index) => [`v${index}`, weight]) };
        core.setConfigurations(
          JSON.stringify({ flags: { [flag]: { state: 'ENABLED', variants, defaultVariant: 'v0', targeting } } }),
        );
        const { variant } = core.resolveStringEvaluation(flag, '', { targetingKey: id });
        assert.equal(`v${chooseVariant(parts, slot({ algorithm: 'flagd-v2', salt: flag }, id, sum(parts)))}`, variant);
      },
    ),
    { numRuns: 1_000 },
  );
});

/** The `fractional` of flagd before version 2 of its buckets, over a hash of 32 bits. */
function flagdV1(hash: number, parts: readonly number[]): number {
  const bucket = (Math.abs(hash | 0) / 2_147_483_648) * 100;
  let end = 0;
  return parts.findIndex((weight) => (end += (weight * 100) / sum(parts)) >= bucket);
}

test('flagd before version 2: the first variant whose percentages reach the bucket', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), fc.string({ unit: 'binary-ascii' }), weights, (key, id, parts) => {
      // Empty text has the hash 0, and a first variant without weight would get it there.
      fc.pre(sum(parts) > 0 && key + id !== '');
      const at = slot({ algorithm: 'flagd-v1', salt: key }, id, sum(parts));
      assert.equal(chooseVariant(parts, at), flagdV1(x86.hash32(new TextEncoder().encode(key + id)), parts));
    }),
    { numRuns: 2_000 },
  );
});

test('eppo: traffic and splits of its own client', async () => {
  const store = new MemoryOnlyConfigurationStore<Flag>();
  const client = new EppoClient({ flagConfigurationStore: store });
  client.setIsGracefulFailureMode(false);
  await fc.assert(
    fc.asyncProperty(
      wellFormed.filter((id) => id !== ''),
      fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 2, maxLength: 3 }),
      fc.integer({ min: 0, max: 10_000 }),
      async (id, parts, traffic) => {
        let end = 0;
        const splits = parts.map((weight, index) => ({
          variationKey: String(index),
          extraLogging: {},
          shards: [
            { salt: 'traffic-x', ranges: [{ start: 0, end: traffic }] },
            { salt: 'split-x', ranges: [{ start: end, end: (end += weight) }] },
          ],
        }));
        const flag: Flag = {
          key: 'f',
          enabled: true,
          variationType: VariationType.STRING,
          totalShards: 10_000,
          variations: Object.fromEntries(
            parts.map((_, index) => [index, { key: String(index), value: String(index) }]),
          ),
          allocations: [{ key: 'a', splits, doLog: false }],
        };
        await store.setEntries({ f: flag });
        const takesPart = slot({ algorithm: 'eppo', salt: 'traffic-x' }, id, 100) < traffic / 100;
        const variant = chooseVariant(parts, slot({ algorithm: 'eppo', salt: 'split-x' }, id, 10_000));
        const expected = takesPart && variant >= 0 ? String(variant) : 'none';
        assert.equal(client.getStringAssignment('f', id, {}, 'none'), expected);
      },
    ),
    { numRuns: 500 },
  );
});

test('every slot is on the line from 0 to the total', () => {
  const algorithm = fc.constantFrom(
    'backline' as const,
    'growthbook-v1' as const,
    'growthbook-v2' as const,
    'unleash' as const,
    'flagd-v1' as const,
    'flagd-v2' as const,
    'eppo' as const,
  );
  fc.assert(
    fc.property(algorithm, salt, unit, fc.integer({ min: 1, max: 2_000_000 }), (which, key, id, total) => {
      const at = slot({ algorithm: which, salt: key }, id, total);
      assert.ok(at >= 0 && at < total, `${at} of ${total}`);
    }),
  );
});
