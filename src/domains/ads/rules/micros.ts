/** Micro-units of a unit of currency, of every currency alike. */
const DIGITS = 6;

/** A decimal text that passed its schema in micro-units: `12.5` is 12,500,000. */
export function microsOf(decimal: string): number {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return Number(whole + fraction.padEnd(DIGITS, '0'));
}

/** Micro-units as a decimal text, with two decimals at least. */
export function decimalOf(micros: number): string {
  const digits = String(Math.round(micros)).padStart(DIGITS + 1, '0');
  const fraction = digits.slice(-DIGITS).replace(/0{1,4}$/, '');
  return `${digits.slice(0, -DIGITS)}.${fraction}`;
}
