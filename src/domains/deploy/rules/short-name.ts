import type { Problem } from '#kernel/base/failures.ts';
import { nameProblems } from '#kernel/kinds/schema/names.ts';

/** Problems of a name that is a part of names of hosts, folders and Instances: these have dots between their parts. */
export function shortNameProblems(name: string): readonly Problem[] {
  // A live name begins with the namespace.
  return nameProblems('label', name.slice(name.lastIndexOf('/') + 1)).map((detail) => ({
    path: ['metadata', 'name'],
    reason: 'FieldValueInvalid' as const,
    detail,
  }));
}
