import { isObject } from './own.ts';

type NodeType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null';

/**
 * A structural schema, read from JSON Schema: what TypeBox emits, or what a CustomResourceDefinition carries.
 * The one form that pruning, defaulting, validation and OpenAPI are derived from.
 */
export interface SchemaNode {
  /** Absent when the schema has no type, e.g. in `anyOf: [{ required: […] }]`. */
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
  /** Rules in CEL about the value. */
  readonly validations?: readonly SchemaRule[];
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  /** The pattern is one of RE2: it comes from users, and one of JavaScript could take for ever. */
  readonly hasLinearPattern?: true;
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

/** A rule in CEL about a value, as `x-kubernetes-validations` has it. */
export interface SchemaRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
  /** The field that a problem is of, below the value: `.spec.size`. */
  readonly fieldPath?: string;
  /** Whether the rule runs where there is no old value. */
  readonly optionalOldSelf?: boolean;
}

/** Most levels of nested schemas: functions over schemas recurse at most this deep. */
const schemaDepthMax = 64;

/** An unsupported schema: unknown keywords or wrong types. The path leads to the keyword. */
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

/** Reads a JSON Schema. Throws SchemaError for keywords that a structural schema cannot have ($ref, tuples, unknown ones). */
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
    if (keyword === 'description') draft.description = valueOf({ name: keyword, value, at }, isString);
    else if (keyword === 'default') draft.default = value;
    else {
      readKeyword(draft, { name: keyword, value, at: `${at}/${keyword}`, depth, schema });
      constrained ||= !keyword.startsWith('x-') || keyword === 'x-kubernetes-int-or-string';
    }
  }
  if (!constrained && !draft.embedded) return { ...draft, anything: true, nullable: true, preserve: true };
  return simplify(draft);
}

/** One keyword of a schema, with its place. */
interface Keyword {
  readonly name: string;
  readonly value: unknown;
  readonly at: string;
  readonly depth: number;
  readonly schema: Readonly<Record<string, unknown>>;
}

type ReadKeyword = (draft: Draft, keyword: Keyword) => void;

function readKeyword(draft: Draft, keyword: Keyword): void {
  const { name, at } = keyword;
  const known = Object.hasOwn(KEYWORDS, name) ? KEYWORDS[name] : undefined;
  if (known !== undefined) known(draft, keyword);
  else if (!name.startsWith('x-')) throw new SchemaError(`${at}: the keyword is not supported`);
}

const KEYWORDS: Readonly<Record<string, ReadKeyword>> = {
  type: (draft, { value, at }) => readType(draft, value, at),
  nullable: (draft, keyword) => {
    draft.nullable ||= valueOf(keyword, isBoolean);
  },
  properties: (draft, keyword) => {
    const entries = Object.entries(valueOf(keyword, isObject));
    draft.properties = new Map(entries.map(([name, property]) => [name, below(keyword, name, property)]));
  },
  required: (draft, keyword) => {
    draft.required = valueOf(keyword, isStrings);
  },
  additionalProperties: (draft, { value, at, depth }) => {
    if (value !== false) draft.additional = read(value, at, depth + 1);
  },
  patternProperties: (draft, keyword) => {
    const entries = Object.entries(valueOf(keyword, isObject));
    const [entry] = entries;
    if (entry === undefined || entries.length > 1) {
      throw new SchemaError(`${keyword.at}: exactly one pattern is supported`);
    }
    const [pattern, schema] = entry;
    if (pattern !== EVERY_KEY) draft.keyPattern = pattern;
    draft.additional = below(keyword, pattern, schema);
  },
  items: (draft, { value, at, depth }) => {
    if (Array.isArray(value)) throw new SchemaError(`${at}: tuples are not supported`);
    draft.items = read(value, at, depth + 1);
  },
  const: (draft, { value }) => {
    draft.enum = [value];
  },
  enum: (draft, keyword) => {
    draft.enum = valueOf(keyword, isList);
  },
  pattern: (draft, keyword) => {
    draft.pattern = valueOf(keyword, isString);
  },
  format: (draft, keyword) => {
    draft.format = valueOf(keyword, isString);
  },
  minimum: bound('minimum'),
  maximum: bound('maximum'),
  exclusiveMinimum: exclusiveBound('exclusiveMinimum'),
  exclusiveMaximum: exclusiveBound('exclusiveMaximum'),
  multipleOf: numberAs('multipleOf'),
  minLength: numberAs('minLength'),
  maxLength: numberAs('maxLength'),
  minItems: numberAs('minItems'),
  maxItems: numberAs('maxItems'),
  minProperties: numberAs('minProperties'),
  maxProperties: numberAs('maxProperties'),
  uniqueItems: (draft, keyword) => {
    draft.uniqueItems = valueOf(keyword, isBoolean);
  },
  allOf: branchesAs('allOf'),
  anyOf: branchesAs('anyOf'),
  oneOf: branchesAs('oneOf'),
  not: (draft, { value, at, depth }) => {
    draft.not = read(value, at, depth + 1);
  },
  'x-kubernetes-int-or-string': (draft, keyword) => {
    draft.intOrString = valueOf(keyword, isBoolean);
  },
  'x-kubernetes-preserve-unknown-fields': (draft, keyword) => {
    draft.preserve = valueOf(keyword, isBoolean);
  },
  'x-kubernetes-embedded-resource': (draft, keyword) => {
    draft.embedded = valueOf(keyword, isBoolean);
  },
  'x-kubernetes-list-type': (draft, { value, at }) => {
    if (value !== 'atomic' && value !== 'set' && value !== 'map') throw wrong(at, value);
    draft.listType = value;
  },
  'x-kubernetes-list-map-keys': (draft, keyword) => {
    draft.listMapKeys = valueOf(keyword, isStrings);
  },
  'x-kubernetes-validations': (draft, keyword) => {
    draft.validations = valueOf(keyword, isRules);
  },
  'x-kubernetes-map-type': (draft, { value, at }) => {
    if (value !== 'atomic' && value !== 'granular') throw wrong(at, value);
    draft.mapType = value;
  },
};

const RULE_TEXTS = ['rule', 'message', 'messageExpression', 'reason', 'fieldPath'];
const RULE_REASONS: ReadonlySet<unknown> = new Set([
  undefined,
  'FieldValueInvalid',
  'FieldValueForbidden',
  'FieldValueRequired',
  'FieldValueDuplicate',
]);

function isRules(value: unknown): value is readonly SchemaRule[] {
  return Array.isArray(value) && value.every(isRule);
}

function isRule(value: unknown): value is SchemaRule {
  if (!isObject(value) || value['rule'] === undefined || !RULE_REASONS.has(value['reason'])) return false;
  return Object.entries(value).every(([name, part]) =>
    name === 'optionalOldSelf' ? isBoolean(part) : RULE_TEXTS.includes(name) && isString(part),
  );
}

type NumberKeyword =
  | 'multipleOf'
  | 'minLength'
  | 'maxLength'
  | 'minItems'
  | 'maxItems'
  | 'minProperties'
  | 'maxProperties';

function numberAs(field: NumberKeyword): ReadKeyword {
  return (draft, keyword) => {
    draft[field] = valueOf(keyword, isNumber);
  };
}

function bound(field: 'minimum' | 'maximum'): ReadKeyword {
  return (draft, keyword) => {
    // In OpenAPI 3.0 a true exclusiveMinimum makes the minimum itself exclusive.
    if (keyword.schema[`exclusiveM${field.slice(1)}`] !== true) draft[field] = valueOf(keyword, isNumber);
  };
}

function exclusiveBound(field: 'exclusiveMinimum' | 'exclusiveMaximum'): ReadKeyword {
  return (draft, keyword) => {
    const { value, schema } = keyword;
    if (value === false) return;
    const limit = value === true ? schema[`m${field.slice('exclusiveM'.length)}`] : value;
    draft[field] = valueOf({ ...keyword, value: limit }, isNumber);
  };
}

function branchesAs(field: 'allOf' | 'anyOf' | 'oneOf'): ReadKeyword {
  return (draft, keyword) => {
    draft[field] = valueOf(keyword, isList).map((branch, index) => below(keyword, String(index), branch));
  };
}

function below({ at, depth }: Keyword, segment: string, schema: unknown): SchemaNode {
  return read(schema, `${at}/${segment}`, depth + 1);
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
function simplify(node: SchemaNode): SchemaNode {
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
  if (node.type === undefined && node.enum !== undefined) {
    if (node.enum.every(isString)) return { ...node, nullable, anyOf, oneOf, type: 'string' };
    if (node.enum.every(Number.isInteger)) return { ...node, nullable, anyOf, oneOf, type: 'integer' };
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

function valueOf<T>(
  { name, value, at }: Pick<Keyword, 'name' | 'value' | 'at'>,
  is: (value: unknown) => value is T,
): T {
  if (!is(value)) throw wrong(at, value, name);
  return value;
}

function wrong(at: string, value: unknown, keyword?: string): SchemaError {
  return new SchemaError(`${at}: ${JSON.stringify(value)} is not a value${keyword ? ` of ${keyword}` : ''}`);
}
