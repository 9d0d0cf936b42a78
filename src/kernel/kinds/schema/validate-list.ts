import { canonicalJson } from '#kernel/base/ids.ts';
import { add, below, lazyCheck, type Check, type Findings } from './findings.ts';
import { getOwn, isObject } from './own.ts';
import { duplicate, invalidInBody, tooMany } from './problems.ts';
import type { SchemaNode } from './schema-node.ts';

/** Checks of lists: number of items, items, duplicates in sets, in map lists and where items must be unique. */
export function checkList(node: SchemaNode, compile: (node: SchemaNode) => Check): Check | undefined {
  const { minItems = 0, maxItems = Infinity, items } = node;
  if (node.type !== 'array' && items === undefined) return undefined;
  const checkItem = items && lazyCheck(items, compile);
  const unique = node.uniqueItems || node.listType === 'set';
  const keys = node.listType === 'map' ? keysOf(node) : undefined;
  return (value, findings) => {
    if (!Array.isArray(value)) return;
    if (value.length > maxItems) add(findings, tooMany([...findings.path], value.length, maxItems));
    if (value.length < minItems) {
      const noun = minItems === 1 ? 'item' : 'items';
      add(findings, invalidInBody([...findings.path], value.length, `should have at least ${minItems} ${noun}`));
    }
    if (checkItem !== undefined) {
      for (const [index, item] of value.entries()) {
        if (findings.left.steps < 0) return;
        below(findings, index, checkItem, item);
      }
    }
    if (unique) reportDuplicates(value, (item) => item, findings);
    if (keys !== undefined) reportDuplicates(value, keys, findings);
  };
}

/** The part of an item that must be unique in a map list; an absent key counts with its default. */
function keysOf(node: SchemaNode): (item: unknown) => unknown {
  return (item) => {
    if (!isObject(item)) return undefined;
    const keys: Record<string, unknown> = {};
    for (const key of node.listMapKeys) {
      const value = getOwn(item, key) ?? node.items?.properties.get(key)?.default;
      if (value !== undefined) keys[key] = value;
    }
    return keys;
  };
}

function reportDuplicates(items: readonly unknown[], identity: (item: unknown) => unknown, findings: Findings): void {
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const id = identity(item);
    if (id === undefined) continue;
    const text = canonicalJson(id);
    if (seen.has(text)) add(findings, duplicate([...findings.path, index], id));
    seen.add(text);
  }
}
