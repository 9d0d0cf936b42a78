import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { Ad } from '../kinds/ad.ts';
import { AdSet, TIERS } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { Placement } from '../kinds/placement.ts';
import { askBreak, live, worldOf } from '../testing/world.ts';
import { compileInSteps, updateInSteps } from './compile.ts';
import { decideBreak, decideQuickly, type BreakDecision } from './decide.ts';
import type { AdsTable } from './table.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const ACCOUNTS = 30;

interface SomeAdSet {
  readonly account: number;
  readonly bid: number;
  readonly tier: string;
  readonly seconds: number;
  readonly position: string;
  readonly isRecent: boolean;
}

const anySet = fc.record({
  account: fc.nat(ACCOUNTS - 1),
  bid: fc.integer({ min: 1, max: 4_000 }),
  tier: fc.constantFrom('auction', 'auction', 'auction', 'guaranteed', 'house'),
  seconds: fc.constantFrom(10, 15, 20, 30, 60),
  position: fc.constantFrom('any', 'any', 'first', 'first', 'last', 'edge'),
  isRecent: fc.nat(3).map((n) => n === 0),
  isHeldBack: fc.nat(4).map((n) => n === 0),
});

/** The earnings of each tier. */
function sumsOf({ served }: BreakDecision): readonly number[] {
  return TIERS.map((_, tier) =>
    served.filter(({ adSet }) => adSet.tier === tier).reduce((sum, { bidEcpm }) => sum + bidEcpm, 0),
  );
}

/** The table of these ad sets: each has one ad, and the recent ones came after the index was built. */
function tableFor(
  sets: readonly SomeAdSet[],
  categories: readonly (readonly string[])[],
  placement: { readonly seconds: number; readonly slots: number; readonly pricing: string },
): AdsTable {
  const adSets = sets.map(({ account, bid, tier, position }, n) =>
    live(AdSet, `a${account}.s${n}`, {
      account: `a${account}`,
      campaign: `a${account}.c`,
      // No two are the same.
      bid: `${bid}.${String(n).padStart(2, '0')}`,
      goal: 'cpm',
      tier,
      position,
    }),
  );
  const world = worldOf([
    live(Placement, 'break', {
      format: 'audio',
      ...placement,
      currency: 'EUR',
      policy: 'standard',
      adFreeFeature: 'ad-free',
    }),
    ...categories.flatMap((own, account) => [
      live(Advertiser, `a${account}`, { currency: 'EUR', categories: own }),
      live(Campaign, `a${account}.c`, { account: `a${account}` }),
    ]),
    ...sets.flatMap(({ account, seconds }, n) => [
      live(Asset, `a${account}.f${n}`, {
        account: `a${account}`,
        format: 'audio',
        seconds,
        renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
      }),
      live(Ad, `a${account}.ad${n}`, {
        account: `a${account}`,
        adSet: `a${account}.s${n}`,
        asset: `a${account}.f${n}`,
        weight: 1,
      }),
    ]),
    ...adSets.filter((_, n) => sets[n]?.isRecent !== true),
  ]);
  const audiences = compileAudiences(world);
  const before = atOnce(compileInSteps(world, audiences));
  const recent = adSets.filter((_, n) => sets[n]?.isRecent === true);
  for (const one of recent) world.set(one);
  const changed = recent.map(({ name }) => ({ kind: AdSet.id, name }));
  return atOnce(updateInSteps(before, world, changed, audiences));
}

/** Each of an account of its own, whose categories it has. */
function pairOf(sets: readonly (Partial<SomeAdSet> & { readonly bid: number; readonly categories: string })[]) {
  const table = tableFor(
    sets.map(({ bid, tier = 'auction', isRecent = false }, account) => ({
      account,
      bid,
      tier,
      seconds: 30,
      position: 'any',
      isRecent,
    })),
    sets.map(({ categories }) => categories.split('')),
    { seconds: 90, slots: 2, pricing: 'firstPrice' },
  );
  const { served } = decideQuickly(table, askBreak(table, { nowMs: NOW_MS }));
  return served.map(({ adSet }) => Math.floor(adSet.bid / 1e6));
}

test('a break is packed from all candidates where a lower one may stand beside the best', () => {
  const others = [29, 28, 27, 26, 25, 24].map((bid) => ({ bid, categories: 'x' }));
  const best = { bid: 40, categories: 'xy' };
  assert.deepEqual(pairOf([best, { bid: 30, categories: 'y' }, ...others, { bid: 23, categories: '' }]), [40, 23]);
  assert.deepEqual(pairOf([best, { bid: 30, categories: 'y' }, ...others, { bid: 18, categories: '' }]), [30, 29]);
});

test('a lower tier that is known takes no slot from a tier whose candidates are not all known', () => {
  const known = [40, 39, 38, 37, 36, 35, 34, 33].map((bid) => ({ bid, categories: 'x' }));
  const house = { bid: 50, categories: '', tier: 'house', isRecent: true };
  assert.deepEqual(pairOf([...known, { bid: 3, categories: '' }]), [40, 3]);
  assert.deepEqual(pairOf([...known, { bid: 3, categories: '' }, house]), [40, 3]);
  assert.deepEqual(pairOf([...known, house]), [40, 50]);
});

test('a break from a few candidates earns as much as one from all', () => {
  let [quick, whole] = [0, 0];
  fc.assert(
    fc.property(
      fc.array(anySet, { maxLength: 60, size: 'max' }),
      fc.array(fc.constantFrom(['x', 'y'], ['x', 'y'], ['x'], ['y'], ['x'], ['y'], []), {
        minLength: ACCOUNTS,
        maxLength: ACCOUNTS,
      }),
      fc.record({ seconds: fc.constantFrom(20, 60, 90, 300), slots: fc.integer({ min: 1, max: 4 }) }),
      fc.constantFrom('firstPrice', 'firstPrice', 'secondPrice'),
      (sets, categories, room, pricing) => {
        const table = tableFor(sets, categories, { ...room, pricing });
        const heldBack = new Set(
          sets.flatMap(({ account, isHeldBack }, n) => (isHeldBack ? `default/a${account}.s${n}` : [])),
        );
        const question = askBreak(table, {
          nowMs: NOW_MS,
          heldBack: ({ name }) => (heldBack.has(name) ? 'frequency cap' : undefined),
        });
        const all = decideBreak(table, question);
        const few = decideQuickly(table, question);
        if (few.candidates.length < all.candidates.length) quick += 1;
        else if (pricing === 'firstPrice' && all.candidates.length > 20) whole += 1;
        assert.equal(all.gap + few.gap, 0);
        // Where two sets of a tier earn the same, what they leave for the next tiers differs.
        const first = sumsOf(all).findIndex((sum) => sum > 0);
        assert.equal(sumsOf(few)[first], sumsOf(all)[first]);
        if (sets.every(({ tier }) => tier === sets[0]?.tier)) assert.deepEqual(sumsOf(few), sumsOf(all));
        if (pricing === 'secondPrice') assert.deepEqual(few, all);
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(quick > 50 && whole > 0, `${quick} from a few, ${whole} from all`);
});
