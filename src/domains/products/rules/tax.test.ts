import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { allocate } from './allocate.ts';
import type { Money } from './money.ts';
import { rational, round } from './rational.ts';
import { addExclusive, splitInclusive } from './tax.ts';

const euro = (minor: bigint): Money => ({ minor, exponent: 2, currency: 'EUR' });

test('9.99 with 20 % in it is 8.33 and 1.66', () => {
  const { net, tax, gross } = splitInclusive(euro(999n), rational(20n), 'halfUp');
  assert.deepEqual([net.minor, tax.minor, gross.minor], [833n, 166n, 999n]);
});

test('for each of the first 5,000 prices the parts sum to the price, where rounding both breaks 833', () => {
  let brokenByRoundingBoth = 0;
  for (let minor = 1n; minor <= 5_000n; minor += 1n) {
    const { net, tax } = splitInclusive(euro(minor), rational(20n), 'halfUp');
    assert.equal(net.minor + tax.minor, minor);
    const taxRounded = round(rational(minor * 20n, 120n), 'halfUp');
    if (net.minor + taxRounded !== minor) brokenByRoundingBoth += 1;
  }
  assert.equal(brokenByRoundingBoth, 833);
});

test('tax that is added is rounded once', () => {
  const vectors: [bigint, bigint, bigint, bigint][] = [
    // net in cents, rate as a fraction of a percent, tax, gross
    [19_333n, 25n, 1n, 4_833n],
    [15_467n, 25n, 1n, 3_867n],
    [2_571n, 2_333n, 100n, 600n],
    [0n, 19n, 1n, 0n],
  ];
  for (const [net, rate, per, expected] of vectors) {
    const split = addExclusive(euro(net), rational(rate, per), 'halfUp');
    assert.equal(split.tax.minor, expected);
    assert.equal(split.gross.minor, net + expected);
  }
});

test('the net part is within half a unit of the exact one, at every rate', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 9n }), fc.bigInt({ min: 0n, max: 10_000n }), (gross, hundredths) => {
      const { net, tax } = splitInclusive(euro(gross), rational(hundredths, 100n), 'halfUp');
      assert.equal(net.minor + tax.minor, gross);
      assert.ok(tax.minor >= 0n);
      // net = gross / (1 + rate), with the rate in ten-thousandths
      const distance = 2n * (net.minor * (10_000n + hundredths) - gross * 10_000n);
      assert.ok((distance < 0n ? -distance : distance) <= 10_000n + hundredths);
    }),
  );
});

test('500 over 1099, 1499 and 599 is 172, 234 and 94', () => {
  assert.deepEqual(allocate(500n, [1099n, 1499n, 599n]), [172n, 234n, 94n]);
  assert.deepEqual(allocate(-500n, [1099n, 1499n, 599n]), [-172n, -234n, -94n]);
  assert.deepEqual(allocate(1n, [1n, 1n, 1n]), [1n, 0n, 0n]);
  assert.throws(() => allocate(1n, [0n, 0n]), RangeError);
});

test('shares sum to the whole, and each is its exact share rounded down or up', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10n ** 8n }),
      fc
        .array(fc.bigInt({ min: 0n, max: 10n ** 6n }), { minLength: 1, maxLength: 12 })
        .filter((all) => all.some((w) => w > 0n)),
      (total, weights) => {
        const shares = allocate(total, weights);
        const sum = weights.reduce((all, weight) => all + weight, 0n);
        assert.equal(
          shares.reduce((all, share) => all + share, 0n),
          total,
        );
        for (const [index, share] of shares.entries()) {
          const exact = total * (weights[index] ?? 0n);
          assert.ok(share * sum > exact - sum && share * sum < exact + sum);
        }
      },
    ),
  );
});
