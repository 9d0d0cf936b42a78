import { isDeepStrictEqual } from 'node:util';
import { fieldPath, type Path } from '#kernel/base/failures.ts';
import type { ResourceObject } from '#kernel/resources/kind.ts';

/** As many as a person reads. */
const FIELDS_MAX = 100;

/** What the server itself writes into every version. */
const BOOKKEEPING: ReadonlySet<string> = new Set(['resourceVersion', 'generation', 'managedFields']);

/** The fields in which two versions of an object differ, without their values: the deepest objects' members. */
export function changedFields(before: ResourceObject, after: ResourceObject): string[] {
  const found: string[] = [];
  compare(withoutBookkeeping(before), withoutBookkeeping(after), []);
  return found.length <= FIELDS_MAX ? found : [...found.slice(0, FIELDS_MAX), '…'];

  function compare(a: unknown, b: unknown, path: Path): void {
    if (found.length > FIELDS_MAX || isDeepStrictEqual(a, b)) return;
    if (!isParent(a) || !isParent(b) || Array.isArray(a) !== Array.isArray(b)) {
      found.push(fieldPath(path));
      return;
    }
    const [left, right] = [new Map(members(a)), new Map(members(b))];
    for (const key of new Set([...left.keys(), ...right.keys()]))
      compare(left.get(key), right.get(key), [...path, key]);
  }
}

function withoutBookkeeping(object: ResourceObject): object {
  const metadata = Object.entries(object.metadata).filter(([field]) => !BOOKKEEPING.has(field));
  return { ...object, metadata: Object.fromEntries(metadata) };
}

function isParent(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function members(value: object): [string | number, unknown][] {
  return Array.isArray(value) ? [...value.entries()] : Object.entries(value);
}
