import { getOwn, isObject, setOwn, type JsonObject } from './own.ts';
import type { SchemaNode } from './schema-node.ts';
import { weightOf, type ObjectLimits } from './weight.ts';

type Fill = (value: unknown) => unknown;

/** Limits of all defaults of one object together, as of the object itself. */
export type DefaultLimits = Pick<ObjectLimits, 'valuesMax' | 'charsMax'>;

const UNLIMITED: DefaultLimits = { valuesMax: Infinity, charsMax: Infinity };

interface Filling {
  /** Whether nulls that are not allowed get defaults, too. */
  readonly withNulls: boolean;
  /** Of the object at hand. */
  readonly left: { values: number; chars: number };
}

/**
 * Compiles defaulting: absent fields, and nulls where null is not allowed, get their defaults. A null that is not allowed
 * and has no default is removed, as in Kubernetes. The argument is never altered; a complete value is returned as it is.
 * `structure` comes from `withAlternatives`.
 *
 * @param limits A list of empty items may get a thousand defaults for each: filling ends with the default that goes beyond, so
 *   that the object is too heavy to be stored, and a stored one can still be shown.
 */
export function compileDefaults(structure: SchemaNode, limits = UNLIMITED): Fill {
  const left = { values: 0, chars: 0 };
  const fill = compileNode(structure, { withNulls: true, left });
  if (fill === undefined) return (value) => value;
  return (value) => {
    left.values = limits.valuesMax;
    left.chars = limits.charsMax;
    return fill(value);
  };
}

/** Compiles defaulting of stored values, which lack only the defaults of newer fields: visits only fields with defaults. */
export function compileMissing(structure: SchemaNode): Fill {
  const left = { values: Infinity, chars: Infinity };
  return compileNode(structure, { withNulls: false, left }) ?? ((value) => value);
}

/** A copy of a default, at the cost of what is left; undefined when nothing is. */
function compileInitial(initial: unknown, { left }: Filling): () => unknown {
  if (initial === undefined) return () => undefined;
  const { values, chars } = weightOf(initial);
  return () => {
    if (left.values < 0 || left.chars < 0) return undefined;
    left.values -= values;
    left.chars -= chars;
    return typeof initial === 'object' ? structuredClone(initial) : initial;
  };
}

/** `undefined` when there is nothing to do below this node. */
function compileNode(node: SchemaNode, filling: Filling): Fill | undefined {
  if (node.anything) return undefined;
  const fillItems = compileItems(node, filling);
  const fillObject = compileObject(node, filling);
  if (fillItems === undefined && fillObject === undefined) return undefined;
  return (value) => {
    if (Array.isArray(value)) return fillItems === undefined ? value : mapItems(value, fillItems);
    return fillObject !== undefined && isObject(value) ? fillObject(value) : value;
  };
}

function compileItems(node: SchemaNode, filling: Filling): Fill | undefined {
  const { items } = node;
  if (items === undefined) return undefined;
  const fill = compileNode(items, filling);
  const initial = compileInitial(items.default, filling);
  if (!filling.withNulls || items.default === undefined || items.nullable) return fill;
  const below = fill ?? ((value: unknown) => value);
  return (value) => below(value === null ? initial() : value);
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
  readonly initial: () => unknown;
  readonly nullable: boolean;
  readonly below: Fill | undefined;
}

function compileObject(node: SchemaNode, filling: Filling): ((value: JsonObject) => unknown) | undefined {
  const { withNulls } = filling;
  const fields = [...node.properties].flatMap(([name, property]): Field[] => {
    const below = compileNode(property, filling);
    if (!withNulls && property.default === undefined && below === undefined) return [];
    const initial = compileInitial(property.default, filling);
    return [{ name, initial, nullable: property.nullable || !withNulls, below }];
  });
  const fillAdditional = node.additional === undefined ? undefined : compileNode(node.additional, filling);
  const additional = withNulls || fillAdditional !== undefined ? node.additional : undefined;
  if (fields.length === 0 && additional === undefined) return undefined;
  return (value) => {
    let result: Record<string, unknown> | undefined;
    for (const { name, initial, nullable, below } of fields) {
      const before = getOwn(value, name);
      let after = before;
      if (before === undefined || (before === null && !nullable)) {
        after = initial();
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
