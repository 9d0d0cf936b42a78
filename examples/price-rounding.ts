import { isFault, type Fault } from '#domains/products/rules/fault.ts';
import type { Money } from '#domains/products/rules/money.ts';
import {
  parseDecimal,
  rational,
  round,
  times,
  type Rational,
  type RoundingMode,
} from '#domains/products/rules/rational.ts';

/**
 * How a computed amount becomes a price of a market. With `endings` it is moved to one of them, with `increment` to a
 * multiple of it, in the declared direction; otherwise only fractions of the smallest unit are rounded, by `mode`.
 */
export interface PriceRounding {
  readonly mode?: RoundingMode;
  readonly direction?: Direction;
  /** `0.05` for Swiss cash, `5` for Hungarian. */
  readonly increment?: string;
  /** `0.99`, `.49`; `900` ends a price in thousands. See `parseEnding`. */
  readonly endings?: readonly string[];
}

export type Direction = 'nearest' | 'up' | 'down';

/** A price ends so when it is `rest` more than a multiple of `modulus`, both in minor units. */
interface Ending {
  readonly rest: bigint;
  readonly modulus: bigint;
}

/**
 * Reads an ending: as many digits before the point as are written belong to it, a zero alone before a point is none.
 * `0.99` and `.99` end any whole number; `9.99` ends tens; `900` ends thousands; `00` ends hundreds.
 */
export function parseEnding(text: string, exponent: number): Ending | Fault {
  const decimal = parseDecimal(text.startsWith('.') ? `0${text}` : text);
  if (isFault(decimal) || decimal.numerator < 0n) {
    return { fault: `"${text}" is not a price ending; write it like "0.99", ".49" or "900".` };
  }
  if (decimal.decimals > exponent) {
    return { fault: `The ending "${text}" has ${decimal.decimals} decimals, the currency has ${exponent}.` };
  }
  const [whole = ''] = text.split('.');
  const wholeDigits = decimal.decimals > 0 && whole === '0' ? 0 : whole.length;
  return {
    rest: decimal.numerator * 10n ** BigInt(exponent - decimal.decimals),
    modulus: 10n ** BigInt(exponent + wholeDigits),
  };
}

/** Reads an increment as an ending: multiples of it leave no rest. */
function parseIncrement(text: string, exponent: number): Ending | Fault {
  const decimal = parseDecimal(text);
  if (isFault(decimal)) return decimal;
  if (decimal.numerator <= 0n) return { fault: `The increment "${text}" must be above zero.` };
  if (decimal.decimals > exponent) {
    return { fault: `The increment "${text}" has ${decimal.decimals} decimals, the currency has ${exponent}.` };
  }
  return { rest: 0n, modulus: decimal.numerator * 10n ** BigInt(exponent - decimal.decimals) };
}

/**
 * The price that a computed amount (in whole units of the currency) becomes. Nearest takes the higher of two equally near.
 * Never moves against the direction: below the lowest ending, `down` leaves the amount without one. Free stays free.
 */
export function roundPrice(amount: Rational, currency: string, exponent: number, rounding: PriceRounding): Money {
  const { mode = 'halfUp', direction = 'nearest', increment, endings = [] } = rounding;
  const exact = times(amount, rational(10n ** BigInt(exponent)));
  const plain: Money = { minor: round(exact, mode), exponent, currency };
  const grid = [
    ...endings.map((text) => parseEnding(text, exponent)),
    ...(increment === undefined ? [] : [parseIncrement(increment, exponent)]),
  ].flatMap((ending) => (isFault(ending) ? [] : [ending]));
  if (grid.length === 0 || amount.numerator === 0n) return plain;

  const below = largest(grid.map((ending) => atOrBelow(exact, ending)).filter((minor) => minor >= 0n));
  const above = smallest(grid.map((ending) => atOrAbove(exact, ending)));
  switch (direction) {
    case 'up':
      return { ...plain, minor: above ?? plain.minor };
    case 'down':
      return { ...plain, minor: below ?? round(exact, 'down') };
    case 'nearest':
      if (above === undefined || below === undefined) return { ...plain, minor: above ?? below ?? plain.minor };
      // Twice the amount lies below the sum of its neighbours exactly when the lower one is nearer.
      return { ...plain, minor: 2n * exact.numerator < (above + below) * exact.denominator ? below : above };
    default:
      return direction satisfies never;
  }
}

function atOrBelow({ numerator, denominator }: Rational, { rest, modulus }: Ending): bigint {
  const shifted = numerator - rest * denominator;
  const step = modulus * denominator;
  const remainder = ((shifted % step) + step) % step;
  return (shifted - remainder) / denominator + rest;
}

function atOrAbove(amount: Rational, ending: Ending): bigint {
  const below = atOrBelow(amount, ending);
  return below * amount.denominator === amount.numerator ? below : below + ending.modulus;
}

function largest(values: readonly bigint[]): bigint | undefined {
  return values.reduce<bigint | undefined>(
    (best, value) => (best === undefined || value > best ? value : best),
    undefined,
  );
}

function smallest(values: readonly bigint[]): bigint | undefined {
  return values.reduce<bigint | undefined>(
    (best, value) => (best === undefined || value < best ? value : best),
    undefined,
  );
}
