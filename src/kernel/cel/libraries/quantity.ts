import { CelError } from '../cel-error.ts';
import { TEXTS_COST, method, noOverload, overload, type CelFunction, type Library } from '../functions.ts';
import { BOOL, DOUBLE, INT, opaque, STRING } from '../types.ts';
import { bigOf, double, int, isInt, Opaque, type Value } from '../values.ts';

const QUANTITY = opaque('kubernetes.Quantity');
/** Kubernetes keeps billionths, and rounds what is finer up. */
const SCALE = 1_000_000_000n;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
/** Of a quantity: the time to read digits grows with their square. */
const CHARS_MAX = 1_000;
const SYNTAX = /^([+-]?)(\d+)?(?:\.(\d*))?(?:([eE])([+-]?\d{1,2})|([KMGTPE]i|[numkMGTPE]))?$/;

/** An amount of a resource, in billionths. */
class Quantity extends Opaque {
  readonly typeName = 'kubernetes.Quantity';
  readonly billionths: bigint;
  readonly key: string;

  constructor(billionths: bigint) {
    super();
    this.billionths = billionths;
    this.key = String(billionths);
  }
}

/** Amounts as Kubernetes writes them: `1.5Gi`, `250m`. */
export const QUANTITIES: Library = {
  functions: [
    {
      name: 'quantity',
      overloads: [overload([STRING], QUANTITY)],
      call: (text: Value) => parseQuantity(text),
      cost: TEXTS_COST,
    },
    {
      name: 'isQuantity',
      overloads: [overload([STRING], BOOL)],
      call: (text: Value) => {
        if (typeof text !== 'string') throw noOverload('isQuantity', text);
        return amountIn(text) !== undefined;
      },
      cost: TEXTS_COST,
    },
    reading('sign', INT, (billionths) => (billionths < 0n ? -1 : Number(billionths > 0n))),
    reading('isInteger', BOOL, (billionths) => billionths % SCALE === 0n && fits(billionths / SCALE)),
    reading('asInteger', INT, (billionths) => {
      if (billionths % SCALE !== 0n || !fits(billionths / SCALE)) throw new CelError('cannot convert value to integer');
      return int(billionths / SCALE);
    }),
    reading('asApproximateFloat', DOUBLE, (billionths) => double(Number(billionths) / Number(SCALE))),
    combining('add', (a, b) => a + b),
    combining('sub', (a, b) => a - b),
    comparing('isLessThan', BOOL, (order) => order < 0),
    comparing('isGreaterThan', BOOL, (order) => order > 0),
    comparing('compareTo', INT, (order) => order),
  ],
  types: { 'kubernetes.Quantity': QUANTITY },
};

function fits(whole: bigint): boolean {
  return whole >= -(2n ** 63n) && whole < 2n ** 63n;
}

function quantityIn(name: string, value: Value): Quantity {
  if (!(value instanceof Quantity)) throw noOverload(name, value);
  return value;
}

function reading(name: string, result: typeof INT, read: (billionths: bigint) => Value): CelFunction {
  return {
    name,
    overloads: [method([QUANTITY], result)],
    call: (value: Value) => read(quantityIn(name, value).billionths),
  };
}

function combining(name: string, combine: (a: bigint, b: bigint) => bigint): CelFunction {
  return {
    name,
    overloads: [method([QUANTITY, QUANTITY], QUANTITY), method([QUANTITY, INT], QUANTITY)],
    call: (a: Value, b: Value) => {
      const other = isInt(b) ? bigOf(b) * SCALE : quantityIn(name, b).billionths;
      return new Quantity(combine(quantityIn(name, a).billionths, other));
    },
  };
}

function comparing(name: string, result: typeof INT, of: (order: number) => Value): CelFunction {
  return {
    name,
    overloads: [method([QUANTITY, QUANTITY], result)],
    call: (a: Value, b: Value) => {
      const difference = quantityIn(name, a).billionths - quantityIn(name, b).billionths;
      return of(difference < 0n ? -1 : Number(difference > 0n));
    },
  };
}

function parseQuantity(text: Value): Quantity {
  if (typeof text !== 'string') throw noOverload('quantity', text);
  const billionths = amountIn(text);
  if (billionths === undefined) throw new CelError(`quantities must match 1, 1.5Gi, 250m or 1e3: "${text}" does not`);
  return new Quantity(billionths);
}

/** In billionths; undefined for what is no quantity. */
function amountIn(text: string): bigint | undefined {
  if (text.length > CHARS_MAX) return undefined;
  const [all, sign = '', whole = '', fraction = '', , exponent, suffix = ''] = SYNTAX.exec(text) ?? [];
  if (all === undefined || (whole === '' && fraction === '')) return undefined;
  const digits = BigInt(whole + fraction);
  let numerator = digits * SCALE;
  let denominator = 10n ** BigInt(fraction.length);
  if (suffix.endsWith('i')) numerator *= 1024n ** BigInt(BINARY.indexOf(suffix));
  else {
    const power = exponent === undefined ? (DECIMAL[suffix] ?? 0) : Number(exponent);
    if (power >= 0) numerator *= 10n ** BigInt(power);
    else denominator *= 10n ** BigInt(-power);
  }
  const rounded = (numerator + denominator - 1n) / denominator;
  return sign === '-' ? -rounded : rounded;
}
