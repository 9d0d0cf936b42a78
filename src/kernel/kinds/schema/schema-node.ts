import { isObject } from './own.ts';

type NodeType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null';

/**
 * A structural schema, read from JSON Schema: what TypeBox emits, or what a CustomResourceDefinition carries.
 * The one form that pruning, defaulting, validation and OpenAPI are derived from.
 */
export interface SchemaNode {
  /** Absent when the schema says nothing about the type, e.g. in `anyOf: [{ required: […] }]`. */
  readonly type?: NodeType;
  readonly intOrString: boolean;
  readonly nullable: boolean;
  /** Any value fits and is kept as it is: the schema `{}`. */
  readonly anything: boolean;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties: ReadonlyMap<string, SchemaNode>;
  readonly required: readonly string[];
  /** Schema of the values under keys that are not properties. */
  readonly additional?: SchemaNode;
  /** Pattern of the keys that are not properties. */
  readonly keyPattern?: string;
  readonly items?: SchemaNode;
  /** Unknown fields are kept. */
  readonly preserve: boolean;
  /** The value is a whole resource: apiVersion, kind and metadata belong to it. */
  readonly embedded: boolean;
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listMapKeys: readonly string[];
  readonly mapType?: 'atomic' | 'granular';
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf: readonly SchemaNode[];
  readonly anyOf: readonly SchemaNode[];
  readonly oneOf: readonly SchemaNode[];
  readonly not?: SchemaNode;
}

/** Levels of schemas within each other; everything that walks a schema recurses at most this deep. */
const schemaDepthMax = 64;

/** A schema that cannot be used: unknown or unsupported keywords, wrong types. The path leads to the keyword. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

const ANNOTATIONS = new Set([
  'title',
  'example',
  'examples',
  'externalDocs',
  'readOnly',
  'deprecated',
  '$id',
  '$schema',
]);
const TYPES: ReadonlySet<unknown> = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean', 'null']);
const EVERY_KEY = '^.*$';

/** Reads a JSON Schema. Throws SchemaError for what a structural schema cannot have ($ref, tuples, unknown keywords). */
export function readSchema(schema: unknown): SchemaNode {
  return read(schema, '', 0);
}

type Draft = { -readonly [Key in keyof SchemaNode]: SchemaNode[Key] };

function read(schema: unknown, at: string, depth: number): SchemaNode {
  if (depth > schemaDepthMax) throw new SchemaError(`${at}: schemas are nested deeper than ${schemaDepthMax} levels`);
  if (schema === true) return { ...EMPTY, anything: true, nullable: true };
  if (!isObject(schema)) throw new SchemaError(`${at}: a schema must be an object, not ${JSON.stringify(schema)}`);
  const draft: Draft = { ...EMPTY };
  let constrained = false;
  for (const [keyword, value] of Object.entries(schema)) {
    if (value === undefined || ANNOTATIONS.has(keyword)) continue;
    if (keyword === 'description') draft.description = expect(isString, value, at, keyword);
    else if (keyword === 'default') draft.default = value;
    else {
      readKeyword(draft, keyword, value, `${at}/${keyword}`, depth, schema);
      constrained ||= !keyword.startsWith('x-') || keyword === 'x-kubernetes-int-or-string';
    }
  }
  if (!constrained && !draft.embedded) return { ...draft, anything: true, nullable: true, preserve: true };
  return simplified(draft);
}

function readKeyword(
  draft: Draft,
  keyword: string,
  value: unknown,
  at: string,
  depth: number,
  schema: Readonly<Record<string, unknown>>,
): void {
  switch (keyword) {
    case 'type':
      readType(draft, value, at);
      break;
    case 'nullable':
      draft.nullable ||= expect(isBoolean, value, at, keyword);
      break;
    case 'properties':
      draft.properties = new Map(
        Object.entries(expect(isObject, value, at, keyword)).map(([name, property]) => [
          name,
          read(property, `${at}/${name}`, depth + 1),
        ]),
      );
      break;
    case 'required':
      draft.required = expect(isStrings, value, at, keyword);
      break;
    case 'additionalProperties':
      if (value !== false) draft.additional = read(value, at, depth + 1);
      break;
    case 'patternProperties': {
      const entries = Object.entries(expect(isObject, value, at, keyword));
      const [entry] = entries;
      if (entry === undefined || entries.length > 1) throw new SchemaError(`${at}: exactly one pattern is supported`);
      if (entry[0] !== EVERY_KEY) draft.keyPattern = entry[0];
      draft.additional = read(entry[1], `${at}/${entry[0]}`, depth + 1);
      break;
    }
    case 'items':
      if (Array.isArray(value)) throw new SchemaError(`${at}: tuples are not supported`);
      draft.items = read(value, at, depth + 1);
      break;
    case 'const':
      draft.enum = [value];
      break;
    case 'enum':
      draft.enum = expect(isList, value, at, keyword);
      break;
    case 'pattern':
    case 'format':
      draft[keyword] = expect(isString, value, at, keyword);
      break;
    case 'minimum':
    case 'maximum':
      // In OpenAPI 3.0 a true exclusiveMinimum makes the minimum itself exclusive.
      if (schema[`exclusiveM${keyword.slice(1)}`] !== true) draft[keyword] = expect(isNumber, value, at, keyword);
      break;
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      if (typeof value === 'boolean') {
        if (value) draft[keyword] = expect(isNumber, schema[`m${keyword.slice(10)}`], at, keyword);
      } else draft[keyword] = expect(isNumber, value, at, keyword);
      break;
    case 'multipleOf':
    case 'minLength':
    case 'maxLength':
    case 'minItems':
    case 'maxItems':
    case 'minProperties':
    case 'maxProperties':
      draft[keyword] = expect(isNumber, value, at, keyword);
      break;
    case 'uniqueItems':
      draft.uniqueItems = expect(isBoolean, value, at, keyword);
      break;
    case 'allOf':
    case 'anyOf':
    case 'oneOf':
      draft[keyword] = expect(isList, value, at, keyword).map((branch, index) =>
        read(branch, `${at}/${index}`, depth + 1),
      );
      break;
    case 'not':
      draft.not = read(value, at, depth + 1);
      break;
    case 'x-kubernetes-int-or-string':
      draft.intOrString = expect(isBoolean, value, at, keyword);
      break;
    case 'x-kubernetes-preserve-unknown-fields':
      draft.preserve = expect(isBoolean, value, at, keyword);
      break;
    case 'x-kubernetes-embedded-resource':
      draft.embedded = expect(isBoolean, value, at, keyword);
      break;
    case 'x-kubernetes-list-type':
      if (value !== 'atomic' && value !== 'set' && value !== 'map') throw wrong(at, value);
      draft.listType = value;
      break;
    case 'x-kubernetes-list-map-keys':
      draft.listMapKeys = expect(isStrings, value, at, keyword);
      break;
    case 'x-kubernetes-map-type':
      if (value !== 'atomic' && value !== 'granular') throw wrong(at, value);
      draft.mapType = value;
      break;
    default:
      if (!keyword.startsWith('x-')) throw new SchemaError(`${at}: the keyword is not supported`);
  }
}

function readType(draft: Draft, value: unknown, at: string): void {
  const types = (Array.isArray(value) ? value : [value]).filter((type) => type !== 'null');
  if (Array.isArray(value) && types.length < value.length) draft.nullable = true;
  if (types.length === 2 && types.includes('integer') && types.includes('string')) {
    draft.intOrString = true;
    return;
  }
  const [type = 'null'] = types;
  if (types.length > 1 || !isNodeType(type)) throw wrong(at, value);
  draft.type = type;
  if (type === 'null') draft.nullable = true;
}

/** A union with null is nullable, a union of constants is an enum, a union of one is that one. */
function simplified(node: SchemaNode): SchemaNode {
  let { anyOf, oneOf, nullable } = node;
  const notNull = (branch: SchemaNode): boolean => branch.type !== 'null';
  if (!anyOf.every(notNull) || !oneOf.every(notNull)) {
    nullable = true;
    anyOf = anyOf.filter(notNull);
    oneOf = oneOf.filter(notNull);
  }
  const lone = anyOf.length === 1 && oneOf.length === 0 ? anyOf[0] : undefined;
  if (lone !== undefined && node.type === undefined && node.properties.size === 0 && node.required.length === 0) {
    const annotated = { ...lone, nullable: nullable || lone.nullable };
    if (node.description !== undefined) annotated.description = node.description;
    if (node.default !== undefined) annotated.default = node.default;
    return annotated;
  }
  if (node.type === undefined && node.enum !== undefined && node.enum.every(isString)) {
    return { ...node, nullable, anyOf, oneOf, type: 'string' };
  }
  const constants = anyOf.flatMap((branch) => branch.enum ?? []);
  if (anyOf.length > 1 && node.enum === undefined && anyOf.every(isOnlyEnum)) {
    const types = new Set(anyOf.map((branch) => branch.type));
    const [type] = types;
    const withEnum: SchemaNode = { ...node, nullable, anyOf: [], oneOf, enum: constants };
    return types.size === 1 && type !== undefined && node.type === undefined ? { ...withEnum, type } : withEnum;
  }
  return { ...node, nullable, anyOf, oneOf };
}

function isOnlyEnum(node: SchemaNode): boolean {
  return node.enum !== undefined && node.allOf.length + node.anyOf.length + node.oneOf.length === 0 && !node.nullable;
}

export const EMPTY: SchemaNode = {
  intOrString: false,
  nullable: false,
  anything: false,
  properties: new Map(),
  required: [],
  preserve: false,
  embedded: false,
  listMapKeys: [],
  uniqueItems: false,
  allOf: [],
  anyOf: [],
  oneOf: [],
};

const isString = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every(isString);
const isNodeType = (value: unknown): value is NodeType => TYPES.has(value);

function expect<T>(is: (value: unknown) => value is T, value: unknown, at: string, keyword: string): T {
  if (!is(value)) throw wrong(at, value, keyword);
  return value;
}

function wrong(at: string, value: unknown, keyword?: string): SchemaError {
  return new SchemaError(`${at}: ${JSON.stringify(value)} is not a value${keyword ? ` of ${keyword}` : ''}`);
}
