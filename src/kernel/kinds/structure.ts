import type { Kind } from './kind.ts';
import { compileDefaults, type DefaultLimits } from './schema/defaults.ts';
import { withAlternatives } from './schema/lift.ts';
import { withLinearPatterns } from './schema/linear-pattern.ts';
import { OBJECT_META } from './schema/object-meta.ts';
import { compilePrune, type PruneResult } from './schema/prune.ts';
import { EMPTY, readSchema, type SchemaNode } from './schema/schema-node.ts';
import { compileValidate, VALIDATION_STEPS_MAX, type Validate } from './schema/validate.ts';

/** A schema compiled to closures. The functions never alter their argument; they return it when nothing changes. */
export interface CompiledSchema {
  /** The schema as it was written. */
  readonly node: SchemaNode;
  /** The fields that may exist, with those that only alternatives name. */
  readonly structure: SchemaNode;
  /** Removes the fields that the schema does not have, and gives their paths. */
  readonly prune: (value: unknown) => PruneResult;
  /** Fills absent fields (and nulls that are not allowed) with their defaults. Comes after pruning. */
  readonly applyDefaults: (value: unknown) => unknown;
  /** Every problem, at most `problemsMax`; none means that the value has the static type of the schema. */
  readonly validate: Validate;
}

/** Compiles a JSON Schema (TypeBox, or `openAPIV3Schema`). Throws SchemaError for an unsupported schema. */
export function compileSchema(schema: unknown): CompiledSchema {
  return compileNode(readSchema(schema));
}

function compileNode(node: SchemaNode, limits?: DefaultLimits): CompiledSchema {
  const structure = withAlternatives(node);
  return {
    node,
    structure,
    prune: compilePrune(structure),
    applyDefaults: compileDefaults(structure, limits),
    validate: compileValidate(node, limits && VALIDATION_STEPS_MAX),
  };
}

/** The schema of whole objects of a kind: apiVersion, kind, metadata and what the kind declares. */
export function objectSchema(kind: Kind): SchemaNode {
  const read = withEmbeddedMetadata(readSchema(kind.schema));
  const declared = kind.definition === undefined ? read : withLinearPatterns(read);
  const metadata = declared.properties.get('metadata');
  return {
    ...declared,
    type: 'object',
    anything: false,
    nullable: false,
    description: declared.description ?? kind.description,
    properties: new Map([
      ...declared.properties,
      ['apiVersion', { ...EMPTY, type: 'string', description: API_VERSION }],
      ['kind', { ...EMPTY, type: 'string', description: KIND }],
      ['metadata', metadata === undefined ? OBJECT_META : restrictMetadata(OBJECT_META, metadata)],
    ]),
  };
}

/** Metadata whose fields keep to the rules of another schema too. */
function restrictMetadata(metadata: SchemaNode, { properties }: SchemaNode): SchemaNode {
  const fields = [...metadata.properties].map(([name, own]): [string, SchemaNode] => {
    const rules = properties.get(name);
    return [name, rules === undefined ? own : { ...own, allOf: [...own.allOf, rules] }];
  });
  return { ...metadata, properties: new Map(fields) };
}

/** Whole resources within an object have metadata like every other one. */
function withEmbeddedMetadata(node: SchemaNode): SchemaNode {
  const properties = [...node.properties].map(([name, field]): [string, SchemaNode] => [
    name,
    withEmbeddedMetadata(field),
  ]);
  const items = node.items && withEmbeddedMetadata(node.items);
  const additional = node.additional && withEmbeddedMetadata(node.additional);
  const isSame =
    !node.embedded &&
    items === node.items &&
    additional === node.additional &&
    properties.every(([name, field]) => node.properties.get(name) === field);
  if (isSame) return node;
  const metadata = node.embedded ? node.properties.get('metadata') : undefined;
  return {
    ...node,
    properties: new Map([
      ...properties,
      ...(node.embedded
        ? [['metadata', metadata === undefined ? OBJECT_META : restrictMetadata(OBJECT_META, metadata)] as const]
        : []),
    ]),
    ...(items && { items }),
    ...(additional && { additional }),
  };
}

/** The compiled schema of whole objects of a kind. Compiled once per kind. */
export function structureOf(kind: Kind): CompiledSchema {
  let compiled = BY_KIND.get(kind);
  if (compiled === undefined) {
    const { definition, bodyValuesMax: valuesMax, bodyBytesMax: charsMax } = kind;
    compiled = compileNode(objectSchema(kind), definition && { valuesMax, charsMax });
    BY_KIND.set(kind, compiled);
  }
  return compiled;
}

const BY_KIND = new WeakMap<Kind, CompiledSchema>();

const API_VERSION = 'The version of the schema of this object: `group/version`, or `v1` in the core group.';
const KIND = 'The kind of this object, in CamelCase. Cannot be changed.';
