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
export interface MapType {
  readonly form: 'map';
  /** The named fields. */
  readonly fields: ReadonlyMap<string, FieldType>;
  /** Of the other entries; absent: each is a leaf. */
  readonly others?: FieldType;
  /** Whether it may be null: it is when its last part is removed. */
  readonly nullable: boolean;
}

/** A list whose items are identified by keys, or a set of scalars where it has none. */
export interface ListType {
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

/** The type of what stands at a path element. */
export function typeAt(type: FieldType, element: string): FieldType | undefined {
  switch (type.form) {
    case 'any':
      return element.startsWith('f:') ? ANY : undefined;
    case 'map':
      return element.startsWith('f:') ? typeOfField(type, element.slice(2)) : undefined;
    case 'list':
      return element.startsWith('k:') || element.startsWith('v:') ? type.items : undefined;
    case 'leaf':
      return undefined;
    default:
      return type satisfies never;
  }
}

/** The type of a field of a struct, or of an entry of a map. */
export function typeOfField({ fields, others }: MapType, name: string): FieldType {
  return fields.get(name) ?? others ?? LEAF;
}

/** The type that values of one field have together: that of a map where one of them is one. */
export function typeOf(type: FieldType, ...values: readonly unknown[]): FieldType {
  if (type.form !== 'any') return type;
  return values.some(isRecord) ? MAP_OF_ANY : LEAF;
}

export type MapValue = Readonly<Record<string, unknown>>;

const NO_FIELDS: MapValue = {};

/** The fields of a map; undefined where the value is none. Null has none. */
export function fieldsOfMap(value: unknown): MapValue | undefined {
  if (value === null) return NO_FIELDS;
  return isRecord(value) ? value : undefined;
}

/** An item of a list. */
export interface Item {
  readonly type: FieldType;
  readonly value: unknown;
  /** Whether several items of the list have the same element: `value` is then the list of them. */
  readonly isRepeated?: true;
}

export type Items = ReadonlyMap<string, Item>;

const NO_ITEMS: Items = new Map();

/** Items of lists that are looked at again: an apply does so up to ten times, and nothing alters a list meanwhile. */
const KNOWN = new WeakMap<readonly unknown[], { readonly type: ListType; readonly items: Items }>();

/** The items of a list by path element, in their order; undefined where the value is no list. Null has none. */
export function itemsOfList(type: ListType, value: unknown): Items | undefined {
  if (value === null) return NO_ITEMS;
  if (!Array.isArray(value)) return undefined;
  const known = KNOWN.get(value);
  if (known?.type === type) return known.items;
  const items = readItems(type, value);
  KNOWN.set(value, { type, items });
  return items;
}

function readItems(type: ListType, value: readonly unknown[]): Items {
  const items = new Map<string, Item>();
  for (const item of value) {
    const element = elementOf(type, item);
    const before = items.get(element);
    if (before === undefined) items.set(element, { type: type.items, value: item });
    else {
      const earlier = before.isRepeated === true ? (before.value as readonly unknown[]) : [before.value];
      items.set(element, { type: LEAF, value: [...earlier, item], isRepeated: true });
    }
  }
  return items;
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

/** The list that has these items. */
export function listOfItems(items: Iterable<Item>): unknown[] {
  return [...items].flatMap(({ value, isRepeated }) => (isRepeated === true ? (value as unknown[]) : [value]));
}

/** A map or list whose last part was removed. */
export function emptyValue(type: MapType | ListType): unknown {
  if (type.nullable) return null;
  return type.form === 'list' ? [] : {};
}
