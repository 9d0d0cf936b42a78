import { fieldChanges } from '#kernel/base/field-changes.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';

/** As many as a person reads. */
const FIELDS_MAX = 100;

/** Fields that the server itself writes into every version. */
const BOOKKEEPING: ReadonlySet<string> = new Set(['resourceVersion', 'generation', 'managedFields']);

/** The fields in which two versions of an object differ, without their values. */
export function changedFields(before: ResourceObject, after: ResourceObject): string[] {
  const paths = fieldChanges(withoutBookkeeping(before), withoutBookkeeping(after)).map(({ path }) => path);
  return paths.length <= FIELDS_MAX ? paths : [...paths.slice(0, FIELDS_MAX), '…'];
}

function withoutBookkeeping(object: ResourceObject): object {
  const metadata = Object.entries(object.metadata).filter(([field]) => !BOOKKEEPING.has(field));
  return { ...object, metadata: Object.fromEntries(metadata) };
}
