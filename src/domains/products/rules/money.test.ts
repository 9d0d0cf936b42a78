import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { displayMoney } from './display-money.ts';
import { isFault } from './fault.ts';
import { formatAmount, majorUnits, parseMoney, scale, type Money } from './money.ts';
import { compare, parseDecimal, plus, rational, round, times, type Rational, type RoundingMode } from './rational.ts';

function money(text: string, currency = 'EUR', exponent?: number): Money {
  const parsed = parseMoney(text, currency, exponent);
  assert.ok(!isFault(parsed), isFault(parsed) ? parsed.fault : '');
  return parsed;
}

function decimal(text: string): Rational {
  const parsed = parseDecimal(text);
  assert.ok(!isFault(parsed));
  return parsed;
}

test('amounts are read exactly, with the decimals of the currency or of the channel', () => {
  assert.deepEqual(money('12.99'), { minor: 1299n, exponent: 2, currency: 'EUR' });
  assert.equal(money('980', 'JPY').minor, 980n);
  assert.equal(money('1990', 'HUF').minor, 199000n);
  assert.equal(money('0.005', 'KWD').minor, 5n);
  assert.equal(money('1990', 'HUF', 0).minor, 1990n);
  assert.equal(money('999999999999999.99').minor, 99999999999999999n);
});

test('a text that is not an amount of the currency is refused with a sentence that names it', () => {
  const refused: [string, string, RegExp][] = [
    ['980.50', 'JPY', /JPY has no decimals here; "980.50" has 2/],
    ['12.999', 'EUR', /EUR has at most 2 decimals here; "12.999" has 3/],
    ['12,99', 'EUR', /"12,99" is not a decimal number/],
    ['1e3', 'EUR', /"1e3"/],
    ['', 'EUR', /""/],
    ['12.', 'EUR', /"12\."/],
    ['12.99', 'EURO', /"EURO" is not a currency of ISO 4217 \(did you mean "EUR"/],
  ];
  for (const [text, currency, expected] of refused) {
    const parsed = parseMoney(text, currency);
    assert.ok(isFault(parsed), text);
    assert.match(parsed.fault, expected);
  }
});

test('an amount written and read again is the same amount', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 14n), max: 10n ** 14n }),
      fc.integer({ min: 0, max: 4 }),
      (minor, exponent) => {
        const amount: Money = { minor, exponent, currency: 'EUR' };
        assert.deepEqual(money(formatAmount(amount), 'EUR', exponent), amount);
      },
    ),
  );
});

test('rounding agrees with looking for the nearest whole number, in every mode', () => {
  const modes: RoundingMode[] = ['halfUp', 'halfEven', 'up', 'down'];
  fc.assert(
    fc.property(
      fc.bigInt({ min: -2000n, max: 2000n }),
      fc.bigInt({ min: 1n, max: 40n }),
      fc.constantFrom(...modes),
      (numerator, denominator, mode) => {
        const exact = Number(numerator) / Number(denominator);
        const away = Math.sign(exact) * Math.ceil(Math.abs(exact));
        const toward = Math.trunc(exact);
        // With denominators below 41 a distance is exactly a half or clearly not.
        const distance = Math.abs(exact) - Math.abs(toward) - 0.5;
        const isHalf =
          (2n * numerator) % denominator === 0n && numerator % denominator !== 0n && Math.abs(distance) < 1e-6;
        const nearest = distance > 0 ? away : toward;
        const evenHalf = Math.abs(toward) % 2 === 0 ? toward : away;
        const expected = {
          up: away,
          down: toward,
          halfUp: isHalf ? away : nearest,
          halfEven: isHalf ? evenHalf : nearest,
        };
        assert.equal(round(rational(numerator, denominator), mode), BigInt(expected[mode]));
      },
    ),
  );
});

test('a fraction of an amount is rounded once', () => {
  const vectors: [string, string, bigint, bigint, string][] = [
    ['200.00', 'EUR', 29n, 30n, '193.33'],
    ['160.00', 'EUR', 29n, 30n, '154.67'],
    ['29.99', 'EUR', 6n, 7n, '25.71'],
    ['0.01', 'EUR', 100n, 1n, '1.00'],
    ['2000.00', 'EUR', 26n, 29n, '1793.10'],
    ['49.95', 'USD', 16n, 30n, '26.64'],
    ['59.95', 'USD', 14n, 30n, '27.98'],
    ['31.00', 'EUR', 1n, 3n, '10.33'],
  ];
  for (const [text, currency, numerator, denominator, expected] of vectors) {
    assert.equal(formatAmount(scale(money(text, currency), rational(numerator, denominator))), expected);
  }
  assert.equal(round(decimal('1023.45'), 'halfUp'), 1023n);
});

test('discounts give different results in different orders, exactly', () => {
  const tenPercentOff = rational(9n, 10n);
  const oneOff = rational(-1n);
  const cents = (amount: Rational) => round(times(amount, rational(100n)), 'halfUp');
  assert.equal(cents(plus(times(majorUnits(money('12.99')), tenPercentOff), oneOff)), 1069n);
  assert.equal(cents(times(plus(majorUnits(money('12.99')), oneOff), tenPercentOff)), 1079n);
  assert.equal(cents(times(majorUnits(money('11.99')), rational(1n, 4n))), 300n);
});

test('fractions compare by value', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 99 }),
      fc.integer(),
      fc.integer({ min: 1, max: 99 }),
      (a, b, c, d) => {
        const expected = Math.sign(a * d - c * b);
        assert.equal(
          compare(rational(BigInt(a), BigInt(b)), rational(BigInt(c), BigInt(d))),
          expected === 0 ? 0 : expected,
        );
      },
    ),
  );
});

test('people see the decimals of the currency itself, all or none', () => {
  const showMoney = (text: string, currency: string, locale: string) =>
    displayMoney(money(text, currency), locale).replaceAll(/\s/g, ' ');
  assert.equal(showMoney('12.99', 'EUR', 'en'), '€12.99');
  assert.equal(showMoney('12.90', 'EUR', 'de-DE'), '12,90 €');
  assert.equal(showMoney('10', 'EUR', 'de-DE'), '10 €');
  assert.equal(showMoney('1990', 'HUF', 'hu-HU'), '1990 Ft');
  assert.equal(showMoney('1990.50', 'HUF', 'hu-HU'), '1990,50 Ft');
  assert.equal(showMoney('54990', 'IDR', 'id-ID'), 'Rp 54.990');
  assert.equal(showMoney('2.900', 'KWD', 'en'), 'KWD 2.900');
});
