import { CelError } from './cel-error.ts';
import { largerSize, type Size } from './sizes.ts';
import type { CelType } from './types.ts';
import { typeName, type Value } from './values.ts';

/** One way in which a function may be called. */
export interface Overload {
  /** Called as a method of its first argument. */
  readonly isMember: boolean;
  readonly params: readonly CelType[];
  readonly result: CelType;
}

/** A function of the language or of a library. */
export interface CelFunction {
  /** With its namespace: `math.greatest`. */
  readonly name: string;
  readonly overloads: readonly Overload[];
  /** Throws a CelError where it has no value for these arguments. */
  readonly call: (...args: readonly Value[]) => Value;
  /** Units beside the one of every call. */
  readonly cost?: Cost;
  /** How large a result can be; absent: as large as all arguments together. */
  readonly size?: (args: readonly CallArgument[]) => Size;
}

/** An argument, before there is a value. */
export interface CallArgument {
  readonly type: CelType;
  readonly size: Size;
}

/** Units that a call costs, by the sizes of its arguments. */
export interface Cost {
  readonly of: (args: readonly Value[]) => number;
  /** The most that calls with arguments up to these sizes cost. */
  readonly worst: (args: readonly CallArgument[]) => number;
}

export interface Library {
  readonly functions: readonly CelFunction[];
  /** Types of its own, by the names that expressions know them by. */
  readonly types?: Readonly<Record<string, CelType>>;
}

export function overload(params: readonly CelType[], result: CelType): Overload {
  return { isMember: false, params, result };
}

/** The first parameter is what stands before the dot. */
export function method(params: readonly CelType[], result: CelType): Overload {
  return { isMember: true, params, result };
}

/** A function that two libraries have, each for types of its own: the type of the first argument decides. */
export function mergeFunctions(one: CelFunction, other: CelFunction): CelFunction {
  const own = new Set(other.overloads.map(({ params: [first] }) => (first === undefined ? '' : runtimeName(first))));
  const of = (args: readonly Value[]): CelFunction => {
    const [first] = args;
    return first !== undefined && own.has(typeName(first)) ? other : one;
  };
  return {
    name: one.name,
    overloads: [...one.overloads, ...other.overloads],
    call: (...args) => of(args).call(...args),
    cost: {
      of: (args) => of(args).cost?.of(args) ?? 0,
      worst: (args) => Math.max(one.cost?.worst(args) ?? 0, other.cost?.worst(args) ?? 0),
    },
    size: (args) => largerSize(sizeOfResult(one, args), sizeOfResult(other, args)),
  };
}

/** The name of a type as values have it. */
function runtimeName(type: CelType): string {
  if (type.is === 'timestamp') return 'google.protobuf.Timestamp';
  if (type.is === 'duration') return 'google.protobuf.Duration';
  return 'name' in type ? type.name : type.is;
}

/** `no such overload: size(int)`. */
export function noOverload(name: string, ...args: readonly Value[]): CelError {
  return new CelError(`no such overload: ${name}(${args.map(typeName).join(', ')})`);
}

/** Results of other kinds than arguments, like the text of a number, are not longer. */
const CONVERTED_MAX = 64;

/** How large the result of a call can be. */
export function sizeOfResult({ size }: Pick<CelFunction, 'size'>, args: readonly CallArgument[]): Size {
  if (size !== undefined) return size(args);
  const max = args.reduce((total, arg) => total + arg.size.max, CONVERTED_MAX);
  const holders = args.filter(({ type }) => HOLDERS.has(type.is)).map((arg) => arg.size.item);
  const [first, ...others] = holders;
  const item = others.reduce((all, one) => (all && one ? largerSize(all, one) : undefined), first);
  return { max, ...(item && { item }) };
}

/** Types whose values have elements, or may have. */
const HOLDERS: ReadonlySet<CelType['is']> = new Set(['list', 'map', 'dyn', 'optional', 'param', 'object']);

/** Units for looking at every character of texts. */
export const TEXTS_COST: Cost = {
  of: (args) => textCost(...args),
  worst: (args) => args.reduce((total, { size }) => total + Math.ceil(size.max / 10), 0),
};

/** The same of the first argument alone. */
export const FIRST_TEXT_COST: Cost = {
  of: ([text]) => textCost(text as Value),
  worst: ([text]) => Math.ceil(maxOf(text) / 10),
};

/** Every character meets every state of the pattern at most. */
export const PATTERN_COST: Cost = {
  of: ([text, pattern]) => textCost(text as Value) * (1 + textCost(pattern as Value)),
  worst: ([text, pattern]) => Math.ceil(maxOf(text) / 10) * (1 + Math.ceil(maxOf(pattern) / 10)),
};

export function maxOf(arg: CallArgument | undefined): number {
  return arg?.size.max ?? 0;
}

/** Units for looking at every character of texts. */
export function textCost(...args: readonly Value[]): number {
  return textsCost(args);
}

/** The same of a list of texts, which may be too long for arguments. */
export function textsCost(args: readonly Value[]): number {
  let characters = 0;
  for (const arg of args) if (typeof arg === 'string') characters += arg.length;
  return Math.ceil(characters / 10);
}
