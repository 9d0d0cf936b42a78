import { CelError } from './cel-error.ts';
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
  /** Units beside the one of every call, by the sizes of its arguments. */
  readonly cost?: (args: readonly Value[]) => number;
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
    cost: (args) => of(args).cost?.(args) ?? 0,
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

/** Units for looking at every character of texts. */
export function textCost(...args: readonly Value[]): number {
  let characters = 0;
  for (const arg of args) if (typeof arg === 'string') characters += arg.length;
  return Math.ceil(characters / 10);
}
