import { canonicalJson } from '#kernel/base/ids.ts';
import { getOwn, isObject, setOwn, type JsonObject } from '../schema/own.ts';
import { malformedPatch } from './patch-failure.ts';

/**
 * Lists that merge instead of being replaced, by their path: as sets of plain values, or by the key field of their items.
 * The same for all built-in kinds that are served here.
 */
const MERGING_LISTS: ReadonlyMap<string, { readonly by: string | undefined }> = new Map([
  ['metadata.finalizers', { by: undefined }],
  ['metadata.ownerReferences', { by: 'uid' }],
]);

const ORDER = '$setElementOrder/';
const DELETE_FROM = '$deleteFromPrimitiveList/';

/**
 * Applies a strategic merge patch as in Kubernetes: objects merge, null removes, lists are replaced or merged, and the
 * directives `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…` are applied.
 */
export function applyStrategicMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw malformedPatch('it must be an object');
  return mergeObject(isObject(target) ? target : {}, patch, '') ?? {};
}

/** `undefined` when the patch deletes the object. */
function mergeObject(target: JsonObject, patch: JsonObject, at: string): JsonObject | undefined {
  const directive = getOwn(patch, '$patch');
  if (directive === 'delete') return undefined;
  if (directive !== undefined && directive !== 'merge' && directive !== 'replace') throw unknownDirective(directive);
  const result: Record<string, unknown> = directive === 'replace' ? {} : { ...target };
  for (const [key, change] of Object.entries(patch)) {
    if (key.startsWith(DELETE_FROM)) {
      const name = key.slice(DELETE_FROM.length);
      const gone = new Set(expectList(change, key).map(canonicalJson));
      const list = result[name];
      if (Array.isArray(list)) result[name] = list.filter((item) => !gone.has(canonicalJson(item)));
    } else if (!key.startsWith('$')) {
      const merged = mergeField(result[key], change, at === '' ? key : `${at}.${key}`);
      if (merged === undefined) delete result[key];
      else setOwn(result, key, merged);
    }
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(ORDER)) continue;
    const name = key.slice(ORDER.length);
    const list = result[name];
    const by = MERGING_LISTS.get(at === '' ? name : `${at}.${name}`)?.by;
    if (Array.isArray(list)) result[name] = inOrder(list, getOwn(target, name), expectList(order, key), by);
  }
  return retain(result, patch);
}

function mergeField(target: unknown, change: unknown, at: string): unknown {
  if (change === null) return undefined;
  if (isObject(change)) return mergeObject(isObject(target) ? target : {}, change, at);
  const list = MERGING_LISTS.get(at);
  if (!Array.isArray(change) || list === undefined) return change;
  const before: readonly unknown[] = Array.isArray(target) ? target : [];
  return list.by === undefined ? union(before, change) : mergeItems(before, change, list.by, at);
}

function union(before: readonly unknown[], added: readonly unknown[]): unknown[] {
  const known = new Set(before.map(canonicalJson));
  return [...before, ...added.filter((item) => !known.has(canonicalJson(item)))];
}

function mergeItems(before: readonly unknown[], changes: readonly unknown[], by: string, at: string): unknown[] {
  const replaces = changes.some(
    (change) => isObject(change) && change['$patch'] === 'replace' && !Object.hasOwn(change, by),
  );
  // Removed items leave a hole, so that the others keep their index.
  const result: unknown[] = replaces ? [] : [...before];
  const indexes = new Map<unknown, number>();
  for (const [index, item] of result.entries()) {
    const key = isObject(item) ? getOwn(item, by) : undefined;
    if (key !== undefined && !indexes.has(key)) indexes.set(key, index);
  }
  for (const change of changes) {
    if (!isObject(change)) throw malformedPatch(`the items of ${at} must be objects`);
    const key = getOwn(change, by);
    if (key === undefined) {
      if (replaces && change['$patch'] === 'replace') continue;
      throw malformedPatch(`an item of ${at} has no ${by}, by which items are merged`);
    }
    const index = indexes.get(key);
    const found = index === undefined ? undefined : result[index];
    const merged = mergeObject(isObject(found) ? found : {}, change, `${at}[]`);
    if (merged === undefined) {
      if (index !== undefined) result[index] = GONE;
      indexes.delete(key);
    } else if (index === undefined) {
      indexes.set(key, result.push(merged) - 1);
    } else result[index] = merged;
  }
  return result.filter((item) => item !== GONE);
}

const GONE = Symbol('gone');

/** Items in the order of the patch; items that it does not name stay before the item that followed them. */
function inOrder(
  list: readonly unknown[],
  before: unknown,
  order: readonly unknown[],
  by: string | undefined,
): unknown[] {
  const idOf = (item: unknown): string => canonicalJson(by !== undefined && isObject(item) ? getOwn(item, by) : item);
  const wanted = firstIndexes(order.map(idOf));
  const server = firstIndexes(Array.isArray(before) ? before.map(idOf) : []);
  const withId = list.map((item) => ({ item, id: idOf(item) }));
  const named = withId
    .filter(({ id }) => wanted.has(id))
    .sort((a, b) => (wanted.get(a.id) ?? 0) - (wanted.get(b.id) ?? 0));
  const others = withId.filter(({ id }) => !wanted.has(id));
  const result: unknown[] = [];
  let [next, other] = [0, 0];
  for (;;) {
    const [one, two] = [named[next], others[other]];
    if (one === undefined || two === undefined) break;
    const [there, here] = [server.get(two.id), server.get(one.id)];
    if (there !== undefined && here !== undefined && there < here) {
      result.push(two.item);
      other += 1;
    } else {
      result.push(one.item);
      next += 1;
    }
  }
  return [...result, ...[...named.slice(next), ...others.slice(other)].map(({ item }) => item)];
}

function firstIndexes(ids: readonly string[]): ReadonlyMap<string, number> {
  const indexes = new Map<string, number>();
  for (const [index, id] of ids.entries()) if (!indexes.has(id)) indexes.set(id, index);
  return indexes;
}

function retain(result: Record<string, unknown>, patch: JsonObject): JsonObject {
  const keep = getOwn(patch, '$retainKeys');
  if (keep === undefined) return result;
  const names = new Set(expectList(keep, '$retainKeys'));
  return Object.fromEntries(Object.entries(result).filter(([key]) => names.has(key)));
}

function expectList(value: unknown, directive: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformedPatch(`${directive} must be a list`);
  return value;
}

function unknownDirective(directive: unknown) {
  return malformedPatch(`$patch must be merge, replace or delete, not ${JSON.stringify(directive)}`);
}
