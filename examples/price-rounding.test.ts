import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#domains/products/rules/fault.ts';
import { formatAmount } from '#domains/products/rules/money.ts';
import { parseEnding, roundPrice, type Direction, type PriceRounding } from './price-rounding.ts';
import { rational } from '#domains/products/rules/rational.ts';

function roundText(amount: string, currency: string, exponent: number, rounding: PriceRounding): string {
  const [whole = '', fraction = ''] = amount.split('.');
  const exact = rational(BigInt(whole + fraction), 10n ** BigInt(fraction.length));
  return formatAmount(roundPrice(exact, currency, exponent, rounding));
}

test('a computed amount becomes a price of the market', () => {
  const vectors: [string, string, number, PriceRounding, string][] = [
    ['13.189', 'EUR', 2, { endings: ['0.99'] }, '12.99'],
    ['13.60', 'EUR', 2, { endings: ['.99'] }, '13.99'],
    ['13.60', 'EUR', 2, { endings: ['0.99'], direction: 'down' }, '12.99'],
    ['13.00', 'EUR', 2, { endings: ['0.99'], direction: 'up' }, '13.99'],
    ['12.99', 'EUR', 2, { endings: ['0.99'], direction: 'up' }, '12.99'],
    ['13.20', 'EUR', 2, { endings: ['0.49', '0.99'] }, '12.99'],
    ['13.30', 'EUR', 2, { endings: ['0.49', '0.99'] }, '13.49'],
    ['13.24', 'EUR', 2, { endings: ['0.49', '0.99'] }, '13.49'],
    ['1078', 'JPY', 0, { endings: ['80'] }, '1080'],
    ['11990', 'KRW', 0, { endings: ['900'], direction: 'up' }, '12900'],
    ['2189', 'HUF', 2, { endings: ['90'] }, '2190.00'],
    ['14.245', 'CHF', 2, { increment: '0.05' }, '14.25'],
    ['14.22', 'CHF', 2, { increment: '0.05' }, '14.20'],
    ['14.21', 'CHF', 2, { increment: '0.05', direction: 'up' }, '14.25'],
    ['2188', 'HUF', 2, { increment: '5' }, '2190.00'],
    ['1078', 'JPY', 0, { increment: '10' }, '1080'],
    ['14.245', 'EUR', 2, {}, '14.25'],
    ['14.245', 'EUR', 2, { mode: 'halfEven' }, '14.24'],
    ['1023.45', 'JPY', 0, {}, '1023'],
    ['0', 'EUR', 2, { endings: ['0.99'], direction: 'up' }, '0.00'],
    ['0.307', 'EUR', 2, { endings: ['0.99'], direction: 'down' }, '0.30'],
    ['0.30', 'EUR', 2, { endings: ['0.99'] }, '0.99'],
  ];
  for (const [amount, currency, exponent, rounding, expected] of vectors) {
    assert.equal(roundText(amount, currency, exponent, rounding), expected, `${amount} ${JSON.stringify(rounding)}`);
  }
});

test('an ending has as many digits as are written', () => {
  assert.deepEqual(parseEnding('0.99', 2), { rest: 99n, modulus: 100n });
  assert.deepEqual(parseEnding('.99', 2), { rest: 99n, modulus: 100n });
  assert.deepEqual(parseEnding('9.99', 2), { rest: 999n, modulus: 1000n });
  assert.deepEqual(parseEnding('900', 0), { rest: 900n, modulus: 1000n });
  assert.deepEqual(parseEnding('00', 0), { rest: 0n, modulus: 100n });
  for (const text of ['0.999', 'x', '-1', '']) assert.ok(isFault(parseEnding(text, 2)), text);
});

test('the chosen price agrees with a search of all prices with such an ending', () => {
  const endings = ['0.99', '0.49', '5.00', '9.95'];
  const isOne = (minor: number, ending: string) => {
    const rest = Math.round(Number(ending) * 100);
    return minor % (rest < 100 ? 100 : 1000) === rest;
  };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40_000 }),
      fc.subarray(endings, { minLength: 1 }),
      fc.constantFrom<Direction>('nearest', 'up', 'down'),
      (tenths, allowed, direction) => {
        const amount = tenths / 10; // in minor units
        const all = Array.from({ length: 6_000 }, (_, minor) => minor).filter((minor) =>
          allowed.some((e) => isOne(minor, e)),
        );
        const below = all.findLast((minor) => minor <= amount);
        const above = all.find((minor) => minor >= amount);
        assert.ok(above !== undefined);
        const nearest = below !== undefined && amount - below < above - amount ? below : above;
        const expected = { up: above, down: below ?? Math.floor(amount), nearest }[direction];
        const actual = roundPrice(rational(BigInt(tenths), 1000n), 'EUR', 2, { endings: allowed, direction });
        assert.equal(actual.minor, BigInt(expected));
      },
    ),
  );
});
