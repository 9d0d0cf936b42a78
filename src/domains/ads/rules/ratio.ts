/** An exact fraction above zero: rates and expectations, by which amounts are multiplied and rounded once. */
export interface Ratio {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export const ONE: Ratio = { numerator: 1n, denominator: 1n };

/** A decimal text that passed its schema: `0.92`. */
export function ratioOf(decimal: string): Ratio {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return { numerator: BigInt(whole + fraction), denominator: 10n ** BigInt(fraction.length) };
}

export function times(a: Ratio, b: Ratio): Ratio {
  if (a === ONE) return b;
  if (b === ONE) return a;
  return { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator };
}

/** A number near the ratio: for orders and bounds, never for money. */
export function sizeOf({ numerator, denominator }: Ratio): number {
  return Number(numerator) / Number(denominator);
}

/** The amount at this ratio, rounded down; not above the largest number that is exact. */
export function multiply(amount: number, { numerator, denominator }: Ratio): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Number((BigInt(amount) * numerator) / denominator));
}

/** The least amount whose product with the ratio is at least this, that is: the quotient, rounded up. */
export function divide(amount: number, { numerator, denominator }: Ratio): number {
  return Number((BigInt(amount) * denominator + numerator - 1n) / numerator);
}
