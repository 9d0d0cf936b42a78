import { isDeepStrictEqual } from 'node:util';
import { EMPTY, fieldSet, isEmpty, MEMBER, union, type FieldSet } from './field-set.ts';
import { emptyValue, partsOf, typeAt, typeOf, valueOf, type FieldType, type Part } from './field-type.ts';

/** The differences between two values. A field whose value is another is modified; one that only one value has is not. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** The fields that an object sets: its leaves, and the entries of its maps and lists. */
export function setOfObject(type: FieldType, object: unknown): FieldSet {
  return fieldSet(false, setFields(type, object) ?? []);
}

/** The fields that a value sets below itself; undefined for a leaf. */
function setFields(type: FieldType, value: unknown): [string, FieldSet][] | undefined {
  const parts = partsOf(typeOf(type, value), value);
  return parts && [...parts].map(([element, part]) => [element, setOfPart(part)]);
}

function setOfPart(part: Part): FieldSet {
  const below = setFields(part.type, part.value);
  return below === undefined ? MEMBER : fieldSet(isOwned(part), below);
}

/** Whether a part is a field of its own besides the parts that it has. */
function isOwned({ value, isEntry }: Part): boolean {
  return isEntry || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** Every field of a value, with the structs on the way. */
function allFields(type: FieldType, value: unknown): FieldSet {
  const parts = partsOf(typeOf(type, value), value) ?? [];
  return fieldSet(true, fieldsBelow(parts));
}

function fieldsBelow(parts: Iterable<readonly [string, Part]>): [string, FieldSet][] {
  return [...parts].map(([element, part]) => [element, allFields(part.type, part.value)]);
}

const SAME: Comparison = { added: EMPTY, modified: EMPTY, removed: EMPTY };
const MODIFIED: Comparison = { added: EMPTY, modified: MEMBER, removed: EMPTY };

/** Compares two values of a type. The order of the items of lists with keys, and of sets, is no difference. */
export function compareValues(type: FieldType, before: unknown, after: unknown): Comparison {
  const resolved = typeOf(type, before, after);
  const old = partsOf(resolved, before);
  const now = partsOf(resolved, after);
  if (old === undefined || now === undefined || old.size + now.size === 0) {
    if (isDeepStrictEqual(before, after)) return SAME;
    return {
      added: fieldSet(false, fieldsBelow(now ?? [])),
      modified: MEMBER,
      removed: fieldSet(false, fieldsBelow(old ?? [])),
    };
  }
  const below = [...new Set([...old.keys(), ...now.keys()])].map(
    (element) => [element, compareParts(old.get(element), now.get(element))] as const,
  );
  const select = (side: keyof Comparison) =>
    fieldSet(
      false,
      below.map(([element, comparison]) => [element, comparison[side]]),
    );
  return { added: select('added'), modified: select('modified'), removed: select('removed') };
}

function compareParts(before: Part | undefined, after: Part | undefined): Comparison {
  if (before === undefined) {
    return { ...SAME, added: after === undefined ? EMPTY : allFields(after.type, after.value) };
  }
  if (after === undefined) return { ...SAME, removed: allFields(before.type, before.value) };
  if (before.isRepeated !== after.isRepeated) return MODIFIED;
  return compareValues(before.type, before.value, after.value);
}

/**
 * The live value with the applied one over it. Items of lists stand in the order in which they are applied; each of the others
 * stays behind the live item that it followed.
 */
export function mergeValues(type: FieldType, live: unknown, applied: unknown): unknown {
  const resolved = typeOf(type, live, applied);
  const old = partsOf(resolved, live);
  const given = partsOf(resolved, applied);
  if (old === undefined || given === undefined || old.size === 0) return applied;
  if (given.size === 0) return live;
  const order =
    resolved.form === 'list' ? mergedOrder(old.keys(), [...given.keys()]) : [...old.keys(), ...given.keys()];
  const parts = new Map<string, Part>();
  for (const element of order) {
    const part = mergeParts(old.get(element), given.get(element));
    if (part !== undefined) parts.set(element, part);
  }
  return valueOf(resolved, parts);
}

function mergeParts(live: Part | undefined, applied: Part | undefined): Part | undefined {
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

/** A value without the fields of a set, and without all that is below them. */
export function removeFields(type: FieldType, value: unknown, fields: FieldSet): unknown {
  const resolved = typeOf(type, value);
  const parts = partsOf(resolved, value);
  if (parts === undefined || parts.size === 0 || fields.children.size === 0) return value;
  const kept: [string, Part][] = [];
  for (const [element, part] of parts) {
    const below = fields.children.get(element);
    if (below === undefined) kept.push([element, part]);
    else if (!below.isMember) kept.push([element, { ...part, value: removeFields(part.type, part.value, below) }]);
  }
  return kept.length === 0 ? emptyValue(resolved) : valueOf(resolved, kept);
}

/** A set with the structs that lead to its fields. */
export function withStructs(type: FieldType, fields: FieldSet): FieldSet {
  const children = [...fields.children].map(([element, child]) => {
    const below = withStructs(typeAt(type, element) ?? { form: 'leaf' }, child);
    const isNamed = type.form === 'map' && element.startsWith('f:') && type.fields.has(element.slice(2));
    return [element, isNamed ? { ...below, isMember: true } : below] as const;
  });
  return fieldSet(fields.isMember, children);
}

/** A set whose fields below leaves became the leaf: what it means once a list or map has become atomic. */
export function fitToType(type: FieldType, fields: FieldSet): FieldSet {
  if (type.form === 'leaf') return fields.children.size === 0 ? fields : MEMBER;
  const children = [...fields.children].map(([element, child]) => {
    const below = typeAt(type, element);
    return [element, below === undefined ? child : fitToType(below, child)] as const;
  });
  return fieldSet(fields.isMember, children);
}

export function isSame({ added, modified, removed }: Comparison): boolean {
  return isEmpty(added) && isEmpty(modified) && isEmpty(removed);
}

/** The fields that a comparison shows as set. */
export function changedFields({ added, modified }: Comparison): FieldSet {
  return union(added, modified);
}
