import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RatesInto, type DatedRate } from './exchange.ts';
import { chargeOf, ecpmOf, GOALS, worthOf, type Bid } from './goals.ts';
import { divide, multiply, ONE, ratioOf, times, type Ratio } from './ratio.ts';

/** A whole number of steps of 10^-digits as a decimal text. */
const decimal = (steps: number, digits: number) => (steps / 10 ** digits).toFixed(digits);

const anyRate = fc.record({ steps: fc.integer({ min: 1, max: 500_000_000 }), digits: fc.integer({ min: 0, max: 6 }) });
const anyAmount = fc.integer({ min: 1, max: 10 ** 14 });

test('an amount at a rate is the exact product, rounded down; the quotient is rounded up', () => {
  fc.assert(
    fc.property(anyAmount, anyRate, (amount, { steps, digits }) => {
      const ratio = ratioOf(decimal(steps, digits));
      const scale = 10n ** BigInt(digits);
      // result ≤ amount × steps / scale < result + 1, in whole numbers.
      const product = BigInt(amount) * BigInt(steps);
      const result = product / scale;
      if (result < 2n ** 53n) assert.equal(BigInt(multiply(amount, ratio)), result);
      assert.ok(result * scale <= product && product < (result + 1n) * scale);
      const quotient = BigInt(divide(amount, ratio));
      if (quotient < 2n ** 53n) {
        assert.ok(quotient * BigInt(steps) >= BigInt(amount) * scale);
        assert.ok((quotient - 1n) * BigInt(steps) < BigInt(amount) * scale);
      }
    }),
    { numRuns: 2_000 },
  );
});

const anyBid = fc.record({ goal: fc.constantFrom(...GOALS), bid: fc.integer({ min: 1, max: 10 ** 10 }) });
const anyPriors = fc.record({
  clickRate: fc.integer({ min: 1, max: 200_000 }).map((steps) => steps / 10 ** 6),
  completionRate: fc.integer({ min: 1, max: 1_000_000 }).map((steps) => steps / 10 ** 6),
});

test('a charge is at most the bid, earns at least the price, and one micro-unit less would not', () => {
  fc.assert(
    fc.property(
      anyBid,
      anyPriors,
      anyRate,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (bid, priors, { steps, digits }, share) => {
        const worth = times(ratioOf(decimal(steps, digits)), worthOf(bid.goal, priors));
        const most = ecpmOf(bid, worth);
        const ecpm = Math.floor(most * share);
        const charge = chargeOf(bid, ecpm, worth);
        const events = bid.goal === 'cpm' ? 1_000 : 1;
        assert.ok(charge <= Math.ceil(bid.bid / events));
        assert.ok(earns(charge * events, worth, ecpm), 'the charge earns less than the price');
        if (ecpm === most) assert.equal(charge, Math.ceil(bid.bid / events));
        else if (charge > 0) assert.ok(!earns((charge - 1) * events, worth, ecpm), 'less would be enough');
      },
    ),
    { numRuns: 3_000 },
  );
});

/** Whether an amount is worth a price, in exact numbers. */
function earns(amount: number, { numerator, denominator }: Ratio, price: number): boolean {
  return BigInt(amount) * numerator >= BigInt(price) * denominator;
}

test('a bid for a thousand impressions in the same currency is its own revenue', () => {
  const bid: Bid = { goal: 'cpm', bid: 12_500_000 };
  assert.equal(ecpmOf(bid, ONE), 12_500_000);
  assert.equal(chargeOf(bid, 12_500_000, ONE), 12_500);
  assert.equal(chargeOf(bid, 4_000_001, ONE), 4_001);
});

test('one euro a click at two clicks in a thousand is two euros for a thousand impressions', () => {
  const worth = worthOf('cpc', { clickRate: 0.002, completionRate: 1 });
  assert.equal(ecpmOf({ goal: 'cpc', bid: 1_000_000 }, worth), 2_000_000);
  assert.equal(chargeOf({ goal: 'cpc', bid: 1_000_000 }, 1_000_000, worth), 500_000);
});

const anyTimeline = fc
  .uniqueArray(fc.record({ day: fc.integer({ min: 0, max: 50 }), rate: fc.integer({ min: 1, max: 9 }) }), {
    selector: ({ day }) => day,
    maxLength: 8,
  })
  .map((entries) =>
    entries
      .toSorted((a, b) => a.day - b.day)
      .map(({ day, rate }): DatedRate => ({ fromMs: day, ratio: { numerator: BigInt(rate), denominator: 1n } })),
  );

test('at any moments in any order the last rate that has begun holds', () => {
  fc.assert(
    fc.property(
      anyTimeline,
      anyTimeline,
      fc.array(fc.integer({ min: -2, max: 55 }), { maxLength: 30 }),
      (usd, jpy, moments) => {
        const timelines = new Map([
          ['USD', usd],
          ['JPY', jpy],
        ]);
        const rates = new RatesInto('EUR', timelines);
        for (const nowMs of moments) {
          const found = rates.at(nowMs);
          assert.equal(found.get('EUR'), ONE);
          assert.equal(found.get('GBP'), undefined);
          for (const [currency, timeline] of timelines) {
            const begun = timeline.filter(({ fromMs }) => fromMs <= nowMs);
            assert.equal(found.get(currency), begun.at(-1)?.ratio);
          }
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
