import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdPolicy } from '../kinds/ad-policy.ts';
import { AdSet, TIERS } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { Placement } from '../kinds/placement.ts';
import { allAdSets, askBreak, live, tableOf } from '../testing/world.ts';
import { decideBreak, decideQuickly, LOOK_LIMITS, type BreakDecision } from './decide.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const LENGTHS = [10, 20, 30];

interface SomeAdSet {
  readonly account: number;
  readonly bid: number;
  readonly tier?: string;
  readonly goal?: string;
  readonly position?: string;
  /** Of its ads. */
  readonly seconds: readonly number[];
  readonly dayParts?: readonly object[];
}

function worldOf(sets: readonly SomeAdSet[]): readonly LiveObject[] {
  const accounts = new Set(sets.map(({ account }) => `a${account}`));
  return [
    live(AdPolicy, 'standard', { consent: [{ framework: 'none' }] }),
    live(Placement, 'break', {
      format: 'audio',
      slots: 3,
      seconds: 60,
      currency: 'EUR',
      pricing: 'firstPrice',
      priors: { clickRate: 0.002, completionRate: 0.9 },
      policy: 'standard',
      adFreeFeature: 'ad-free',
    }),
    ...[...accounts].flatMap((account) => [
      live(Advertiser, account, { currency: 'EUR', zone: 'Europe/Berlin' }),
      live(Campaign, `${account}.c`, { account }),
      ...LENGTHS.map((seconds) =>
        live(Asset, `${account}.f${seconds}`, {
          account,
          format: 'audio',
          seconds,
          renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
        }),
      ),
    ]),
    ...sets.flatMap(({ account: number, bid, seconds, ...spec }, index) => {
      const account = `a${number}`;
      const name = `${account}.s${index}`;
      return [
        live(AdSet, name, {
          account,
          campaign: `${account}.c`,
          tier: 'auction',
          goal: 'cpm',
          position: 'any',
          bid: `${bid}.00`,
          ...spec,
        }),
        ...seconds.map((length, at) =>
          live(Ad, `${name}-${at}`, { account, adSet: name, asset: `${account}.f${length}`, weight: 1 }),
        ),
      ];
    }),
  ];
}

const sumsOf = ({ served }: BreakDecision): readonly number[] =>
  TIERS.map((_, tier) => served.reduce((sum, { adSet, bidEcpm }) => sum + (adSet.tier === tier ? bidEcpm : 0), 0));

const anySet = fc.record({
  account: fc.nat(2),
  bid: fc.integer({ min: 1, max: 6 }),
  tier: fc.constantFrom('auction', 'auction', 'house'),
  // The bound of a click is higher than what it earns here: better ones come later.
  goal: fc.constantFrom('cpm', 'cpc'),
  position: fc.constantFrom('any', 'any', 'first'),
  seconds: fc.array(fc.constantFrom(...LENGTHS), { minLength: 1, maxLength: 2 }),
  dayParts: fc.constantFrom([{}], [{ until: '12:30' }], [{ from: '12:30' }], [{ days: ['tue'] }]),
});

test('ad sets that are left out uncompiled would have changed nothing', () => {
  fc.assert(
    fc.property(fc.array(anySet, { minLength: 1, maxLength: 12 }), fc.boolean(), (sets, isZoneKnown) => {
      const table = tableOf(worldOf(sets));
      const asked = askBreak(table, { nowMs: NOW_MS, ...(isZoneKnown ? { wallMs: NOW_MS } : {}), random: () => 0 });
      // All of them as they are found after a change: each is compiled and tried.
      const recent = allAdSets(table).map((adSet) => ({ adSet, matcher: undefined }));
      const naive = { ...table, recent, outdated: new Set(recent.map(({ adSet }) => adSet.name)) };
      const expected = sumsOf(decideBreak(naive, asked));
      assert.deepEqual(sumsOf(decideBreak(table, asked)), expected);
      assert.deepEqual(sumsOf(decideQuickly(table, asked)), expected);
    }),
    { numRuns: 400 },
  );
});

const many = (count: number, spec: Partial<SomeAdSet>): readonly SomeAdSet[] =>
  Array.from({ length: count }, () => ({ account: 0, bid: 50, seconds: [30], ...spec }));

test('thousands of ad sets of one account neither stop a node nor keep out the others', () => {
  const table = tableOf(worldOf([...many(3_000, {}), { account: 1, bid: 1, seconds: [20] }]));
  for (let breaks = 1; breaks <= 20; breaks += 1) {
    let looks = 0;
    const heldBack = ({ advertiser }: { readonly advertiser: string }) => {
      looks += 1;
      return advertiser === 'default/a0' ? ('budget spent' as const) : undefined;
    };
    const before = table.compiled.size;
    const decision = decideBreak(table, askBreak(table, { nowMs: NOW_MS, heldBack }));
    assert.deepEqual(
      decision.served.map(({ adSet }) => adSet.advertiser),
      ['default/a1'],
    );
    assert.ok(looks <= LOOK_LIMITS.ofAdvertiser + 1, `${looks} ad sets were looked at`);
    assert.ok(table.compiled.size - before <= LOOK_LIMITS.compiledOfAdvertiser + 1);
    assert.equal(decision.gap, 1, 'others may have been better');
  }
  assert.equal(table.compiled.size, LOOK_LIMITS.ofAdvertiser + 1);
});

test('what was not compiled yet is compiled in the course of several breaks', () => {
  const accounts = 20;
  const sets = Array.from({ length: 50 * accounts }, (_, at) => ({ account: at % accounts, bid: 5, seconds: [30] }));
  const table = tableOf(worldOf(sets));
  const asked = askBreak(table, { nowMs: NOW_MS, heldBack: () => 'budget spent' });
  for (let breaks = 1; breaks <= 4; breaks += 1) {
    const { gap } = decideBreak(table, asked);
    assert.equal(table.compiled.size, Math.min(sets.length, breaks * LOOK_LIMITS.compiled));
    assert.equal(gap, breaks < 4 ? 1 : 0);
  }
});

test('ad sets outside their day parts, and those whose room has a better one of their account, are not compiled', () => {
  const night = many(500, { dayParts: [{ from: '02:00', until: '03:00' }] });
  const outside = tableOf(worldOf(night));
  assert.deepEqual(decideBreak(outside, askBreak(outside, { nowMs: NOW_MS })).served, []);
  assert.equal(outside.compiled.size, 0);
  const alike = tableOf(worldOf([...many(500, {}), ...many(500, { bid: 49 })]));
  assert.equal(decideBreak(alike, askBreak(alike, { nowMs: NOW_MS })).served.length, 1);
  assert.equal(alike.compiled.size, 1);
});
