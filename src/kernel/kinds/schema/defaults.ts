import { getOwn, isObject, setOwn, type JsonObject } from './own.ts';
import type { SchemaNode } from './schema-node.ts';

type Fill = (value: unknown) => unknown;

/**
 * Compiles defaulting: absent fields, and nulls where null is not allowed, get their defaults. A null that is not allowed
 * and has no default is removed, as in Kubernetes. The argument is never altered; a complete value is returned as it is.
 * `structure` comes from `withAlternatives`.
 */
export function compileDefaults(structure: SchemaNode): Fill {
  return compileNode(structure, true) ?? ((value) => value);
}

/** Compiles defaulting of stored values, which lack only the defaults of newer fields: visits only fields with defaults. */
export function compileMissing(structure: SchemaNode): Fill {
  return compileNode(structure, false) ?? ((value) => value);
}

/** `undefined` when there is nothing to do below this node. */
function compileNode(node: SchemaNode, withNulls: boolean): Fill | undefined {
  if (node.anything) return undefined;
  const fillItems = compileItems(node, withNulls);
  const fillObject = compileObject(node, withNulls);
  if (fillItems === undefined && fillObject === undefined) return undefined;
  return (value) => {
    if (Array.isArray(value)) return fillItems === undefined ? value : mapItems(value, fillItems);
    return fillObject !== undefined && isObject(value) ? fillObject(value) : value;
  };
}

function compileItems(node: SchemaNode, withNulls: boolean): Fill | undefined {
  const { items } = node;
  if (items === undefined) return undefined;
  const fill = compileNode(items, withNulls);
  if (!withNulls || items.default === undefined || items.nullable) return fill;
  const below = fill ?? ((value: unknown) => value);
  return (value) => below(value === null ? structuredClone(items.default) : value);
}

function mapItems(items: unknown[], fill: Fill): unknown[] {
  let result = items;
  for (const [index, item] of items.entries()) {
    const filled = fill(item);
    if (filled === item) continue;
    if (result === items) result = [...items];
    result[index] = filled;
  }
  return result;
}

interface Field {
  readonly name: string;
  readonly initial: unknown;
  readonly nullable: boolean;
  readonly below: Fill | undefined;
}

function compileObject(node: SchemaNode, withNulls: boolean): ((value: JsonObject) => unknown) | undefined {
  const fields = [...node.properties]
    .map(([name, property]): Field => ({
      name,
      initial: property.default,
      nullable: property.nullable || !withNulls,
      below: compileNode(property, withNulls),
    }))
    .filter(({ initial, below }) => withNulls || initial !== undefined || below !== undefined);
  const fillAdditional = node.additional === undefined ? undefined : compileNode(node.additional, withNulls);
  const additional = withNulls || fillAdditional !== undefined ? node.additional : undefined;
  if (fields.length === 0 && additional === undefined) return undefined;
  return (value) => {
    let result: Record<string, unknown> | undefined;
    for (const { name, initial, nullable, below } of fields) {
      const before = getOwn(value, name);
      let after = before;
      if (before === undefined || (before === null && !nullable)) {
        after = typeof initial === 'object' ? structuredClone(initial) : initial;
      }
      if (below !== undefined && after !== undefined) after = below(after);
      if (after === before) continue;
      result ??= { ...value };
      if (after === undefined) delete result[name];
      else setOwn(result, name, after);
    }
    if (additional === undefined) return result ?? value;
    for (const key of Object.keys(value)) {
      if (node.properties.has(key)) continue;
      const before = value[key];
      if (withNulls && before === null && !additional.nullable) {
        result ??= { ...value };
        delete result[key];
      } else if (fillAdditional !== undefined) {
        const after = fillAdditional(before);
        if (after !== before) setOwn((result ??= { ...value }), key, after);
      }
    }
    return result ?? value;
  };
}
