import { isRecord } from '#kernel/base/is-record.ts';
import { keyElement, valueElement } from './field-set.ts';

/** The parts of a value that have owners of their own. The leaves are owned as a whole. */
export type FieldType =
  /** A scalar, or an atomic list or map. */
  | { readonly form: 'leaf' }
  /** Any value: maps have parts, everything else is a leaf. */
  | { readonly form: 'any' }
  | MapType
  | ListType;

/** A struct, a map, or both. */
interface MapType {
  readonly form: 'map';
  /** The named fields. */
  readonly fields: ReadonlyMap<string, FieldType>;
  /** Of the other entries; absent: each is a leaf. */
  readonly others?: FieldType;
  /** Whether it may be null: it is when its last part is removed. */
  readonly nullable: boolean;
}

/** A list whose items are identified by keys, or a set of scalars where it has none. */
interface ListType {
  readonly form: 'list';
  readonly keys: readonly ListKey[];
  readonly items: FieldType;
  readonly nullable: boolean;
}

interface ListKey {
  readonly name: string;
  /** The value of the key where an item has none; undefined where there is no such default. */
  readonly initial: unknown;
}

export const LEAF: FieldType = { form: 'leaf' };
export const ANY: FieldType = { form: 'any' };

const MAP_OF_ANY: FieldType = { form: 'map', fields: new Map(), others: ANY, nullable: true };

/** A part of a value. */
export interface Part {
  readonly type: FieldType;
  readonly value: unknown;
  /** Whether it is an item of a list or an entry of a map: something that is there, not only a field on the way. */
  readonly isEntry: boolean;
  /** Whether several items of a list have the same element: `value` is then the list of them. */
  readonly isRepeated?: true;
}

/** The type of what stands at a path element. */
export function typeAt(type: FieldType, element: string): FieldType | undefined {
  switch (type.form) {
    case 'any':
      return element.startsWith('f:') ? ANY : undefined;
    case 'map':
      return element.startsWith('f:') ? (type.fields.get(element.slice(2)) ?? type.others ?? LEAF) : undefined;
    case 'list':
      return element.startsWith('k:') || element.startsWith('v:') ? type.items : undefined;
    case 'leaf':
      return undefined;
    default:
      return type satisfies never;
  }
}

/** The type that values of one field have together: that of a map where one of them is one. */
export function typeOf(type: FieldType, ...values: readonly unknown[]): FieldType {
  if (type.form !== 'any') return type;
  return values.some(isRecord) ? MAP_OF_ANY : LEAF;
}

/** The parts of a value by path element; undefined for a leaf. Null has none. `type` comes from `typeOf`. */
export function partsOf(type: FieldType, value: unknown): ReadonlyMap<string, Part> | undefined {
  switch (type.form) {
    case 'map':
      if (value === null) return NO_PARTS;
      return isRecord(value) ? partsOfMap(type, value) : undefined;
    case 'list':
      if (value === null) return NO_PARTS;
      return Array.isArray(value) ? partsOfList(type, value) : undefined;
    case 'any':
    case 'leaf':
      return undefined;
    default:
      return type satisfies never;
  }
}

const NO_PARTS: ReadonlyMap<string, Part> = new Map();

function partsOfMap({ fields, others }: MapType, value: Readonly<Record<string, unknown>>): ReadonlyMap<string, Part> {
  const parts = new Map<string, Part>();
  for (const key of Object.keys(value)) {
    const named = fields.get(key);
    parts.set(`f:${key}`, { type: named ?? others ?? LEAF, value: value[key], isEntry: named === undefined });
  }
  return parts;
}

function partsOfList(type: ListType, list: readonly unknown[]): ReadonlyMap<string, Part> {
  const parts = new Map<string, Part>();
  for (const item of list) {
    const element = elementOf(type, item);
    const before = parts.get(element);
    if (before === undefined) parts.set(element, { type: type.items, value: item, isEntry: true });
    else {
      const earlier = before.isRepeated === true ? (before.value as readonly unknown[]) : [before.value];
      parts.set(element, { type: LEAF, value: [...earlier, item], isEntry: true, isRepeated: true });
    }
  }
  return parts;
}

/** The path element of an item of a list. */
function elementOf({ keys }: ListType, item: unknown): string {
  if (keys.length === 0 || !isRecord(item)) return valueElement(item);
  const values: Record<string, unknown> = {};
  for (const { name, initial } of keys) {
    const value = Object.hasOwn(item, name) ? item[name] : initial;
    if (value !== undefined) values[name] = value;
  }
  return Object.keys(values).length === 0 ? valueElement(item) : keyElement(values);
}

/** The value that has these parts, in this order. */
export function valueOf(type: FieldType, parts: Iterable<readonly [string, Part]>): unknown {
  if (type.form === 'list') {
    return [...parts].flatMap(([, { value, isRepeated }]) => (isRepeated === true ? (value as unknown[]) : [value]));
  }
  return Object.fromEntries([...parts].map(([element, { value }]) => [element.slice(2), value]));
}

/** A map or list whose last part was removed. */
export function emptyValue(type: FieldType): unknown {
  if (type.form === 'list') return type.nullable ? null : [];
  return type.form === 'map' && !type.nullable ? {} : null;
}
