import { mergeFunctions, type CelFunction, type Library } from './functions.ts';
import { SMALL, UNKNOWN_SIZE, type Size } from './sizes.ts';
import { Substitution, typeOf, type CelType } from './types.ts';
import { TypeValue, type Value } from './values.ts';

/** An expression as it runs: its values, and the units that it may still cost. */
export interface Frame {
  readonly values: Value[];
  unitsLeft: number;
  readonly costMax: number;
}

export type Evaluate = (frame: Frame) => Value;

/** A name that stands for a value. */
export interface Variable {
  readonly type: CelType;
  /** Where its value is in the frame; undefined for a constant. */
  readonly slot: number | undefined;
  readonly constant?: Value;
  /** How large its value can be. */
  readonly size: Size;
}

export interface CelProblem {
  readonly message: string;
  /** Where in the text, in UTF-16 units. */
  readonly at: number;
}

export interface CelEnvironment {
  readonly variables: Readonly<Record<string, CelType>>;
  readonly libraries: KnownNames;
  /** Names are looked for in this namespace first, and in those around it. */
  readonly container?: string;
  /** Sizes of variables, by name. */
  readonly sizes?: Readonly<Record<string, Size>>;
  /** Names that nobody declared, and types that do not fit, fail when the expression runs. */
  readonly isLenient?: boolean;
}

/** The functions and types of libraries by name. */
export interface KnownNames {
  readonly functions: ReadonlyMap<string, CelFunction>;
  readonly types: ReadonlyMap<string, Variable>;
}

/** Puts libraries together: once, for all expressions that know them. */
export function namesOf(libraries: readonly Library[]): KnownNames {
  const functions = new Map<string, CelFunction>();
  const known = new Map<string, Variable>();
  for (const { functions: some, types = {} } of libraries) {
    for (const one of some) {
      const other = functions.get(one.name);
      functions.set(one.name, other === undefined ? one : mergeFunctions(other, one));
    }
    for (const [name, type] of Object.entries(types)) {
      known.set(name, { type: typeOf(type), slot: undefined, constant: new TypeValue(name), size: SMALL });
    }
  }
  return { functions, types: known };
}

/** The meanings of names at one place of an expression. */
export class Scope {
  readonly types = new Substitution();
  readonly problems: CelProblem[] = [];
  readonly isLenient: boolean;
  readonly #known: KnownNames;
  readonly #variables = new Map<string, Variable>();
  readonly #container: string;
  readonly #locals: { readonly name: string; readonly variable: Variable }[] = [];
  /** The most values that a frame has at once. */
  slots: number;

  constructor({ variables, libraries, container = '', sizes = {}, isLenient = false }: CelEnvironment) {
    this.#container = container;
    this.isLenient = isLenient;
    this.#known = libraries;
    const names = Object.keys(variables);
    for (const [slot, name] of names.entries()) {
      this.#variables.set(name, { type: variables[name] as CelType, slot, size: sizes[name] ?? UNKNOWN_SIZE });
    }
    this.slots = names.length;
  }

  /** Runs something where these names are variables. */
  within<Result>(
    variables: readonly { readonly name: string; readonly type: CelType; readonly size: Size }[],
    act: (slots: readonly number[]) => Result,
  ): Result {
    const slots = variables.map(({ name, type, size }) => {
      const slot = this.slots;
      this.slots += 1;
      this.#locals.push({ name, variable: { type, slot, size } });
      return slot;
    });
    const result = act(slots);
    this.#locals.length -= variables.length;
    return result;
  }

  local(name: string): Variable | undefined {
    return this.#locals.findLast((local) => local.name === name)?.variable;
  }

  /** By a qualified name; a dot before it means the name as it is. */
  variable(name: string): Variable | undefined {
    return this.#inContainers(name, (candidate) => this.#variables.get(candidate) ?? this.#known.types.get(candidate));
  }

  function(name: string): CelFunction | undefined {
    return this.#inContainers(name, (candidate) => this.#known.functions.get(candidate));
  }

  /** A function that is called as a method: these have no namespace. */
  method(name: string): CelFunction | undefined {
    return this.#known.functions.get(name);
  }

  report(message: string, at: number): void {
    this.problems.push({ message, at });
  }

  #inContainers<Found>(name: string, find: (candidate: string) => Found | undefined): Found | undefined {
    if (name.startsWith('.')) return find(name.slice(1));
    const parts = this.#container === '' ? [] : this.#container.split('.');
    for (let length = parts.length; length >= 0; length -= 1) {
      const found = find([...parts.slice(0, length), name].join('.'));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
