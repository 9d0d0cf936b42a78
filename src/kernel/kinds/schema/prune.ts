import { fieldPath, type Path } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { isObject, setOwn, type JsonObject } from './own.ts';
import type { SchemaNode } from './schema-node.ts';

export interface PruneResult {
  /** The value without unknown fields; the same value when it has none. The argument is never altered. */
  readonly value: unknown;
  /** Paths of the unknown fields; at most `unknownFieldsMax`. */
  readonly unknown: readonly Path[];
}

/** Unknown fields that are named in one answer; the others are removed as well. */
export const unknownFieldsMax = 100;
/** Most unknown fields that are removed; no version of a kind has as many. */
const prunedFieldsMax = 10_000;

/** The unknown fields of one object. */
interface UnknownFields {
  readonly paths: Path[];
  count: number;
}

type Prune = (value: unknown, at: (string | number)[], unknown: UnknownFields) => unknown;

const keepAll: Prune = (value) => value;

/** Compiles the removal of unknown fields. `structure` comes from `withAlternatives`. */
export function compilePrune(structure: SchemaNode): (value: unknown) => PruneResult {
  const prune = compileNode(structure);
  return (value) => {
    const found: UnknownFields = { paths: [], count: 0 };
    return { value: prune(value, [], found), unknown: found.paths };
  };
}

function compileNode(node: SchemaNode): Prune {
  if (node.anything) return keepAll;
  const pruneItems = node.items ? compileNode(node.items) : keepAll;
  const pruneObject = compileObject(node);
  const mayBeObject =
    node.type === 'object' || node.properties.size > 0 || node.additional !== undefined || node.embedded;
  return (value, at, unknown) => {
    if (Array.isArray(value)) {
      return pruneItems === keepAll ? value : pruneArray(value, pruneItems, at, unknown);
    }
    // A value of a wrong type is left to validation.
    return mayBeObject && isObject(value) ? pruneObject(value, at, unknown) : value;
  };
}

function pruneArray(items: unknown[], prune: Prune, at: (string | number)[], unknown: UnknownFields): unknown[] {
  let result = items;
  for (const [index, item] of items.entries()) {
    at.push(index);
    const pruned = prune(item, at, unknown);
    at.pop();
    if (pruned === item) continue;
    if (result === items) result = [...items];
    result[index] = pruned;
  }
  return result;
}

function compileObject(
  node: SchemaNode,
): (value: JsonObject, at: (string | number)[], unknown: UnknownFields) => unknown {
  const fields = new Map([...node.properties].map(([name, property]) => [name, compileNode(property)]));
  if (node.embedded) {
    for (const name of ['apiVersion', 'kind', 'metadata']) if (!fields.has(name)) fields.set(name, keepAll);
  }
  const others = node.additional ? compileNode(node.additional) : node.preserve ? keepAll : undefined;
  // Deleting many unknown fields from a whole copy would take long.
  const copyOf = (value: JsonObject) => (others === undefined ? knownPart(value, fields) : { ...value });
  return (value, at, unknown) => {
    let result: Record<string, unknown> | undefined;
    for (const key of Object.keys(value)) {
      const prune = fields.get(key) ?? others;
      if (prune === keepAll) continue;
      at.push(key);
      if (prune === undefined) {
        noteUnknown(unknown, at);
        result ??= copyOf(value);
      } else {
        const child = value[key];
        const pruned = prune(child, at, unknown);
        if (pruned !== child) setOwn((result ??= copyOf(value)), key, pruned);
      }
      at.pop();
    }
    return result ?? value;
  };
}

function noteUnknown(unknown: UnknownFields, at: readonly (string | number)[]): void {
  unknown.count += 1;
  if (unknown.count > prunedFieldsMax) {
    const message = `the object has more than ${prunedFieldsMax} unknown fields; the first is "${fieldPath(unknown.paths[0] ?? [])}"`;
    throw resourceRefusal('unknown-field', message);
  }
  if (unknown.paths.length < unknownFieldsMax) unknown.paths.push([...at]);
}

function knownPart(value: JsonObject, fields: ReadonlyMap<string, Prune>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(value)) if (fields.has(name)) setOwn(result, name, value[name]);
  return result;
}
