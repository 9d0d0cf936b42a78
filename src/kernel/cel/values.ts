import { CelError } from './cel-error.ts';
import type { CelType } from './types.ts';

/**
 * A value while an expression runs. JSON is used as it is: nothing is copied.
 *
 * - `int`: a number that is a safe integer, or a bigint beyond that; a number from JSON too
 * - `double`: any other number, or a `Double` where the number would be taken for an int
 * - `uint`: `Uint`. `string`: text. `bytes`: Uint8Array. `null`, `bool`: themselves
 * - list: an array. map: a plain object from JSON, or a `CelMap`
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Double
  | Uint
  | Timestamp
  | Duration
  | TypeValue
  | Optional
  | Opaque
  | CelMap
  | readonly Value[]
  | { readonly [key: string]: Value };

/** A double whose number is a safe integer. */
export class Double {
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }
}

export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

export class Timestamp {
  /** Nanoseconds since 1970. */
  readonly ns: bigint;

  constructor(ns: bigint) {
    this.ns = ns;
  }
}

export class Duration {
  readonly ns: bigint;

  constructor(ns: bigint) {
    this.ns = ns;
  }
}

/** A type as a value, by its name without parameters. */
export class TypeValue {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

export class Optional {
  static readonly NONE = new Optional(undefined);
  /** undefined: there is none. */
  readonly value: Value | undefined;

  constructor(value: Value | undefined) {
    this.value = value;
  }
}

/** A value of a library's type. Two are equal where their keys are. */
export abstract class Opaque {
  abstract readonly typeName: string;
  /** Says all that matters for equality. */
  abstract readonly key: string;
}

export type KeyValue = string | boolean | number | bigint | Uint;

/** A map that an expression made. Numbers that are equal are one key, whatever their types. */
export class CelMap {
  readonly #entries = new Map<string | boolean | number | bigint, readonly [KeyValue, Value]>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(canonicalKey(key))?.[1];
  }

  has(key: Value): boolean {
    return this.#entries.has(canonicalKey(key));
  }

  /** Adds a key that is not there. */
  add(key: Value, value: Value): void {
    if (!isKey(key)) throw new CelError(`unsupported key type: ${typeName(key)}`);
    const canonical = canonicalKey(key);
    if (this.#entries.has(canonical)) throw new CelError(`insert failed: the key ${textOfKey(key)} already exists`);
    this.#entries.set(canonical, [key, value]);
  }

  keys(): readonly KeyValue[] {
    return Array.from(this.#entries.values(), ([key]) => key);
  }

  values(): readonly Value[] {
    return Array.from(this.#entries.values(), ([, value]) => value);
  }
}

function isKey(key: Value): key is KeyValue {
  const kind = typeof key;
  return kind === 'string' || kind === 'boolean' || kind === 'bigint' || isInt(key) || key instanceof Uint;
}

function textOfKey(key: KeyValue): string {
  return key instanceof Uint ? String(key.value) : JSON.stringify(typeof key === 'bigint' ? String(key) : key);
}

function canonicalKey(key: Value): string | boolean | number | bigint {
  if (typeof key === 'string' || typeof key === 'boolean' || typeof key === 'number') return key;
  const number = numberOf(key);
  if (number === undefined) return Number.NaN;
  if (typeof number === 'bigint' && number >= SAFE_MIN && number <= SAFE_MAX) return Number(number);
  return number;
}

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);
const SAFE_MIN = BigInt(Number.MIN_SAFE_INTEGER);
export const INT_MAX = 2n ** 63n - 1n;
export const INT_MIN = -(2n ** 63n);
export const UINT_MAX = 2n ** 64n - 1n;
/** From the beginning of the year 1 to the end of 9999. */
const TIMESTAMP_NS = { min: -62_135_596_800n * 1_000_000_000n, max: 253_402_300_800n * 1_000_000_000n - 1n } as const;
/** 10,000 years, as protobuf has it. */
const DURATION_NS_MAX = 315_576_000_000n * 1_000_000_000n;

export function int(value: bigint): number | bigint {
  if (value >= SAFE_MIN && value <= SAFE_MAX) return Number(value);
  if (value < INT_MIN || value > INT_MAX) throw new CelError('integer overflow');
  return value;
}

export function uint(value: bigint): Uint {
  if (value < 0n || value > UINT_MAX) throw new CelError('unsigned integer overflow');
  return new Uint(value);
}

export function double(number: number): number | Double {
  return Number.isSafeInteger(number) ? new Double(number) : number;
}

export function timestamp(ns: bigint): Timestamp {
  if (ns < TIMESTAMP_NS.min || ns > TIMESTAMP_NS.max) throw new CelError('timestamp overflow: out of range');
  return new Timestamp(ns);
}

export function duration(ns: bigint): Duration {
  if (ns > DURATION_NS_MAX || ns < -DURATION_NS_MAX) throw new CelError('duration overflow: out of range');
  return new Duration(ns);
}

export function isInt(value: Value): value is number | bigint {
  return typeof value === 'number' ? Number.isSafeInteger(value) : typeof value === 'bigint';
}

/** An int as a bigint. */
export function bigOf(value: number | bigint): bigint {
  return typeof value === 'bigint' ? value : BigInt(value);
}

/** The number of a double; undefined for everything else. */
export function doubleOf(value: Value): number | undefined {
  if (value instanceof Double) return value.number;
  return typeof value === 'number' && !Number.isSafeInteger(value) ? value : undefined;
}

/** A number of any type, so that JavaScript compares it exactly with any other. */
export function numberOf(value: Value): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (value instanceof Double) return value.number;
  return value instanceof Uint ? value.value : undefined;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export type PlainMap = { readonly [key: string]: Value };

export function isMap(value: Value): value is CelMap | PlainMap {
  return value instanceof CelMap || isPlainMap(value);
}

function isPlainMap(value: Value): value is PlainMap {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function sizeOfMap(map: CelMap | PlainMap): number {
  return map instanceof CelMap ? map.size : Object.keys(map).length;
}

export function keysOfMap(map: CelMap | PlainMap): readonly KeyValue[] {
  return map instanceof CelMap ? map.keys() : Object.keys(map);
}

export function valuesOfMap(map: CelMap | PlainMap): readonly Value[] {
  return map instanceof CelMap ? map.values() : Object.values(map);
}

/** undefined: there is no such key. */
export function valueInMap(map: CelMap | PlainMap, key: Value): Value | undefined {
  if (map instanceof CelMap) return map.get(key);
  return typeof key === 'string' && Object.hasOwn(map, key) ? map[key] : undefined;
}

/** The name of the type of a value. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'number':
      return Number.isSafeInteger(value) ? 'int' : 'double';
    case 'bigint':
      return 'int';
    case 'string':
      return 'string';
    default:
      return typeNameOfObject(value);
  }
}

function typeNameOfObject(value: Exclude<Value, boolean | number | bigint | string>): string {
  if (value === null) return 'null_type';
  if (value instanceof Double) return 'double';
  if (value instanceof Uint) return 'uint';
  if (value instanceof Uint8Array) return 'bytes';
  if (isList(value)) return 'list';
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  if (value instanceof TypeValue) return 'type';
  if (value instanceof Optional) return 'optional_type';
  return value instanceof Opaque ? value.typeName : 'map';
}

/** Equality across types of numbers; values of other types differ. Never fails. */
export function isEqual(a: Value, b: Value): boolean {
  if (a === b) return typeof a !== 'number' || !Number.isNaN(a);
  if (typeof a !== 'object' && typeof b !== 'object' && typeof a === typeof b) return false;
  const number = numberOf(a);
  if (number !== undefined) {
    const other = numberOf(b);
    // eslint-disable-next-line eqeqeq -- a bigint and a number with one value are equal
    return other !== undefined && number == other;
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isList(a))
    return isList(b) && a.length === b.length && a.every((item, index) => isEqual(item, b[index] as Value));
  if (isMap(a)) return isMap(b) && isEqualMap(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.ns === b.ns;
  if (a instanceof Duration) return b instanceof Duration && a.ns === b.ns;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Optional) return b instanceof Optional && isEqualOptional(a, b);
  return a instanceof Opaque && b instanceof Opaque && a.typeName === b.typeName && a.key === b.key;
}

function isEqualMap(a: CelMap | PlainMap, b: CelMap | PlainMap): boolean {
  if (sizeOfMap(a) !== sizeOfMap(b)) return false;
  return keysOfMap(a).every((key) => {
    const other = valueInMap(b, key);
    return other !== undefined && isEqual(valueInMap(a, key) as Value, other);
  });
}

function isEqualOptional(a: Optional, b: Optional): boolean {
  if (a.value === undefined || b.value === undefined) return a.value === b.value;
  return isEqual(a.value, b.value);
}

/** Below 0, 0 or above; NaN where one is NaN; undefined for types that have no order with each other. */
export function compare(a: Value, b: Value): number | undefined {
  if (typeof a === 'number' && typeof b === 'number') return order(a, b);
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left !== undefined && right !== undefined) return compareNumbers(left, right);
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (a instanceof Timestamp && b instanceof Timestamp) return compareBig(a.ns, b.ns);
  if (a instanceof Duration && b instanceof Duration) return compareBig(a.ns, b.ns);
  return undefined;
}

/** An int or uint beside a double counts as one, as cel-go has it: 2^63 - 1 is not less than 2^63. */
function compareNumbers(a: number | bigint, b: number | bigint): number {
  if (typeof a === typeof b) return order(a, b);
  const [left, right] = [Number(a), Number(b)];
  return order(left, right);
}

function order(a: number | bigint, b: number | bigint): number {
  return a < b ? -1 : a > b ? 1 : a === b ? 0 : Number.NaN;
}

function compareBig(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/** By code points: UTF-16 units would put characters beyond the first 65,536 before others. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left === right) continue;
    const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xe000;
    if (isHigh(left) !== isHigh(right)) return isHigh(left) ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

/** Whether values of a type are not as JSON has them. */
export function isCoerced(type: CelType): boolean {
  switch (type.is) {
    case 'double':
    case 'timestamp':
    case 'duration':
    case 'bytes':
      return true;
    case 'list':
      return isCoerced(type.item);
    case 'map':
      return isCoerced(type.value);
    default:
      return false;
  }
}

/** A value from JSON as its declared type has it. A value of another type stays as it is. */
export function coerce(value: Value, type: CelType): Value {
  switch (type.is) {
    case 'double':
      return typeof value === 'number' ? double(value) : value;
    case 'timestamp':
      return typeof value === 'string' ? readTimestamp(value) : value;
    case 'duration':
      return typeof value === 'string' ? readDuration(value) : value;
    case 'bytes':
      return typeof value === 'string' ? Uint8Array.from(Buffer.from(value, 'base64')) : value;
    case 'list':
      return isList(value) && isCoerced(type.item) ? value.map((item) => coerce(item, type.item)) : value;
    case 'map':
      return isPlainMap(value) && isCoerced(type.value)
        ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coerce(item, type.value)]))
        : value;
    default:
      return value;
  }
}

const TIMESTAMP = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** RFC 3339. */
export function readTimestamp(text: string): Timestamp {
  if (!TIMESTAMP.test(text)) throw new CelError(`"${text}" is no timestamp like 2026-11-30T12:00:00Z`);
  let ns: bigint;
  try {
    ns = Temporal.Instant.from(text.toUpperCase()).epochNanoseconds;
  } catch {
    throw new CelError(`"${text}" is no moment in time`);
  }
  return timestamp(ns);
}

const UNITS: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ns: 1n,
};

/** As Go writes durations: `1h30m`, `-1.5s`. */
export function readDuration(text: string): Duration {
  const [, sign = '', rest = ''] = /^([+-]?)(.+)$/s.exec(text) ?? [];
  if (rest === '0') return new Duration(0n);
  let total = 0n;
  let done = 0;
  for (const part of rest.matchAll(/(\d*)(?:\.(\d*))?(h|ms|m|s|us|µs|μs|ns)/gy)) {
    const [all, whole = '', fraction = '', unit = ''] = part;
    if (whole === '' && fraction === '') break;
    done += all.length;
    const scale = UNITS[unit] ?? 1n;
    total += BigInt(whole === '' ? 0 : whole) * scale;
    if (fraction !== '') total += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  if (rest === '' || done !== rest.length) throw new CelError(`"${text}" is no duration like 1h30m or 2.5s`);
  return duration(sign === '-' ? -total : total);
}

/** `1.5s`: seconds, as protobuf writes them. */
export function durationText({ ns }: Duration): string {
  const size = ns < 0n ? -ns : ns;
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}s`;
}

/** RFC 3339 in UTC, with as many decimals as there are. */
export function timestampText({ ns }: Timestamp): string {
  return Temporal.Instant.fromEpochNanoseconds(ns).toString();
}
