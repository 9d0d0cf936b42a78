import { canonicalJson } from '#kernel/base/ids.ts';
import { getOwn, isObject } from './own.ts';
import type { SchemaNode } from './schema-node.ts';

/** The schema of a field or key of an object; undefined where it has none. */
export function fieldNode(node: SchemaNode, name: string): SchemaNode | undefined {
  return node.properties.get(name) ?? node.additional;
}

/**
 * Finds what the items of a list were in an earlier version of it: those with the same keys in a map list. Items of other lists
 * have no earlier selves.
 */
export function itemsBefore(node: SchemaNode, before: readonly unknown[]): (item: unknown) => unknown {
  if (node.listType !== 'map') return () => undefined;
  let byKeys: ReadonlyMap<string, unknown> | undefined;
  return (item) => {
    byKeys ??= new Map(before.map((other) => [keysOf(node, other), other]));
    return byKeys.get(keysOf(node, item));
  };
}

function keysOf(node: SchemaNode, item: unknown): string {
  const known = isObject(item) ? item : {};
  return canonicalJson(
    node.listMapKeys.map((key) => getOwn(known, key) ?? node.items?.properties.get(key)?.default ?? null),
  );
}
