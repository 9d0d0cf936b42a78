import { SchemaError, type SchemaNode } from './schema-node.ts';

/**
 * The structure of a schema: all fields that may exist, including those that only branches of allOf, anyOf or oneOf name.
 * Pruning, defaulting and OpenAPI use it; validation uses the schema as written.
 *
 * A field of several branches gets the structures of all of them, and none of their rules: a rule of one branch does not
 * hold in the others.
 */
export function withAlternatives(node: SchemaNode): SchemaNode {
  const alternatives = [...node.anyOf, ...node.oneOf].map(withAlternatives);
  for (const branch of alternatives) refuseDefaults(branch);
  const branches = [...node.allOf.map(withAlternatives), ...alternatives];
  const own: SchemaNode = {
    ...node,
    properties: new Map([...node.properties].map(([name, property]) => [name, withAlternatives(property)])),
    ...(node.additional && { additional: withAlternatives(node.additional) }),
    ...(node.items && { items: withAlternatives(node.items) }),
  };
  if (branches.length === 0) return own;
  const merged = branches.reduce(merge);
  const all = merge(own, merged);
  return {
    ...own,
    ...all,
    allOf: node.allOf,
    anyOf: node.anyOf,
    oneOf: node.oneOf,
    // Rules of the schema itself hold in every branch.
    required: [...new Set([...node.required, ...node.allOf.flatMap((branch) => branch.required)])],
    ...(node.type && { type: node.type }),
    ...(node.enum && { enum: node.enum }),
    ...(node.description !== undefined && { description: node.description }),
    ...(node.default !== undefined && { default: node.default }),
  };
}

function merge(a: SchemaNode, b: SchemaNode): SchemaNode {
  const properties = new Map(a.properties);
  for (const [name, property] of b.properties) {
    const known = properties.get(name);
    properties.set(name, known === undefined ? property : merge(known, property));
  }
  const additional = mergeOptional(a.additional, b.additional);
  const items = mergeOptional(a.items, b.items);
  const type = a.type ?? b.type;
  const typesAgree = a.type === undefined || b.type === undefined || a.type === b.type;
  const description = a.description ?? b.description;
  const initial = a.default ?? b.default;
  return {
    intOrString: a.intOrString || b.intOrString,
    nullable: a.nullable || b.nullable,
    anything: a.anything || b.anything,
    preserve: a.preserve || b.preserve,
    embedded: a.embedded || b.embedded,
    properties,
    required: a.required.filter((name) => b.required.includes(name)),
    listMapKeys: a.listMapKeys,
    uniqueItems: false,
    allOf: [],
    anyOf: [],
    oneOf: [],
    ...(type !== undefined && typesAgree && { type }),
    ...(a.listType !== undefined && { listType: a.listType }),
    ...(additional && { additional }),
    ...(items && { items }),
    ...(description !== undefined && { description }),
    ...(initial !== undefined && { default: initial }),
    ...(a.enum && b.enum && { enum: [...new Set([...a.enum, ...b.enum])] }),
  };
}

function mergeOptional(a: SchemaNode | undefined, b: SchemaNode | undefined): SchemaNode | undefined {
  return a === undefined || b === undefined ? (a ?? b) : merge(a, b);
}

/** Refuses defaults in an alternative: the alternative of a value is known only after defaulting. */
function refuseDefaults(branch: SchemaNode): void {
  const children = [...branch.properties.values(), branch.items, branch.additional];
  for (const child of [branch, ...children]) {
    if (child?.default !== undefined) throw new SchemaError('a branch of anyOf or oneOf cannot have defaults');
    if (child !== undefined && child !== branch) refuseDefaults(child);
  }
}
