import { canonicalJson } from '#kernel/base/ids.ts';
import { isRecord } from '#kernel/base/is-record.ts';

/**
 * A set of fields of an object, as a tree: each child has a path element as in `fieldsV1`, canonically spelled. Immutable.
 *
 * - `f:NAME`: the field of a map or struct.
 * - `k:{…}`: the item of a list with these keys.
 * - `v:VALUE`: the item of a set.
 * - `i:N`: the item at a place.
 */
export interface FieldSet {
  /** Whether the field at this place is in the set itself; never at the root. */
  readonly isMember: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

const NO_CHILDREN: FieldSet['children'] = new Map();

/** No fields. */
export const EMPTY: FieldSet = { isMember: false, children: NO_CHILDREN };

/** A field without fields below it. */
export const MEMBER: FieldSet = { isMember: true, children: NO_CHILDREN };

/** Most levels of a set: as deep as an object may be, and more than fields nest. */
const DEPTH_MAX = 128;

/** A set that has these children; those that are empty are left out. */
export function fieldSet(isMember: boolean, children: Iterable<readonly [string, FieldSet]>): FieldSet {
  const kept = new Map<string, FieldSet>();
  for (const [element, child] of children) if (!isEmpty(child)) kept.set(element, child);
  if (kept.size === 0) return isMember ? MEMBER : EMPTY;
  return { isMember, children: kept };
}

export function isEmpty(set: FieldSet): boolean {
  return !set.isMember && set.children.size === 0;
}

/** The fields of either. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmpty(b)) return a;
  if (isEmpty(a)) return b;
  let children: Map<string, FieldSet> | undefined;
  for (const [element, child] of b.children) {
    const own = a.children.get(element);
    const both = own === undefined ? child : union(own, child);
    if (both !== own) (children ??= new Map(a.children)).set(element, both);
  }
  const isMember = a.isMember || b.isMember;
  if (children === undefined && isMember === a.isMember) return a;
  return { isMember, children: children ?? a.children };
}

/** The fields of both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  const [few, many] = a.children.size < b.children.size ? [a, b] : [b, a];
  const children: [string, FieldSet][] = [];
  for (const [element, child] of few.children) {
    const other = many.children.get(element);
    if (other !== undefined) children.push([element, intersection(child, other)]);
  }
  return fieldSet(a.isMember && b.isMember, children);
}

/** The fields of `a` that are not in `b`. Fields below those of `b` stay. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a;
  if (a === b) return EMPTY;
  let children: Map<string, FieldSet> | undefined;
  for (const [element, child] of b.children) {
    const own = a.children.get(element);
    const left = own && difference(own, child);
    if (left === undefined || left === own) continue;
    children ??= new Map(a.children);
    if (isEmpty(left)) children.delete(element);
    else children.set(element, left);
  }
  const isMember = a.isMember && !b.isMember;
  if (children === undefined && isMember === a.isMember) return a;
  return { isMember, children: children ?? a.children };
}

/** A set whose children are mapped; the set itself where none changes. */
export function mapChildren(set: FieldSet, map: (element: string, child: FieldSet) => FieldSet): FieldSet {
  let children: Map<string, FieldSet> | undefined;
  for (const [element, child] of set.children) {
    const mapped = map(element, child);
    if (mapped !== child) (children ??= new Map(set.children)).set(element, mapped);
  }
  return children === undefined ? set : fieldSet(set.isMember, children);
}

/** The fields of `a` that are neither in `b` nor below a field of it. */
export function differenceBelow(a: FieldSet, b: FieldSet): FieldSet {
  if (b.isMember) return EMPTY;
  const children = [...a.children].map(
    ([element, child]) => [element, differenceBelow(child, b.children.get(element) ?? EMPTY)] as const,
  );
  return fieldSet(a.isMember, children);
}

export function areEqualSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  if (a.isMember !== b.isMember || a.children.size !== b.children.size) return false;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other === undefined || !areEqualSets(child, other)) return false;
  }
  return true;
}

/** Each field of a set, as the path elements that lead to it. */
export function* fieldsOf(set: FieldSet, path: readonly string[] = []): Generator<readonly string[]> {
  if (set.isMember) yield path;
  for (const element of sortedElements(set)) {
    yield* fieldsOf(set.children.get(element) ?? EMPTY, [...path, element]);
  }
}

/** The set of fields with these paths. */
export function setOfPaths(paths: Iterable<readonly string[]>): FieldSet {
  let set = EMPTY;
  for (const path of paths) {
    const one = path.toReversed().reduce((below, element) => fieldSet(false, [[element, below]]), MEMBER);
    set = union(set, one);
  }
  return set;
}

/** The path of a field in messages, as Kubernetes writes it: `.spec.containers[name="app"].image`. */
export function pathText(path: readonly string[]): string {
  return path.map(elementText).join('');
}

function elementText(element: string): string {
  const text = element.slice(2);
  switch (element.slice(0, 2)) {
    case 'f:':
      return `.${text}`;
    case 'v:':
      return `[=${text}]`;
    case 'i:':
      return `[${text}]`;
    default: {
      const keys = Object.entries(JSON.parse(text) as object);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    }
  }
}

/** The element of an item of a list with keys. */
export function keyElement(keys: Readonly<Record<string, unknown>>): string {
  return `k:${canonicalJson(keys)}`;
}

/** The element of an item of a set. */
export function valueElement(value: unknown): string {
  return `v:${canonicalJson(value)}`;
}

/** The JSON of a set as `fieldsV1`. */
export function writeFieldsV1(set: FieldSet): Record<string, unknown> {
  const written: [string, unknown][] = [];
  if (set.isMember && set.children.size > 0) written.push(['.', {}]);
  for (const element of sortedElements(set)) written.push([element, writeFieldsV1(set.children.get(element) ?? EMPTY)]);
  return Object.fromEntries(written);
}

/** By code units: fields first. */
function sortedElements({ children }: FieldSet): readonly string[] {
  return [...children.keys()].toSorted();
}

/** No set of fields: the message says where and why. */
export class FieldSetError extends Error {
  override readonly name = 'FieldSetError';
}

/** Reads the JSON of `fieldsV1`. Throws FieldSetError for anything else. */
export function parseFieldsV1(json: unknown): FieldSet {
  const set = parseBelow(json, []);
  if (set.isMember) throw new FieldSetError('".": the object as a whole is no field');
  return set;
}

/** @param path the elements that lead there; it is as before when this returns */
function parseBelow(json: unknown, path: string[]): FieldSet {
  if (path.length > DEPTH_MAX) throw new FieldSetError(`fields are nested deeper than ${DEPTH_MAX} levels`);
  if (!isRecord(json)) throw new FieldSetError(`${placeOf(path)}must be an object, not ${JSON.stringify(json)}`);
  const keys = Object.keys(json);
  // An empty object below a field is the field itself.
  if (keys.length === 0) return path.length > 0 ? MEMBER : EMPTY;
  const children = new Map<string, FieldSet>();
  for (const key of keys) {
    if (key === '.') continue;
    const element = parseElement(key, path);
    path.push(element);
    const child = parseBelow(json[key], path);
    path.pop();
    const before = children.get(element);
    children.set(element, before === undefined ? child : union(before, child));
  }
  return { isMember: Object.hasOwn(json, '.'), children };
}

function placeOf(path: readonly string[]): string {
  return path.length === 0 ? '' : `${path.join('/')}: `;
}

function parseElement(key: string, path: readonly string[]): string {
  const text = key.slice(2);
  switch (key.slice(0, 2)) {
    case 'f:':
      return key;
    case 'i:':
      if (/^\d{1,9}$/.test(text)) return `i:${Number(text)}`;
      break;
    case 'v:': {
      const value = parseJson(text);
      if (value !== undefined) return valueElement(value);
      break;
    }
    case 'k:': {
      const keys = parseJson(text);
      if (isRecord(keys) && Object.keys(keys).length > 0) return keyElement(keys);
      break;
    }
    default:
  }
  throw new FieldSetError(
    `${placeOf(path)}${JSON.stringify(key)} is no path element: use f:NAME, k:{"KEY":VALUE}, v:VALUE, i:NUMBER or "."`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
