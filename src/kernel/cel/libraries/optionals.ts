import { CelError } from '../cel-error.ts';
import { method, noOverload, overload, type Library } from '../functions.ts';
import { BOOL, DYN, listOf, optionalOf, param } from '../types.ts';
import { doubleOf, Duration, isList, isMap, numberOf, Optional, sizeOfMap, Timestamp, type Value } from '../values.ts';

const A = param('A');

function optionalIn(name: string, value: Value): Optional {
  if (!(value instanceof Optional)) throw noOverload(name, value);
  return value;
}

/** Values that may be absent. `.?`, `[?`, `optMap` and `optFlatMap` are syntax. */
export const OPTIONALS: Library = {
  functions: [
    { name: 'optional.of', overloads: [overload([A], optionalOf(A))], call: (value: Value) => new Optional(value) },
    { name: 'optional.none', overloads: [overload([], optionalOf(A))], call: () => Optional.NONE },
    {
      name: 'optional.ofNonZeroValue',
      overloads: [overload([A], optionalOf(A))],
      call: (value: Value) => (isZero(value) ? Optional.NONE : new Optional(value)),
    },
    {
      name: 'hasValue',
      overloads: [method([optionalOf(A)], BOOL)],
      call: (optional: Value) => optionalIn('hasValue', optional).value !== undefined,
    },
    {
      name: 'value',
      overloads: [method([optionalOf(A)], A)],
      call: (optional: Value) => {
        const { value } = optionalIn('value', optional);
        if (value === undefined) throw new CelError('optional.none() dereference');
        return value;
      },
    },
    {
      name: 'or',
      overloads: [method([optionalOf(A), optionalOf(A)], optionalOf(A))],
      call: (optional: Value, other: Value) => (optionalIn('or', optional).value === undefined ? other : optional),
    },
    {
      name: 'orValue',
      overloads: [method([optionalOf(A), A], A)],
      call: (optional: Value, other: Value) => optionalIn('orValue', optional).value ?? other,
    },
    {
      name: 'optional.unwrap',
      overloads: [overload([listOf(optionalOf(A))], listOf(A))],
      call: unwrap,
    },
    { name: 'unwrapOpt', overloads: [method([listOf(optionalOf(A))], listOf(A))], call: unwrap },
  ],
  types: { optional_type: optionalOf(DYN) },
};

function unwrap(list: Value): Value {
  if (!isList(list)) throw noOverload('optional.unwrap', list);
  return list.flatMap((one) => {
    const { value } = optionalIn('optional.unwrap', one);
    return value === undefined ? [] : [value];
  });
}

function isZero(value: Value): boolean {
  if (value === null || value === false || value === '') return true;
  const number = doubleOf(value) ?? numberOf(value);
  if (number !== undefined) return Number(number) === 0;
  if (isList(value) || value instanceof Uint8Array) return value.length === 0;
  if (isMap(value)) return sizeOfMap(value) === 0;
  if (value instanceof Duration) return value.ns === 0n;
  if (value instanceof Timestamp) return value.ns === 0n;
  return value instanceof Optional && value.value === undefined;
}
