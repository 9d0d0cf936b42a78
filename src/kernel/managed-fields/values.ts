import { isDeepStrictEqual } from 'node:util';
import { setOwn } from '#kernel/kinds/schema/own.ts';
import { EMPTY, fieldSet, isEmpty, mapChildren, MEMBER, union, type FieldSet } from './field-set.ts';
import {
  emptyValue,
  fieldsOfMap,
  itemsOfList,
  listOfItems,
  typeAt,
  typeOf,
  typeOfField,
  type FieldType,
  type Item,
  type Items,
  type ListType,
  type MapType,
  type MapValue,
} from './field-type.ts';

/** The differences between two values. A field whose value is another is modified; one that only one value has is not. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Children = [string, FieldSet][];

/** The fields that an object sets: its leaves, and the entries of its maps and lists. */
export function setOfObject(type: FieldType, object: unknown): FieldSet {
  return fieldSet(false, fieldsBelow(type, object, setOfField) ?? []);
}

function setOfField(type: FieldType, value: unknown, isEntry: boolean): FieldSet {
  const below = fieldsBelow(type, value, setOfField);
  if (below === undefined) return MEMBER;
  // An empty value is a field of its own: otherwise nothing would be left of it.
  const isEmptyValue = value === null || (typeof value === 'object' && Object.keys(value).length === 0);
  return fieldSet(isEntry || isEmptyValue, below);
}

/** Every field of a value, with the structs on the way. */
function allFields(type: FieldType, value: unknown): FieldSet {
  return fieldSet(true, fieldsBelow(type, value, allFields) ?? []);
}

/** The sets of the parts of a value; undefined for a leaf. */
function fieldsBelow(
  type: FieldType,
  value: unknown,
  setOf: (type: FieldType, value: unknown, isEntry: boolean) => FieldSet,
): Children | undefined {
  const resolved = typeOf(type, value);
  if (resolved.form === 'map') {
    const map = fieldsOfMap(value);
    return (
      map &&
      Object.keys(map).map((name) => [
        `f:${name}`,
        setOf(typeOfField(resolved, name), map[name], !resolved.fields.has(name)),
      ])
    );
  }
  const items = resolved.form === 'list' ? itemsOfList(resolved, value) : undefined;
  return items && [...items].map(([element, item]) => [element, setOf(item.type, item.value, true)]);
}

const SAME: Comparison = { added: EMPTY, modified: EMPTY, removed: EMPTY };
const MODIFIED: Comparison = { added: EMPTY, modified: MEMBER, removed: EMPTY };

export function isSame({ added, modified, removed }: Comparison): boolean {
  return isEmpty(added) && isEmpty(modified) && isEmpty(removed);
}

/** The fields that a comparison shows as set. */
export function changedFields({ added, modified }: Comparison): FieldSet {
  return union(added, modified);
}

/** Compares two values of a type. The order of the items of lists with keys, and of sets, is no difference. */
export function compareValues(type: FieldType, before: unknown, after: unknown): Comparison {
  if (before === after) return SAME;
  const resolved = typeOf(type, before, after);
  const parts =
    resolved.form === 'map'
      ? compareMaps(resolved, fieldsOfMap(before), fieldsOfMap(after))
      : resolved.form === 'list'
        ? compareLists(itemsOfList(resolved, before), itemsOfList(resolved, after))
        : undefined;
  if (parts !== undefined) return parts;
  if (isDeepStrictEqual(before, after)) return SAME;
  return {
    added: fieldSet(false, fieldsBelow(resolved, after, allFields) ?? []),
    modified: MEMBER,
    removed: fieldSet(false, fieldsBelow(resolved, before, allFields) ?? []),
  };
}

/** Undefined where they are compared as a whole: one of them is no map, or both are empty. */
function compareMaps(type: MapType, before: MapValue | undefined, after: MapValue | undefined): Comparison | undefined {
  if (before === undefined || after === undefined) return undefined;
  const names = Object.keys(before);
  const newNames = Object.keys(after).filter((name) => !Object.hasOwn(before, name));
  if (names.length + newNames.length === 0) return undefined;
  const found = new Differences();
  for (const name of names) {
    const at = typeOfField(type, name);
    if (!Object.hasOwn(after, name)) found.removed.push([`f:${name}`, allFields(at, before[name])]);
    else if (before[name] !== after[name]) found.add(`f:${name}`, compareValues(at, before[name], after[name]));
  }
  for (const name of newNames) found.added.push([`f:${name}`, allFields(typeOfField(type, name), after[name])]);
  return found.comparison();
}

function compareLists(before: Items | undefined, after: Items | undefined): Comparison | undefined {
  if (before === undefined || after === undefined || before.size + after.size === 0) return undefined;
  const found = new Differences();
  for (const [element, item] of before) {
    const now = after.get(element);
    if (now === undefined) found.removed.push([element, allFields(item.type, item.value)]);
    else if (now.isRepeated !== item.isRepeated) found.add(element, MODIFIED);
    else found.add(element, compareValues(item.type, item.value, now.value));
  }
  for (const [element, item] of after) {
    if (!before.has(element)) found.added.push([element, allFields(item.type, item.value)]);
  }
  return found.comparison();
}

/** The differences of the parts of two values. */
class Differences {
  readonly added: Children = [];
  readonly modified: Children = [];
  readonly removed: Children = [];

  add(element: string, { added, modified, removed }: Comparison): void {
    if (!isEmpty(added)) this.added.push([element, added]);
    if (!isEmpty(modified)) this.modified.push([element, modified]);
    if (!isEmpty(removed)) this.removed.push([element, removed]);
  }

  comparison(): Comparison {
    const { added, modified, removed } = this;
    if (added.length + modified.length + removed.length === 0) return SAME;
    return { added: fieldSet(false, added), modified: fieldSet(false, modified), removed: fieldSet(false, removed) };
  }
}

/**
 * The live value with the applied one over it; the live value itself where that changes nothing. Items of lists stand in the
 * order in which they are applied; each of the others stays behind the live item that it followed.
 */
export function mergeValues(type: FieldType, live: unknown, applied: unknown): unknown {
  if (live === applied) return live;
  const resolved = typeOf(type, live, applied);
  if (resolved.form === 'map') {
    const [old, given] = [fieldsOfMap(live), fieldsOfMap(applied)];
    if (old !== undefined && given !== undefined && Object.keys(old).length > 0) return mergeMaps(resolved, old, given);
  }
  if (resolved.form === 'list') {
    const [old, given] = [itemsOfList(resolved, live), itemsOfList(resolved, applied)];
    if (old !== undefined && given !== undefined && old.size > 0) return mergeLists(live, old, given);
  }
  return isDeepStrictEqual(live, applied) ? live : applied;
}

function mergeMaps(type: MapType, live: MapValue, applied: MapValue): unknown {
  let merged: Record<string, unknown> | undefined;
  for (const name of Object.keys(applied)) {
    const isNew = !Object.hasOwn(live, name);
    const value = isNew ? applied[name] : mergeValues(typeOfField(type, name), live[name], applied[name]);
    if (isNew || value !== live[name]) setOwn((merged ??= { ...live }), name, value);
  }
  return merged ?? live;
}

function mergeLists(live: unknown, old: Items, given: Items): unknown {
  if (given.size === 0) return live;
  const order = mergedOrder(old.keys(), [...given.keys()]);
  const merged = order.flatMap((element) => mergeItems(old.get(element), given.get(element)) ?? []);
  const before = [...old.values()];
  const isSameList =
    merged.length === before.length && merged.every(({ value }, index) => value === before[index]?.value);
  return isSameList ? live : listOfItems(merged);
}

function mergeItems(live: Item | undefined, applied: Item | undefined): Item | undefined {
  if (live === undefined || applied === undefined) return applied ?? live;
  // Which of several items is meant is unknown: the applied one takes the place of all.
  if (live.isRepeated === true) return applied;
  return { ...applied, value: mergeValues(applied.type, live.value, applied.value) };
}

/** The elements of two lists: those of `applied` in their order, each other one behind its predecessor in `live`. */
function mergedOrder(live: Iterable<string>, applied: readonly string[]): string[] {
  const isApplied = new Set(applied);
  const first: string[] = [];
  const followers = new Map<string, string[]>();
  let place = first;
  for (const element of live) {
    if (isApplied.has(element)) followers.set(element, (place = []));
    else place.push(element);
  }
  return [...first, ...applied.flatMap((element) => [element, ...(followers.get(element) ?? [])])];
}

/** A value without the fields of a set, and without all that is below them; the value itself where it has none of them. */
export function removeFields(type: FieldType, value: unknown, fields: FieldSet): unknown {
  if (fields.children.size === 0 || typeof value !== 'object' || value === null) return value;
  const resolved = typeOf(type, value);
  if (resolved.form === 'map') return Array.isArray(value) ? value : removeFromMap(resolved, value as MapValue, fields);
  if (resolved.form === 'list') return removeFromList(resolved, value, fields);
  return value;
}

function removeFromMap(type: MapType, map: MapValue, fields: FieldSet): unknown {
  let left: Record<string, unknown> | undefined;
  for (const [element, below] of fields.children) {
    const name = element.slice(2);
    if (!element.startsWith('f:') || !Object.hasOwn(map, name)) continue;
    if (below.isMember) delete (left ??= { ...map })[name];
    else {
      const value = removeFields(typeOfField(type, name), map[name], below);
      if (value !== map[name]) setOwn((left ??= { ...map }), name, value);
    }
  }
  if (left === undefined) return map;
  return Object.keys(left).length === 0 ? emptyValue(type) : left;
}

function removeFromList(type: ListType, list: unknown, fields: FieldSet): unknown {
  const items = itemsOfList(type, list);
  if (items === undefined) return list;
  const left: Item[] = [];
  let isChanged = false;
  for (const [element, item] of items) {
    const below = fields.children.get(element);
    const value = below?.isMember === false ? removeFields(item.type, item.value, below) : item.value;
    isChanged ||= below?.isMember === true || value !== item.value;
    if (below?.isMember !== true) left.push({ ...item, value });
  }
  if (!isChanged) return list;
  return left.length === 0 ? emptyValue(type) : listOfItems(left);
}

const LEAF_TYPE: FieldType = { form: 'leaf' };

/** A set with the structs that lead to its fields. */
export function withStructs(type: FieldType, fields: FieldSet): FieldSet {
  if (fields.children.size === 0) return fields;
  return mapChildren(fields, (element, child) => {
    const below = withStructs(typeAt(type, element) ?? LEAF_TYPE, child);
    const isNamed = type.form === 'map' && type.fields.has(element.slice(2)) && element.startsWith('f:');
    return isNamed && !below.isMember ? { isMember: true, children: below.children } : below;
  });
}

/** A set whose fields below leaves became the leaf: what it means once a list or map has become atomic. */
export function fitToType(type: FieldType, fields: FieldSet): FieldSet {
  if (fields.children.size === 0) return fields;
  if (type.form === 'leaf') return MEMBER;
  if (type.form === 'any') return fields;
  return mapChildren(fields, (element, child) => {
    const below = typeAt(type, element);
    return below === undefined ? child : fitToType(below, child);
  });
}
