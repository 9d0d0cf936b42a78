import { CURRENCIES } from '#kernel/base/currencies.ts';
import { isFault, type Fault } from './fault.ts';
import { parseDecimal, rational, round, times, type Rational, type RoundingMode } from './rational.ts';
import { nearSpellings, didYouMean } from '#kernel/base/spelling.ts';

/**
 * An exact amount in `minor` units of 10^-`exponent` of the currency. The exponent belongs to the amount, as
 * channels differ.
 */
export interface Money {
  readonly minor: bigint;
  readonly exponent: number;
  readonly currency: string;
}

/** Parses `12.99` in a currency; refuses more decimals than the exponent (by default that of ISO 4217). */
export function parseMoney(text: string, currency: string, exponent = CURRENCIES.get(currency)): Money | Fault {
  if (exponent === undefined) return { fault: unknownCurrency(currency) };
  const decimal = parseDecimal(text);
  if (isFault(decimal)) return decimal;
  if (decimal.decimals > exponent) {
    const most = exponent === 0 ? 'no decimals' : `at most ${exponent} decimals`;
    return { fault: `${currency} has ${most} here; "${text}" has ${decimal.decimals}.` };
  }
  return { minor: decimal.numerator * 10n ** BigInt(exponent - decimal.decimals), exponent, currency };
}

export function unknownCurrency(currency: string): string {
  const near = nearSpellings(currency.toUpperCase(), CURRENCIES.keys());
  return `"${currency}" is not a currency of ISO 4217${didYouMean(near)}.`;
}

/** The amount as a decimal text with exactly as many decimals as the exponent: `12.90`, `980`, `-0.05`. */
export function formatAmount({ minor, exponent }: Money): string {
  const sign = minor < 0n ? '-' : '';
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, '0');
  const point = digits.length - exponent;
  return exponent === 0 ? sign + digits : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** `EUR 12.99`: for sentences, where the currency must not be in doubt. */
export function codeAndAmount(money: Money): string {
  return `${money.currency} ${formatAmount(money)}`;
}

/** The amount in whole units of the currency, exactly. */
export function majorUnits({ minor, exponent }: Money): Rational {
  return rational(minor, 10n ** BigInt(exponent));
}

/** `money` times a fraction, rounded once to its smallest unit. */
export function scale(money: Money, factor: Rational, mode: RoundingMode = 'halfUp'): Money {
  return { ...money, minor: round(times(rational(money.minor), factor), mode) };
}

export function sameMoney(a: Money | undefined, b: Money | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.minor === b.minor && a.exponent === b.exponent && a.currency === b.currency;
}
