import { CelError } from '../cel-error.ts';
import { noOverload, overload, type CelFunction, maxOf, type Cost, type CallArgument } from '../functions.ts';
import { UNKNOWN_SIZE, type Size } from '../sizes.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  INT,
  listOf,
  mapOf,
  optionalOf,
  param,
  STRING,
  TIMESTAMP,
  UINT,
  type CelType,
} from '../types.ts';
import {
  bigOf,
  compare,
  double,
  doubleOf,
  Duration,
  duration,
  int,
  isEqual,
  isInt,
  isList,
  isMap,
  numberOf,
  Opaque,
  Optional,
  Timestamp,
  timestamp,
  Uint,
  uint,
  valueInMap,
  valuesOfMap,
  type Value,
} from '../values.ts';

const [A, B] = [param('A'), param('B')];
const NUMBERS = [INT, UINT, DOUBLE] as const;
const ORDERED = [BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION] as const;

function same(types: readonly CelType[]): CelFunction['overloads'] {
  return types.map((type) => overload([type, type], type));
}

/** Numbers compare across their types, as everything of one type does. */
const COMPARED = [
  ...ORDERED.map((type) => overload([type, type], BOOL)),
  ...NUMBERS.flatMap((a) => NUMBERS.filter((b) => b !== a).map((b) => overload([a, b], BOOL))),
];

/** Texts are compared up to their first difference. */
const ORDER_COST: Cost = {
  of: ([a, b]) => Math.min(textSize(a), textSize(b)) / 10,
  worst: ([a, b]) => Math.min(worstTextSize(a), worstTextSize(b)) / 10,
};

function textSize(value: Value | undefined): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0;
}

function worstTextSize(arg: CallArgument | undefined): number {
  return arg === undefined || (SIMPLE.has(arg.type.is) && arg.type.is !== 'string') ? 0 : arg.size.max;
}

function comparison(name: string, holds: (order: number) => boolean): CelFunction {
  return {
    name,
    overloads: COMPARED,
    cost: ORDER_COST,
    call: (a: Value, b: Value) => {
      const order = compare(a, b);
      if (order === undefined) throw noOverload(name, a, b);
      return holds(order);
    },
  };
}

const EQUALITY_COST: Cost = {
  of: ([a, b]) => equalityCost(a as Value, b as Value),
  worst: ([a, b]) => Math.min(...[a, b].map((one) => (one === undefined ? 0 : worstWeight(one)))),
};

export const OPERATORS: readonly CelFunction[] = [
  {
    name: '_+_',
    overloads: [
      ...same([INT, UINT, DOUBLE, STRING, BYTES, DURATION]),
      overload([listOf(A), listOf(A)], listOf(A)),
      overload([TIMESTAMP, DURATION], TIMESTAMP),
      overload([DURATION, TIMESTAMP], TIMESTAMP),
    ],
    call: add,
    cost: {
      of: ([a, b]) => (sizeOf(a as Value) + sizeOf(b as Value)) / 10,
      worst: ([a, b]) => (maxOf(a) + maxOf(b)) / 10,
    },
  },
  {
    name: '_-_',
    overloads: [
      ...same([INT, UINT, DOUBLE, DURATION]),
      overload([TIMESTAMP, TIMESTAMP], DURATION),
      overload([TIMESTAMP, DURATION], TIMESTAMP),
    ],
    call: subtract,
  },
  { name: '_*_', overloads: same(NUMBERS), call: multiply },
  { name: '_/_', overloads: same(NUMBERS), call: divide },
  { name: '_%_', overloads: same([INT, UINT]), call: remainder },
  { name: '-_', overloads: [overload([INT], INT), overload([DOUBLE], DOUBLE)], call: negate },
  {
    name: '!_',
    overloads: [overload([BOOL], BOOL)],
    call: (value: Value) => {
      if (typeof value !== 'boolean') throw noOverload('!_', value);
      return !value;
    },
  },
  {
    name: '_==_',
    overloads: [overload([A, A], BOOL)],
    call: (a: Value, b: Value) => isEqual(a, b),
    cost: EQUALITY_COST,
  },
  {
    name: '_!=_',
    overloads: [overload([A, A], BOOL)],
    call: (a: Value, b: Value) => !isEqual(a, b),
    cost: EQUALITY_COST,
  },
  comparison('_<_', (order) => order < 0),
  comparison('_<=_', (order) => order <= 0),
  comparison('_>_', (order) => order > 0),
  comparison('_>=_', (order) => order >= 0),
  {
    name: '@in',
    overloads: [overload([A, listOf(A)], BOOL), overload([A, mapOf(A, B)], BOOL)],
    call: (item: Value, range: Value) => {
      if (isList(range)) return range.some((one) => isEqual(one, item));
      if (isMap(range)) return valueInMap(range, item) !== undefined;
      throw noOverload('@in', item, range);
    },
    cost: {
      of: ([item, range]) => (isList(range as Value) ? sizeOf(range as Value) * itemWeight(item as Value) : 0),
      worst: ([item, range]) => (range?.type.is === 'map' ? 0 : maxOf(range) * (1 + maxOf(item) / 10)),
    },
  },
  {
    name: '_[_]',
    size: ([of]) => of?.size.item ?? UNKNOWN_SIZE,
    overloads: [
      overload([listOf(A), INT], A),
      overload([mapOf(A, B), A], B),
      overload([optionalOf(listOf(A)), INT], optionalOf(A)),
      overload([optionalOf(mapOf(A, B)), A], optionalOf(B)),
    ],
    call: index,
  },
  {
    name: '_[?_]',
    size: ([of]) => of?.size.item ?? UNKNOWN_SIZE,
    overloads: [
      overload([listOf(A), INT], optionalOf(A)),
      overload([mapOf(A, B), A], optionalOf(B)),
      overload([optionalOf(listOf(A)), INT], optionalOf(A)),
      overload([optionalOf(mapOf(A, B)), A], optionalOf(B)),
    ],
    call: (operand: Value, key: Value) => {
      const container = operand instanceof Optional ? operand.value : operand;
      if (container === undefined) return Optional.NONE;
      const found = lookUp(container, key);
      return found === undefined ? Optional.NONE : new Optional(found);
    },
  },
];

function add(a: Value, b: Value): Value {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum) && Number.isSafeInteger(a) && Number.isSafeInteger(b)) return sum;
  }
  if (typeof a === 'string' && typeof b === 'string') return a + b;
  if (isInt(a) && isInt(b)) return int(bigOf(a) + bigOf(b));
  const doubles = bothDoubles(a, b);
  if (doubles !== undefined) return double(doubles[0] + doubles[1]);
  if (a instanceof Uint && b instanceof Uint) return uint(a.value + b.value);
  if (isList(a) && isList(b)) return [...a, ...b];
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Uint8Array.from([...a, ...b]);
  if (a instanceof Duration && b instanceof Duration) return checkedDuration(a.ns + b.ns);
  if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.ns + b.ns);
  if (a instanceof Duration && b instanceof Timestamp) return timestamp(a.ns + b.ns);
  throw noOverload('_+_', a, b);
}

function subtract(a: Value, b: Value): Value {
  if (isInt(a) && isInt(b)) {
    if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a - b)) return a - b;
    return int(bigOf(a) - bigOf(b));
  }
  const doubles = bothDoubles(a, b);
  if (doubles !== undefined) return double(doubles[0] - doubles[1]);
  if (a instanceof Uint && b instanceof Uint) return uint(a.value - b.value);
  if (a instanceof Duration && b instanceof Duration) return checkedDuration(a.ns - b.ns);
  if (a instanceof Timestamp && b instanceof Timestamp) return checkedDuration(a.ns - b.ns);
  if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.ns - b.ns);
  throw noOverload('_-_', a, b);
}

function multiply(a: Value, b: Value): Value {
  if (isInt(a) && isInt(b)) {
    if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a * b)) return a * b + 0;
    return int(bigOf(a) * bigOf(b));
  }
  const doubles = bothDoubles(a, b);
  if (doubles !== undefined) return double(doubles[0] * doubles[1]);
  if (a instanceof Uint && b instanceof Uint) return uint(a.value * b.value);
  throw noOverload('_*_', a, b);
}

function divide(a: Value, b: Value): Value {
  const doubles = bothDoubles(a, b);
  if (doubles !== undefined) return double(doubles[0] / doubles[1]);
  if (isInt(a) && isInt(b)) {
    if (bigOf(b) === 0n) throw new CelError('division by zero');
    return int(bigOf(a) / bigOf(b));
  }
  if (a instanceof Uint && b instanceof Uint) {
    if (b.value === 0n) throw new CelError('division by zero');
    return uint(a.value / b.value);
  }
  throw noOverload('_/_', a, b);
}

function remainder(a: Value, b: Value): Value {
  if (isInt(a) && isInt(b)) {
    if (bigOf(b) === 0n) throw new CelError('modulus by zero');
    return int(bigOf(a) % bigOf(b));
  }
  if (a instanceof Uint && b instanceof Uint) {
    if (b.value === 0n) throw new CelError('modulus by zero');
    return uint(a.value % b.value);
  }
  throw noOverload('_%_', a, b);
}

function negate(a: Value): Value {
  if (isInt(a)) return int(-bigOf(a));
  const number = doubleOf(a);
  if (number === undefined) throw noOverload('-_', a);
  return double(-number);
}

function bothDoubles(a: Value, b: Value): readonly [number, number] | undefined {
  const [left, right] = [doubleOf(a), doubleOf(b)];
  return left === undefined || right === undefined ? undefined : [left, right];
}

/** Sums and differences are durations of 64 bits of nanoseconds. */
function checkedDuration(ns: bigint): Duration {
  if (ns < -(2n ** 63n) || ns >= 2n ** 63n) throw new CelError('duration overflow: integer overflow');
  return duration(ns);
}

function index(operand: Value, key: Value): Value {
  if (operand instanceof Optional) {
    const inner = operand.value === undefined ? undefined : lookUp(operand.value, key);
    return inner === undefined ? Optional.NONE : new Optional(inner);
  }
  const found = lookUp(operand, key);
  if (found !== undefined) return found;
  if (isList(operand)) throw new CelError(`index out of bounds: ${String(numberOf(key))}`);
  throw new CelError(`no such key: ${typeof key === 'string' ? key : String(numberOf(key) ?? key)}`);
}

/** undefined: there is nothing at this place. */
function lookUp(operand: Value, key: Value): Value | undefined {
  if (isList(operand)) {
    const at = numberOf(key);
    if (at === undefined || (typeof at === 'number' && !Number.isSafeInteger(at))) {
      throw new CelError(`unsupported index type in a list, or no whole number`);
    }
    return operand[Number(at)];
  }
  if (!isMap(operand)) throw noOverload('_[_]', operand, key);
  if (typeof key === 'object' && numberOf(key) === undefined) throw new CelError('unsupported key type');
  return valueInMap(operand, key);
}

function sizeOf(value: Value): number {
  return typeof value === 'string' || isList(value) || value instanceof Uint8Array ? value.length : 0;
}

function equalityCost(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return a.length === b.length ? a.length / 10 : 0;
  return typeof a === 'object' && typeof b === 'object' && a !== null && b !== null ? weightOf(a, WEIGHT_MAX) : 0;
}

/** Larger values count as this. */
const WEIGHT_MAX = 100_000;

/** Types whose values are compared at once. */
const SIMPLE: ReadonlySet<CelType['is']> = new Set(['bool', 'int', 'uint', 'double', 'string', 'null']);

/** The most that comparing a value of a type and size with another one costs. */
export function worstWeight(arg: CallArgument): number {
  const { type, size } = arg;
  if (type.is === 'string') return worstTextSize(arg) / 10;
  return SIMPLE.has(type.is) ? 0 : Math.min(WEIGHT_MAX, weightOfSize(size, type.is === 'list' || type.is === 'map'));
}

function weightOfSize({ max, item }: Size, hasItems: boolean): number {
  if (!hasItems || item === undefined) return WEIGHT_MAX;
  return 1 + max * (item.item === undefined ? WEIGHT_MAX : weightOfSize(item, true));
}

/** Units for comparing a value with one of a list. */
export function itemWeight(value: Value): number {
  return Math.max(1 + sizeOf(value) / 10, weightOf(value, WEIGHT_MAX));
}

/** About how many values are in a value; ten characters of a text count as one more. */
function weightOf(value: Value, max: number): number {
  if (typeof value !== 'object' || value === null) return Math.min(max, 1 + textSize(value) / 10);
  if (value instanceof Opaque) return Math.min(max, 1 + value.key.length / 10);
  if (value instanceof Optional) return value.value === undefined ? 1 : weightOf(value.value, max);
  let weight = 1;
  const parts = isList(value) ? value : isMap(value) ? valuesOfMap(value) : [];
  for (const part of parts) {
    if (weight >= max) break;
    weight += weightOf(part, max - weight);
  }
  return weight;
}
