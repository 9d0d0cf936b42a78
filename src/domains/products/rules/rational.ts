import type { Fault } from './fault.ts';

/** An exact fraction; the denominator is above zero. Amounts stay fractions until they are rounded, once. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/**
 * How a fraction of the smallest unit is rounded: to the nearest with halves away from zero (`halfUp`) or to the even
 * neighbour (`halfEven`); away from zero (`up`); towards zero (`down`).
 */
export type RoundingMode = 'halfUp' | 'halfEven' | 'up' | 'down';

export function rational(numerator: bigint, denominator = 1n): Rational {
  if (denominator === 0n) throw new RangeError('a fraction needs a denominator other than zero');
  return denominator < 0n ? { numerator: -numerator, denominator: -denominator } : { numerator, denominator };
}

export function plus(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

export function times(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.numerator, a.denominator * b.denominator);
}

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export function compare(a: Rational, b: Rational): number {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The whole number that the mode chooses. */
export function round({ numerator, denominator }: Rational, mode: RoundingMode): bigint {
  const negative = numerator < 0n;
  const size = negative ? -numerator : numerator;
  const whole = size / denominator;
  const rest = size % denominator;
  const rounded = rest > 0n && awayFromZero(whole, 2n * rest, denominator, mode) ? whole + 1n : whole;
  return negative ? -rounded : rounded;
}

function awayFromZero(whole: bigint, twiceRest: bigint, denominator: bigint, mode: RoundingMode): boolean {
  switch (mode) {
    case 'up':
      return true;
    case 'down':
      return false;
    case 'halfUp':
      return twiceRest >= denominator;
    case 'halfEven':
      return twiceRest > denominator || (twiceRest === denominator && whole % 2n === 1n);
    default:
      return mode satisfies never;
  }
}

/** Digits before and after the point of a decimal text: beyond any price, and small enough to stay cheap. */
const WHOLE_DIGITS_MAX = 15;
const FRACTION_DIGITS_MAX = 9;
const DECIMAL = new RegExp(`^(-?)(\\d{1,${WHOLE_DIGITS_MAX}})(?:\\.(\\d{1,${FRACTION_DIGITS_MAX}}))?$`);

/** A decimal text such as `12.99`, exactly, with the number of its decimals. */
export function parseDecimal(text: string): (Rational & { readonly decimals: number }) | Fault {
  const match = DECIMAL.exec(text);
  if (match === null) return { fault: `"${text}" is not a decimal number; write it with a point, like "12.99".` };
  const [, sign = '', whole = '', fraction = ''] = match;
  return {
    numerator: BigInt(sign + whole + fraction),
    denominator: 10n ** BigInt(fraction.length),
    decimals: fraction.length,
  };
}
