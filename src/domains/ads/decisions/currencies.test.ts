import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { atOnce } from '#kernel/base/turns.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { ExchangeRate } from '../kinds/exchange-rate.ts';
import { Placement } from '../kinds/placement.ts';
import { microsOf } from '../rules/micros.ts';
import { askBreak, live, tableOf, worldOf } from '../testing/world.ts';
import { updateInSteps } from './compile.ts';
import { decideBreak } from './decide.ts';
import { countReasons } from './explain.ts';
import type { AdsTable } from './table.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const PRIORS = { clickRate: 0.002, completionRate: 0.9 };

const placement = (name: string, currency: string, spec: object = {}) =>
  live(Placement, name, {
    format: 'audio',
    slots: 1,
    seconds: 30,
    currency,
    pricing: 'firstPrice',
    priors: PRIORS,
    policy: 'standard',
    adFreeFeature: 'ad-free',
    ...spec,
  });

const rate = (base: string, quote: string, ...rates: readonly (readonly [from: string, rate: string])[]) =>
  live(ExchangeRate, `${base}-${quote}`.toLowerCase(), {
    base,
    quote,
    rates: rates.map(([from, text]) => ({ from, rate: text })),
  });

function adOf(account: string, currency: string, spec: object): readonly LiveObject[] {
  return [
    live(Advertiser, account, { currency }),
    live(Campaign, `${account}.c`, { account }),
    live(AdSet, `${account}.s`, {
      account,
      campaign: `${account}.c`,
      goal: 'cpm',
      tier: 'auction',
      position: 'any',
      ...spec,
    }),
    live(Asset, `${account}.f`, {
      account,
      format: 'audio',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    }),
    live(Ad, `${account}.a`, { account, adSet: `${account}.s`, asset: `${account}.f`, weight: 1 }),
  ];
}

function decide(table: AdsTable, name = 'break', nowMs = NOW_MS) {
  const question = askBreak(table, { nowMs }, name);
  const decision = decideBreak(table, question);
  return { ...decision, reasons: atOnce(countReasons(table, question, decision)).map(({ reason }) => reason) };
}
const winner = (table: AdsTable, nowMs = NOW_MS) =>
  decide(table, 'break', nowMs).served[0]?.adSet.name.replace('default/', '');

test('bids are compared in the currency of the placement, by the rate that holds', () => {
  const table = tableOf([
    placement('break', 'EUR'),
    rate('USD', 'EUR', ['2026-11-01', '0.90'], ['2026-12-01', '1.10']),
    ...adOf('a', 'EUR', { bid: '10.00' }),
    ...adOf('b', 'USD', { bid: '10.00' }),
    ...adOf('c', 'GBP', { bid: '99.00' }),
  ]);
  assert.equal(winner(table), 'a.s');
  assert.equal(winner(table, Date.UTC(2026, 11, 1) - 1), 'a.s');
  assert.equal(winner(table, Date.UTC(2026, 11, 1)), 'b.s');
  assert.deepEqual(decide(table).reasons, ['no exchange rate', 'no room']);
  assert.deepEqual(decide(table, 'break', Date.UTC(2026, 9, 31)).reasons, ['no exchange rate']);
});

test('floors are in the currency of the placement, charges in that of the account', () => {
  const objects = [
    rate('JPY', 'EUR', ['2026-11-01', '0.006']),
    ...adOf('a', 'JPY', { bid: '1000' }),
    ...adOf('b', 'EUR', { bid: '3.00' }),
  ];
  const serveFirst = (spec: object) => {
    const [first] = decide(tableOf([placement('break', 'EUR', spec), ...objects])).served;
    return first && [first.adSet.currency, first.ecpm, first.charge];
  };
  assert.deepEqual(serveFirst({ floor: { cpm: '6.00' } }), ['JPY', 6_000_000, 1_000_000]);
  assert.equal(serveFirst({ floor: { cpm: '6.01' } }), undefined);
  // The second price is 3 euros: 500 yen for a thousand.
  assert.deepEqual(serveFirst({ pricing: 'secondPrice' }), ['JPY', 3_000_000, 500_000]);
  assert.deepEqual(serveFirst({ pricing: 'secondPrice', floor: { cpm: '5.00' } }), ['JPY', 5_000_000, 833_334]);
});

test('the second price of a bid for clicks is a price for clicks', () => {
  const table = tableOf([
    placement('break', 'EUR', { pricing: 'secondPrice' }),
    ...adOf('a', 'EUR', { goal: 'cpc', bid: '4.00' }),
    ...adOf('b', 'EUR', { goal: 'cpcv', bid: '0.005' }),
  ]);
  const [first] = decide(table).served;
  assert.deepEqual(first && [first.adSet.name, first.ecpm, first.charge], ['default/a.s', 4_500_000, 2_250_000]);
});

const CURRENCIES = ['EUR', 'USD', 'JPY', 'GBP'] as const;
/** Rates that do not fit each other, and one that is missing: the best is found all the same. */
const RATES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  EUR: { EUR: 1, USD: 0.9, JPY: 0.006 },
  JPY: { EUR: 170, USD: 140, JPY: 1, GBP: 250 },
};
const anyBid = fc.record({
  currency: fc.constantFrom(...CURRENCIES),
  goal: fc.constantFrom('cpm', 'cpc', 'cpcv'),
  cents: fc.integer({ min: 1, max: 500 }),
});

test('of many bids the one that is worth most is served, also after a rate changed', () => {
  fc.assert(
    fc.property(
      fc.array(anyBid, { minLength: 1, maxLength: 120 }),
      fc.integer({ min: 1, max: 400 }),
      (bids, laterPercent) => {
        const objects = [
          placement('yen', 'JPY'),
          placement('break', 'EUR'),
          ...Object.entries(RATES).flatMap(([quote, rates]) =>
            Object.entries(rates).flatMap(([base, size]) =>
              base === quote ? [] : [rate(base, quote, ['2026-11-01', String(size)])],
            ),
          ),
          ...bids.flatMap(({ currency, goal, cents }, index) =>
            adOf(`a${index}`, currency, { goal, bid: `${(cents * (currency === 'JPY' ? 150 : 1)) / 100}` }),
          ),
        ];
        const world = worldOf(objects);
        const table = tableOf(objects);
        const changed = rate('USD', 'EUR', ['2026-11-01', (laterPercent / 100).toFixed(2)]);
        world.set(changed);
        const later = atOnce(
          updateInSteps(table, world, [{ kind: ExchangeRate.id, name: changed.name }], compileAudiences(world)),
        );
        for (const [asked, name, quote, usd] of [
          [table, 'break', 'EUR', 0.9],
          [table, 'yen', 'JPY', 140],
          [later, 'break', 'EUR', laterPercent / 100],
        ] as const) {
          const rates = { ...RATES[quote], USD: usd };
          const worths = bids.map(({ currency, goal, cents }) => {
            const bid = microsOf(String((cents * (currency === 'JPY' ? 150 : 1)) / 100));
            const events = { cpm: 1, cpc: 2, cpcv: 900 }[goal];
            const size = (rates as Record<string, number>)[currency];
            return size === undefined ? -1 : (bid * events * Math.round(size * 1_000)) / 1_000;
          });
          const best = Math.max(...worths);
          const { served } = decide(asked, name);
          if (best < 1) assert.equal(served.length, 0);
          else assert.equal(served[0]?.ecpm, Math.floor(best));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('the index finds a bid that is worth more here than where its bounds are from', () => {
  const table = tableOf([
    placement('yen', 'JPY'),
    placement('break', 'EUR'),
    rate('EUR', 'JPY', ['2026-11-01', '170']),
    rate('GBP', 'JPY', ['2026-11-01', '250']),
    // Pounds have no rate into euros, so that their bound is as low as those of these.
    ...Array.from({ length: 3_000 }, (_, index) => adOf(`a${index}`, 'EUR', { bid: `1.${4_000 - index}` })).flat(),
    ...adOf('pound', 'GBP', { bid: '1.00' }),
  ]);
  assert.equal(decide(table, 'yen').served[0]?.adSet.name, 'default/pound.s');
});
