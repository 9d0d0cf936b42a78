import { CelError } from '../cel-error.ts';
import { noOverload, overload, type CelFunction, type Library, type Overload, maxOf } from '../functions.ts';
import { BOOL, DOUBLE, DYN, INT, listOf, UINT, type CelType } from '../types.ts';
import {
  bigOf,
  compare,
  double,
  doubleOf,
  int,
  INT_MIN,
  isInt,
  isList,
  numberOf,
  Uint,
  uint,
  UINT_MAX,
  type Value,
} from '../values.ts';

const NUMBERS = [INT, UINT, DOUBLE] as const;
/** Arguments of `math.greatest` and `math.least`; longer ones are lists. */
const ARGUMENTS_MAX = 10;

/** Functions of numbers, in the namespace `math`. */
export const MATH: Library = {
  functions: [
    extreme('math.greatest', (order) => order > 0),
    extreme('math.least', (order) => order < 0),
    ofDouble('math.ceil', Math.ceil),
    ofDouble('math.floor', Math.floor),
    ofDouble('math.trunc', Math.trunc),
    ofDouble('math.round', (number) => Math.sign(number) * Math.floor(Math.abs(number) + 0.5)),
    { name: 'math.sqrt', overloads: NUMBERS.map((type) => overload([type], DOUBLE)), call: squareRoot },
    testing('math.isNaN', Number.isNaN),
    testing('math.isInf', (number) => number === Infinity || number === -Infinity),
    testing('math.isFinite', Number.isFinite),
    { name: 'math.abs', overloads: unaries(NUMBERS), call: absolute },
    { name: 'math.sign', overloads: unaries(NUMBERS), call: sign },
    bits('math.bitAnd', (a, b) => a & b),
    bits('math.bitOr', (a, b) => a | b),
    bits('math.bitXor', (a, b) => a ^ b),
    {
      name: 'math.bitNot',
      overloads: unaries([INT, UINT]),
      call: (value: Value) => {
        if (value instanceof Uint) return uint(BigInt.asUintN(64, ~value.value));
        if (isInt(value)) return int(~bigOf(value));
        throw noOverload('math.bitNot', value);
      },
    },
    shift('math.bitShiftLeft', (value, by) => BigInt.asUintN(64, value << by)),
    shift('math.bitShiftRight', (value, by) => value >> by),
  ],
};

function unaries(types: readonly CelType[]): readonly Overload[] {
  return types.map((type) => overload([type], type));
}

function extreme(name: string, isBetter: (order: number) => boolean): CelFunction {
  const single = [...NUMBERS, DYN].flatMap((type) => [overload([type], type), overload([listOf(type)], type)]);
  const several = Array.from({ length: ARGUMENTS_MAX - 1 }, (_, index) => [
    ...NUMBERS.map((type) =>
      overload(
        Array.from({ length: index + 2 }, () => type),
        type,
      ),
    ),
    overload(
      Array.from({ length: index + 2 }, () => DYN),
      DYN,
    ),
  ]);
  return {
    name,
    overloads: [...single, ...several.flat()],
    call: (...args: readonly Value[]) => {
      const [first] = args;
      const values = args.length === 1 && first !== undefined && isList(first) ? first : args;
      const [start, ...others] = values;
      if (start === undefined) throw new CelError(`${name} of nothing`);
      if (values.some((value) => numberOf(value) === undefined)) throw noOverload(name, ...values);
      return others.reduce((best, one) => (isBetter(compare(one, best) ?? 0) ? one : best), start);
    },
    cost: {
      of: (args) => args.length + (isList(args[0] as Value) ? (args[0] as readonly Value[]).length : 0),
      worst: (args) => args.length + maxOf(args[0]),
    },
  };
}

function ofDouble(name: string, map: (number: number) => number): CelFunction {
  return {
    name,
    overloads: [overload([DOUBLE], DOUBLE)],
    call: (value: Value) => {
      const number = doubleOf(value);
      if (number === undefined) throw noOverload(name, value);
      return double(map(number));
    },
  };
}

function testing(name: string, holds: (number: number) => boolean): CelFunction {
  return {
    name,
    overloads: [overload([DOUBLE], BOOL)],
    call: (value: Value) => {
      const number = doubleOf(value);
      if (number === undefined) throw noOverload(name, value);
      return holds(number);
    },
  };
}

function squareRoot(value: Value): Value {
  const number = numberOf(value);
  if (number === undefined) throw noOverload('math.sqrt', value);
  return double(Math.sqrt(Number(number)));
}

function absolute(value: Value): Value {
  if (value instanceof Uint) return value;
  const number = doubleOf(value);
  if (number !== undefined) return double(Math.abs(number));
  if (!isInt(value)) throw noOverload('math.abs', value);
  const whole = bigOf(value);
  if (whole === INT_MIN) throw new CelError('integer overflow');
  return int(whole < 0n ? -whole : whole);
}

function sign(value: Value): Value {
  if (value instanceof Uint) return uint(value.value === 0n ? 0n : 1n);
  const number = doubleOf(value);
  if (number !== undefined) return double(Math.sign(number));
  if (!isInt(value)) throw noOverload('math.sign', value);
  return value < 0 ? -1 : Number(value > 0);
}

function bits(name: string, combine: (a: bigint, b: bigint) => bigint): CelFunction {
  return {
    name,
    overloads: [overload([INT, INT], INT), overload([UINT, UINT], UINT)],
    call: (a: Value, b: Value) => {
      if (isInt(a) && isInt(b)) return int(combine(bigOf(a), bigOf(b)));
      if (a instanceof Uint && b instanceof Uint) return uint(combine(a.value, b.value));
      throw noOverload(name, a, b);
    },
  };
}

/** Of an int the 64 bits are shifted, without regard to the sign. */
function shift(name: string, move: (value: bigint, by: bigint) => bigint): CelFunction {
  return {
    name,
    overloads: [overload([INT, INT], INT), overload([UINT, INT], UINT)],
    call: (value: Value, by: Value) => {
      if (!isInt(by)) throw noOverload(name, value, by);
      const count = bigOf(by);
      if (count < 0n) throw new CelError(`${name} by a negative number of bits: ${count}`);
      const shiftBits = (whole: bigint): bigint => (count >= 64n ? 0n : move(whole & UINT_MAX, count));
      if (isInt(value)) return int(BigInt.asIntN(64, shiftBits(bigOf(value))));
      if (value instanceof Uint) return uint(shiftBits(value.value));
      throw noOverload(name, value, by);
    },
  };
}
