/** An integer that is not exact in JavaScript has as many digits at least. */
const LONG_NUMBER = /\d{16}/;
const INTEGER = /^-?\d+$/;

/**
 * Reads JSON. Whole numbers that JavaScript would round, as ids of 64 bits are, become the text of their digits: what
 * takes texts gets the very id, and what needs a number refuses it.
 */
export function parseExactJson(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  const exact = (_key: string, value: unknown, { source = '' }: { readonly source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && INTEGER.test(source) ? source : value;
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
}
