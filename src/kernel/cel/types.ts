/** The type of an expression, or of a part of one. */
export type CelType =
  | { readonly is: SimpleName }
  | { readonly is: 'list'; readonly item: CelType }
  | { readonly is: 'map'; readonly key: CelType; readonly value: CelType }
  | { readonly is: 'optional'; readonly of: CelType }
  /** The type of a type: what `type(x)` gives; without one that of all types. */
  | { readonly is: 'type'; readonly of?: CelType }
  /** A value that may be null, of messages. */
  | { readonly is: 'wrapper'; readonly of: CelType }
  /** An object with declared fields. */
  | { readonly is: 'object'; readonly name: string; readonly fields: Fields }
  /** A type of a library, like `net.IP`. */
  | { readonly is: 'opaque'; readonly name: string }
  /** A parameter of a function, by its name; of a call, by its number. */
  | { readonly is: 'param'; readonly name: string };

type SimpleName =
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'dyn'
  /** Of what has no value; fits everywhere. */
  | 'error';

/** The fields of an object, looked up when they are asked for: schemas may refer to themselves. */
interface Fields {
  readonly get: (name: string) => CelType | undefined;
  /** For messages: what is there. */
  readonly names: () => readonly string[];
  /** The key of a field in its object, where names are not as they stand in values. */
  readonly keyOf?: (name: string) => string;
}

export const NULL: CelType = { is: 'null' };
export const BOOL: CelType = { is: 'bool' };
export const INT: CelType = { is: 'int' };
export const UINT: CelType = { is: 'uint' };
export const DOUBLE: CelType = { is: 'double' };
export const STRING: CelType = { is: 'string' };
export const BYTES: CelType = { is: 'bytes' };
export const TIMESTAMP: CelType = { is: 'timestamp' };
export const DURATION: CelType = { is: 'duration' };
export const DYN: CelType = { is: 'dyn' };
export const TYPE: CelType = { is: 'type' };
export const ERROR: CelType = { is: 'error' };

export function listOf(item: CelType): CelType {
  return { is: 'list', item };
}

export function mapOf(key: CelType, value: CelType): CelType {
  return { is: 'map', key, value };
}

export function optionalOf(of: CelType): CelType {
  return { is: 'optional', of };
}

export function typeOf(of: CelType): CelType {
  return { is: 'type', of };
}

export function opaque(name: string): CelType {
  return { is: 'opaque', name };
}

export function param(name: string): CelType {
  return { is: 'param', name };
}

/** As CEL writes it: `map(string, list(int))`. */
export function typeText(type: CelType): string {
  switch (type.is) {
    case 'list':
      return `list(${typeText(type.item)})`;
    case 'map':
      return `map(${typeText(type.key)}, ${typeText(type.value)})`;
    case 'optional':
      return `optional_type(${typeText(type.of)})`;
    case 'type':
      return type.of === undefined ? 'type' : `type(${typeText(type.of)})`;
    case 'wrapper':
      return `wrapper(${typeText(type.of)})`;
    case 'object':
    case 'opaque':
      return type.name;
    case 'param':
      return type.name;
    case 'error':
      return '*error*';
    default:
      return type.is;
  }
}

/** Numbers of parameters in order, so that each use of a function has its own. */
export class Substitution {
  readonly #bound = new Map<string, CelType>();
  /** The one that this is a fork of: it has the rest. */
  #base: Substitution | undefined;
  #fresh = 0;

  /** Another one to try something with, from what is known here; `take` keeps what it learnt. */
  fork(): Substitution {
    const fork = new Substitution();
    fork.#base = this;
    fork.#fresh = this.#fresh;
    return fork;
  }

  /** @param fork of this one, which has learnt nothing since */
  take(fork: Substitution): void {
    for (const [name, type] of fork.#bound) this.#bound.set(name, type);
    this.#fresh = fork.#fresh;
  }

  #typeOf(name: string): CelType | undefined {
    const bound = this.#bound.get(name);
    return bound !== undefined || this.#base === undefined ? bound : this.#base.#typeOf(name);
  }

  fresh(): CelType {
    this.#fresh += 1;
    return param(`_${this.#fresh}`);
  }

  /** The types of one use of a function: its parameters are new. */
  instance(types: readonly CelType[]): readonly CelType[] {
    const known = new Map<string, CelType>();
    const renew = (type: CelType): CelType => {
      if (type.is !== 'param') return mapParts(type, renew);
      const found = known.get(type.name) ?? this.fresh();
      known.set(type.name, found);
      return found;
    };
    return types.map(renew);
  }

  /** The type with what is known of its parameters; what is not known may be anything. */
  resolve(type: CelType): CelType {
    if (type.is !== 'param') return mapParts(type, (part) => this.resolve(part));
    const bound = this.#typeOf(type.name);
    return bound === undefined ? type : this.resolve(bound);
  }

  /** The same, with unknown parameters as `dyn`. */
  settle(type: CelType): CelType {
    const settleOne = (one: CelType): CelType => (one.is === 'param' ? DYN : mapParts(one, settleOne));
    return settleOne(this.resolve(type));
  }

  /** Whether a value of `given` may stand where `wanted` is; parameters learn what they are. */
  fits(given: CelType, wanted: CelType): boolean {
    const [a, b] = [this.#shallow(given), this.#shallow(wanted)];
    if (a.is === 'param' && b.is === 'param' && a.name === b.name) return true;
    if (b.is === 'param') return this.#bind(b.name, a);
    if (a.is === 'param') return this.#bind(a.name, b);
    if (a.is === 'dyn' || b.is === 'dyn' || a.is === 'error' || b.is === 'error') return true;
    if (a.is === 'wrapper' && b.is !== 'wrapper') return b.is === 'null' || this.fits(a.of, b);
    if (b.is === 'wrapper' && a.is !== 'wrapper') return a.is === 'null' || this.fits(a, b.of);
    if (a.is === 'null' && isNullable(b)) return true;
    if (b.is === 'null' && isNullable(a)) return true;
    if (a.is !== b.is) return false;
    switch (a.is) {
      case 'list':
        return this.fits(a.item, (b as typeof a).item);
      case 'map':
        return this.fits(a.key, (b as typeof a).key) && this.fits(a.value, (b as typeof a).value);
      case 'optional':
      case 'wrapper':
        return this.fits(a.of, (b as typeof a).of);
      case 'type':
        return true;
      case 'object':
      case 'opaque':
        return a.name === (b as typeof a).name;
      default:
        return true;
    }
  }

  #shallow(type: CelType): CelType {
    let seen = type;
    while (seen.is === 'param') {
      const bound = this.#typeOf(seen.name);
      if (bound === undefined) return seen;
      seen = bound;
    }
    return seen;
  }

  #bind(name: string, type: CelType): boolean {
    const resolved = this.resolve(type);
    if (occursIn(name, resolved)) return resolved.is === 'param';
    this.#bound.set(name, resolved);
    return true;
  }
}

function isNullable({ is }: CelType): boolean {
  return is === 'object' || is === 'optional' || is === 'timestamp' || is === 'duration' || is === 'opaque';
}

function mapParts(type: CelType, map: (part: CelType) => CelType): CelType {
  switch (type.is) {
    case 'list':
      return listOf(map(type.item));
    case 'map':
      return mapOf(map(type.key), map(type.value));
    case 'optional':
      return optionalOf(map(type.of));
    case 'type':
      return type.of === undefined ? type : typeOf(map(type.of));
    case 'wrapper':
      return { is: 'wrapper', of: map(type.of) };
    default:
      return type;
  }
}

/** The type that has the values of both, of types that fit each other. */
export function generalType(a: CelType, b: CelType): CelType {
  if (a.is === 'dyn' || b.is === 'dyn') return DYN;
  if (a.is === 'null' || b.is === 'wrapper') return b;
  if (a.is === 'list' && b.is === 'list') return listOf(generalType(a.item, b.item));
  if (a.is === 'optional' && b.is === 'optional') return optionalOf(generalType(a.of, b.of));
  if (a.is === 'map' && b.is === 'map') return mapOf(generalType(a.key, b.key), generalType(a.value, b.value));
  return a;
}

function occursIn(name: string, type: CelType): boolean {
  let found = false;
  const look = (part: CelType): CelType => {
    if (part.is === 'param') found ||= part.name === name;
    else mapParts(part, look);
    return part;
  };
  look(type);
  return found;
}
