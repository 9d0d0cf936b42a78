import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '#kernel/base/failures.ts';
import type { ResourceObject } from '../kind.ts';

/** A check for kinds with a field `immutable`: once it is true, the given fields cannot change. */
export function immutableWhenAsked(fields: readonly string[]) {
  return (object: ResourceObject, before: ResourceObject | undefined): readonly Problem[] => {
    if (before?.['immutable'] !== true) return [];
    return fields
      .filter((field) => !isDeepStrictEqual(object[field], before[field]))
      .map((field) => ({
        path: [field],
        reason: 'FieldValueForbidden',
        detail: 'Forbidden: field is immutable when `immutable` is set',
      }));
  };
}
