import { isDeepStrictEqual } from 'node:util';
import { getOwn, isObject, type JsonObject } from './own.ts';
import type { SchemaNode } from './schema-node.ts';

/** The schema of a field or key of an object; undefined where it has none. */
export function fieldNode(node: SchemaNode, name: string): SchemaNode | undefined {
  return node.properties.get(name) ?? node.additional;
}

/**
 * The item of a list that an item of another version of the list was before: the one with the same keys in a map list. Items of
 * other lists have no earlier self.
 */
export function itemBefore(node: SchemaNode, item: unknown, before: readonly unknown[]): unknown {
  if (node.listType !== 'map' || !isObject(item)) return undefined;
  const keys = keysOf(node, item);
  return before.find((other) => isObject(other) && isDeepStrictEqual(keysOf(node, other), keys));
}

function keysOf(node: SchemaNode, item: JsonObject): readonly unknown[] {
  return node.listMapKeys.map((key) => getOwn(item, key) ?? node.items?.properties.get(key)?.default);
}
