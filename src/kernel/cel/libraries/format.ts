import { CelError } from '../cel-error.ts';
import {
  bigOf,
  doubleOf,
  Duration,
  durationText,
  isInt,
  isList,
  isMap,
  keysOfMap,
  numberOf,
  Timestamp,
  timestampText,
  typeName,
  TypeValue,
  Uint,
  valueInMap,
  type Value,
} from '../values.ts';

const CLAUSE = /%(?:(%)|(?:\.(\d*))?(.)?)/gsu;
/** Decimals of `%f` and `%e`. */
const DECIMALS = { usual: 6, max: 100 } as const;

/** `%s %d %f %e %b %o %x %X` and `%%`, with the values of a list. */
export function formatText(text: string, args: readonly Value[]): string {
  let next = 0;
  return text.replace(CLAUSE, (_all, percent?: string, decimals?: string, verb?: string) => {
    if (percent !== undefined) return '%';
    const write = WRITERS[verb ?? ''];
    if (write === undefined) {
      throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb ?? ''}"`);
    }
    const value = args[next];
    if (value === undefined) throw new CelError(`index ${next} out of range: there is no value for %${verb ?? ''}`);
    next += 1;
    const count = decimals === undefined ? DECIMALS.usual : Number(decimals);
    if (count > DECIMALS.max) throw new CelError(`a number has at most ${DECIMALS.max} decimals`);
    return write(value, count);
  });
}

const WRITERS: Readonly<Record<string, (value: Value, decimals: number) => string>> = {
  s: (value) => plainText(value),
  d: (value) => {
    const number = numberOf(value);
    if (number === undefined) throw wrongValue('d', value, 'integers and doubles');
    return typeof number === 'number' && !isInt(value) ? plainText(value) : String(number);
  },
  f: (value, decimals) => special(value) ?? fixedText(Number(numberIn('f', value)), decimals),
  e: (value, decimals) => special(value) ?? scientificText(Number(numberIn('e', value)), decimals),
  b: (value) => (typeof value === 'boolean' ? String(Number(value)) : wholeIn('b', value).toString(2)),
  o: (value) => wholeIn('o', value).toString(8),
  x: hexText,
  X: (value) => hexText(value).toUpperCase(),
};

function wrongValue(verb: string, value: Value, allowed: string): CelError {
  return new CelError(`%${verb} is for ${allowed}: no such overload for ${typeName(value)}`);
}

function special(value: Value): string | undefined {
  const number = doubleOf(value);
  return number === undefined || Number.isFinite(number) ? undefined : String(number);
}

function numberIn(verb: string, value: Value): number | bigint {
  const number = numberOf(value);
  if (number === undefined) throw wrongValue(verb, value, 'numbers');
  return number;
}

function wholeIn(verb: string, value: Value): bigint {
  if (isInt(value)) return bigOf(value);
  if (value instanceof Uint) return value.value;
  throw wrongValue(verb, value, verb === 'b' ? 'integers and bools' : 'integers');
}

function hexText(value: Value): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (isInt(value) || value instanceof Uint) return wholeIn('x', value).toString(16);
  throw wrongValue('x', value, 'integers, strings and bytes');
}

/** Rounds the exact value, halves to the even digit. */
function fixedText(number: number, decimals: number): string {
  let whole = Math.abs(number);
  let halvings = 0n;
  // A double is a whole number over a power of two.
  for (; !Number.isInteger(whole); halvings += 1n) whole *= 2;
  const scaled = BigInt(whole) * 10n ** BigInt(decimals);
  const [digits, rest] = [scaled >> halvings, scaled & ((1n << halvings) - 1n)];
  const isUp = rest * 2n > 1n << halvings || (rest * 2n === 1n << halvings && digits % 2n === 1n);
  const rounded = String(digits + BigInt(halvings > 0n && isUp)).padStart(decimals + 1, '0');
  const sign = number < 0 ? '-' : '';
  const end = rounded.length - decimals;
  return decimals === 0 ? sign + rounded : `${sign}${rounded.slice(0, end)}.${rounded.slice(end)}`;
}

function scientificText(number: number, decimals: number): string {
  const [digits = '', exponent = '0'] = number.toExponential(decimals).split('e');
  return `${digits}e${exponent.startsWith('-') ? '-' : '+'}${exponent.replace(/[+-]/, '').padStart(2, '0')}`;
}

/** Keys of a map are sorted by their texts. */
function plainText(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  const number = numberOf(value);
  if (number !== undefined) return String(number);
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (value instanceof Timestamp) return timestampText(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof TypeValue) return value.name;
  if (isList(value)) return `[${value.map(plainText).join(', ')}]`;
  if (!isMap(value)) throw wrongValue('s', value, 'values that have a text');
  const entries = keysOfMap(value).map((key) => [plainText(key), plainText(valueInMap(value, key) as Value)] as const);
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, content]) => `${key}: ${content}`).join(', ')}}`;
}
