import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '#kernel/base/failures.ts';
import { fieldNode, itemsBefore } from './correlate.ts';
import { getOwn, isObject } from './own.ts';
import type { CountsProblem } from './findings.ts';
import type { SchemaNode } from './schema-node.ts';

/** Problems of what holds a part, and not of the part that their path leads to. */
const OF_THE_WHOLE: ReadonlySet<Problem['reason']> = new Set(['FieldValueRequired', 'FieldValueDuplicate']);

/** An object before and after a write. */
interface Versions {
  readonly before: unknown;
  readonly after: unknown;
}

/**
 * Tells the problems of values that a write changes. A value that was there before in the same place is let be, as in Kubernetes since
 * 1.33: who changes another field is not held up by it. Parts are compared once, however many problems they have.
 */
export function changedProblems(root: SchemaNode, versions: Versions): CountsProblem {
  const compared = new WeakMap<object, { readonly before: unknown; readonly isSame: boolean }>();
  const finders = new WeakMap<object, ReturnType<typeof itemsBefore>>();
  return ({ path, reason }) => {
    const place = OF_THE_WHOLE.has(reason) ? path.slice(0, -1) : path;
    return !isUnchanged(place);
  };

  /** Whether the value at a place, or one around it, is as it was. */
  function isUnchanged(path: Problem['path']): boolean {
    let node: SchemaNode | undefined = root;
    let { before, after } = versions;
    for (const segment of path) {
      if (before === undefined || node === undefined) return false;
      if (isSame({ before, after })) return true;
      if (typeof segment === 'number') {
        const [items, listBefore]: readonly unknown[] = [after, before];
        if (!Array.isArray(items) || !Array.isArray(listBefore)) return false;
        after = items[segment];
        before = finderIn(node, listBefore)(after);
        node = node.items;
      } else {
        if (!isObject(before) || !isObject(after)) return false;
        [before, after] = [getOwn(before, segment), getOwn(after, segment)];
        node = fieldNode(node, segment);
      }
    }
    return before !== undefined && isSame({ before, after });
  }

  function isSame({ before, after }: Versions): boolean {
    if (typeof after !== 'object' || after === null) return isDeepStrictEqual(before, after);
    const known = compared.get(after);
    // A patch may put one part in several places.
    if (known !== undefined && known.before === before) return known.isSame;
    const result = isDeepStrictEqual(before, after);
    compared.set(after, { before, isSame: result });
    return result;
  }

  function finderIn(node: SchemaNode, listBefore: readonly unknown[]): ReturnType<typeof itemsBefore> {
    const known = finders.get(listBefore) ?? itemsBefore(node, listBefore);
    finders.set(listBefore, known);
    return known;
  }
}
