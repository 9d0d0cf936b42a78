import { CelError } from '../cel-error.ts';
import {
  maxOf,
  method,
  noOverload,
  overload,
  type CallArgument,
  type CelFunction,
  type Cost,
  type Library,
} from '../functions.ts';
import { UNKNOWN_SIZE } from '../sizes.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  param,
  STRING,
  TIMESTAMP,
  UINT,
  type CelType,
} from '../types.ts';
import { compare, isEqual, isList, type Value } from '../values.ts';
import { itemWeight, OPERATORS, worstWeight } from './operators.ts';

const A = param('A');
const ORDERED = [BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION] as const;
const SUMMED = [INT, UINT, DOUBLE, DURATION] as const;

const LENGTH_COST: Cost = { of: lengthOf, worst: ([list]) => maxOf(list) };
/** As in Kubernetes each text is looked at once more. */
const ITEMS_COST: Cost = {
  of: ([list]) => lengthOf([list as Value]) + (isList(list as Value) ? textsIn(list as readonly Value[]) / 10 : 0),
  worst: ([list]) => maxOf(list) * (1 + Math.ceil(worstTextIn(list) / 10)),
};

/** Each item of one list is compared with each of the other one, up to the end of the smaller of them. */
const SETS_COST: Cost = {
  of: ([a, b]) => {
    const [left, right] = [a as Value, b as Value];
    return Math.min(lengthOf([left]) * itemsWeight(right), lengthOf([right]) * itemsWeight(left));
  },
  worst: ([a, b]) => maxOf(a) * maxOf(b) * (1 + Math.ceil(Math.min(worstItemWeight(a), worstItemWeight(b)))),
};

/** Functions of lists and sets. */
export const LISTS: Library = {
  functions: [
    {
      name: 'isSorted',
      overloads: ORDERED.map((type) => method([listOf(type)], BOOL)),
      call: (list: Value) => {
        const items = itemsIn('isSorted', list);
        return items.every((item, index) => index === 0 || orderOf('isSorted', items[index - 1] as Value, item) <= 0);
      },
      cost: ITEMS_COST,
    },
    {
      name: 'sum',
      overloads: SUMMED.map((type) => method([listOf(type)], type)),
      call: (list: Value) => {
        const items = itemsIn('sum', list);
        const add = OPERATORS.find(({ name }) => name === '_+_');
        const [first = 0, ...rest] = items;
        return rest.reduce((total, item) => add?.call(total, item) ?? total, first);
      },
      cost: LENGTH_COST,
    },
    extreme('min', (order) => order < 0),
    extreme('max', (order) => order > 0),
    placing('indexOf', (items, wanted) => items.findIndex((item) => isEqual(item, wanted))),
    placing('lastIndexOf', (items, wanted) => items.findLastIndex((item) => isEqual(item, wanted))),
    ofSets('sets.contains', (a, b) => b.every((item) => has(a, item))),
    ofSets('sets.equivalent', (a, b) => a.every((item) => has(b, item)) && b.every((item) => has(a, item))),
    ofSets('sets.intersects', (a, b) => a.some((item) => has(b, item))),
  ],
};

function textsIn(items: readonly Value[]): number {
  return items.reduce<number>((sum, item) => sum + (typeof item === 'string' ? item.length : 0), 0);
}

function worstTextIn(list: CallArgument | undefined): number {
  const type = list?.type.is === 'list' ? list.type.item : undefined;
  if (type !== undefined && ['int', 'uint', 'double', 'bool', 'timestamp', 'duration'].includes(type.is)) return 0;
  return (list?.size.item ?? UNKNOWN_SIZE).max;
}

/** The weights of all items of a list together. */
function itemsWeight(list: Value): number {
  return isList(list) ? list.reduce<number>((sum, item) => sum + itemWeight(item), 0) : 0;
}

/** The weight of a value that holds others: a text is compared up to its first difference, which the texts of the list pay. */
function heldWeight(value: Value | undefined): number {
  return typeof value === 'object' ? itemWeight(value) : 1;
}

function worstItemWeight(list: CallArgument | undefined): number {
  const type = list?.type.is === 'list' ? list.type.item : DYN;
  return worstWeight({ type, size: list?.size.item ?? UNKNOWN_SIZE });
}

function itemsIn(name: string, value: Value): readonly Value[] {
  if (!isList(value)) throw noOverload(name, value);
  return value;
}

function lengthOf([list]: readonly Value[]): number {
  return isList(list as Value) ? (list as readonly Value[]).length : 0;
}

function orderOf(name: string, a: Value, b: Value): number {
  const order = compare(a, b);
  if (order === undefined) throw noOverload(name, a, b);
  return order;
}

function extreme(name: string, isBetter: (order: number) => boolean): CelFunction {
  return {
    name,
    overloads: ORDERED.map((type: CelType) => method([listOf(type)], type)),
    call: (list: Value) => {
      const [first, ...rest] = itemsIn(name, list);
      if (first === undefined) throw new CelError(`${name} called on empty list`);
      return rest.reduce((best, item) => (isBetter(orderOf(name, item, best)) ? item : best), first);
    },
    cost: ITEMS_COST,
  };
}

function placing(name: string, find: (items: readonly Value[], wanted: Value) => number): CelFunction {
  return {
    name,
    overloads: [method([listOf(A), A], INT)],
    call: (list: Value, wanted: Value) => find(itemsIn(name, list), wanted),
    cost: {
      ...ITEMS_COST,
      of: ([list, wanted]) => Math.max(ITEMS_COST.of([list as Value]), lengthOf([list as Value]) * heldWeight(wanted)),
    },
  };
}

function has(items: readonly Value[], wanted: Value): boolean {
  return items.some((item) => isEqual(item, wanted));
}

function ofSets(name: string, holds: (a: readonly Value[], b: readonly Value[]) => boolean): CelFunction {
  return {
    name,
    overloads: [overload([listOf(A), listOf(A)], BOOL)],
    call: (a: Value, b: Value) => holds(itemsIn(name, a), itemsIn(name, b)),
    cost: SETS_COST,
  };
}
