import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '#kernel/base/failures.ts';
import { fieldNode, itemsBefore } from './correlate.ts';
import { getOwn, isObject } from './own.ts';
import type { SchemaNode } from './schema-node.ts';

/** Problems of what holds a part, and not of the part that their path leads to. */
const OF_THE_WHOLE: ReadonlySet<Problem['reason']> = new Set(['FieldValueRequired', 'FieldValueDuplicate']);

/**
 * The problems of values that a write changes. A value that was there before in the same place is let be, as in Kubernetes since
 * 1.33: who changes another field is not held up by it.
 */
export function changedProblems(
  node: SchemaNode,
  problems: readonly Problem[],
  { before, after }: { readonly before: unknown; readonly after: unknown },
): readonly Problem[] {
  return problems.filter(({ path, reason }) => {
    const place = OF_THE_WHOLE.has(reason) ? path.slice(0, -1) : path;
    return !isUnchanged(node, place, { before, after });
  });
}

/** Whether the value at a place, or one around it, is as it was. */
function isUnchanged(
  root: SchemaNode,
  path: Problem['path'],
  values: { readonly before: unknown; readonly after: unknown },
): boolean {
  let node: SchemaNode | undefined = root;
  let { before, after } = values;
  for (const segment of path) {
    if (before === undefined || node === undefined) return false;
    if (isDeepStrictEqual(before, after)) return true;
    if (typeof segment === 'number') {
      const [items, listBefore]: readonly unknown[] = [after, before];
      if (!Array.isArray(items) || !Array.isArray(listBefore)) return false;
      after = items[segment];
      before = itemsBefore(node, listBefore)(after);
      node = node.items;
    } else {
      if (!isObject(before) || !isObject(after)) return false;
      [before, after] = [getOwn(before, segment), getOwn(after, segment)];
      node = fieldNode(node, segment);
    }
  }
  return before !== undefined && isDeepStrictEqual(before, after);
}
