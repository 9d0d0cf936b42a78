import { formatAmount, type Money } from './money.ts';

/** Building a formatter takes some 50 µs, using it 1 µs. A business has a few hundred pairs of locale and currency. */
const FORMATTERS_MAX = 2_000;
const formatters = new Map<string, Intl.NumberFormat>();

/**
 * An amount for people: the currency's sign and separators as the locale has them, and as many decimals as the amount's
 * own exponent (never CLDR's) — all of them, or none when they are all zero: `10,99 €`, `10 €`, `1990 Ft`, `￥980`.
 */
export function displayMoney(money: Money, locale: string): string {
  const key = `${locale} ${money.currency} ${money.exponent}`;
  let formatter = formatters.get(key);
  if (formatter === undefined) {
    formatter = new Intl.NumberFormat(locale, {
      style: 'currency',
      currency: money.currency,
      minimumFractionDigits: money.exponent,
      maximumFractionDigits: money.exponent,
      trailingZeroDisplay: 'stripIfInteger',
    });
    if (formatters.size >= FORMATTERS_MAX) formatters.clear();
    formatters.set(key, formatter);
  }
  // A decimal text is formatted digit by digit, without passing through a float.
  return formatter.format(formatAmount(money) as `${number}`);
}

/** Whether it is a tag of a language that is known here. */
export function isLocale(text: string): boolean {
  try {
    return Intl.NumberFormat.supportedLocalesOf(text).length > 0;
  } catch {
    // Not even the form of one.
    return false;
  }
}

/** An amount in the sentences of previews and reasons, which are English. */
export function englishMoney(money: Money): string {
  return displayMoney(money, 'en');
}
