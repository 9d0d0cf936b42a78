import type { Path } from '#kernel/base/failures.ts';
import type { JsonObject } from '#kernel/kinds/schema/own.ts';

/** The type of a field on the wire. Embedded messages are named by their table. */
export type FieldType = 'string' | 'bool' | 'int32' | 'int64' | 'bytes' | Message;

export interface Field {
  /** Its name in JSON. */
  readonly name: string;
  readonly type: FieldType;
  /** A `map` is a list of entries on the wire; the type is that of an entry, which becomes a pair of key and value. */
  readonly form: 'one' | 'list' | 'map';
  /**
   * Kubernetes' programs send fields that nobody set as zeros (empty text, 0, false), unless absence means something.
   * Without `zero`, a zero is left out of the JSON, as their JSON leaves it out.
   */
  readonly zero: boolean;
}

/** A message of a .proto file: its fields by number. */
export interface Message {
  readonly fields: ReadonlyMap<number, Field>;
  /** Its JSON where that is not an object of its fields; `undefined` leaves it out. May throw a Refusal. */
  readonly toJson?: (value: JsonObject, path: Path, spend: (values: number) => void) => unknown;
}

export function message(fields: Readonly<Record<number, Field>>, toJson?: Message['toJson']): Message {
  const byNumber = new Map(Object.entries(fields).map(([number, field]) => [Number(number), field]));
  return { fields: byNumber, ...(toJson === undefined ? {} : { toJson }) };
}

export function one(name: string, type: FieldType = 'string'): Field {
  return { name, type, form: 'one', zero: false };
}

/** A single value whose zero stands in JSON too: it is required there, or differs from absence. */
export function exact(name: string, type: FieldType = 'string'): Field {
  return { name, type, form: 'one', zero: true };
}

export function list(name: string, type: FieldType = 'string'): Field {
  return { name, type, form: 'list', zero: true };
}

/** A map from text to something; what an entry does not say is zero. */
export function map(name: string, type: FieldType = 'string'): Field {
  const zero = typeof type === 'object' ? (type.toJson?.({}, [], () => {}) ?? {}) : '';
  const entry = message({ 1: exact('key'), 2: exact('value', type) }, ({ key = '', value = zero }) => [key, value]);
  return { name, type: entry, form: 'map', zero: true };
}
