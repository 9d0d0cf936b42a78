import { fieldPath, type Path, type Problem } from '#kernel/base/failures.ts';
import { forbiddenProblem, invalid, requiredProblem } from '#kernel/kinds/schema/problems.ts';
import { getOwn, isObject, type JsonObject } from '#kernel/kinds/schema/own.ts';

/** Where a schema stands: at the root of objects, as an item of a list, or as a field. */
type Level = 'root' | 'item' | 'field';

/** A schema within a schema, with the path of both. */
interface Place {
  readonly schema: JsonObject;
  readonly path: Path;
}

const MESSAGES_OF_LEVEL: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

/** Keywords of JSON Schema that a definition may not have, with what Kubernetes says. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  $ref: '$ref is not supported',
  id: 'id is not supported',
  definitions: 'definitions is not supported',
  dependencies: 'dependencies is not supported',
  patternProperties: 'patternProperties is not supported',
  additionalItems: 'additionalItems is not supported',
  $schema: '$schema is not supported',
};

/** Words that only describe structure: they have no meaning within allOf, anyOf, oneOf and not. */
const OF_STRUCTURE: Readonly<Record<string, string>> = {
  type: 'must be empty to be structural',
  title: 'must be empty to be structural',
  description: 'must be empty to be structural',
  default: 'must be undefined to be structural',
  nullable: 'must be false to be structural',
  additionalProperties: 'must be undefined to be structural',
  'x-kubernetes-preserve-unknown-fields': 'must be false to be structural',
  'x-kubernetes-embedded-resource': 'must be false to be structural',
  'x-kubernetes-int-or-string': 'must be false to be structural',
  'x-kubernetes-list-type': 'must be undefined to be structural',
  'x-kubernetes-list-map-keys': 'must be empty to be structural',
  'x-kubernetes-map-type': 'must be undefined to be structural',
};

const METADATA_FIELDS: ReadonlySet<string> = new Set(['name', 'generateName']);

/**
 * Finds what keeps a schema from being structural, in the words of kube-apiserver: every field has a type outside of value rules,
 * and what value rules name is there outside of them.
 */
export function structuralProblems(schema: JsonObject, path: Path): readonly Problem[] {
  const problems: Problem[] = [];
  checkNode({ schema, path }, 'root', problems);
  return problems;
}

function checkNode(place: Place, level: Level, problems: Problem[]): void {
  const { schema, path } = place;
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true;
  checkKeywords(place, problems);
  checkType(place, level, problems);
  checkExtensions(place, problems);
  checkLists(place, problems);
  if (level === 'root' && schema['additionalProperties'] !== undefined) {
    problems.push(forbiddenProblem([...path, 'additionalProperties'], 'must not be used at the root'));
  }
  if (isEmbedded && schema['additionalProperties'] !== undefined) {
    const text = 'must not be used if x-kubernetes-embedded-resource is set';
    problems.push(forbiddenProblem([...path, 'additionalProperties'], text));
  }
  checkMetadata(place, level === 'root' || isEmbedded, problems);
  for (const rules of valueRules(place)) checkRules(rules, place, problems);
  for (const [child, childLevel] of childrenOf(place)) checkNode(child, childLevel, problems);
}

function checkKeywords({ schema, path }: Place, problems: Problem[]): void {
  for (const [keyword, text] of Object.entries(FORBIDDEN)) {
    if (Object.hasOwn(schema, keyword)) problems.push(forbiddenProblem([...path, keyword], text));
  }
  if (schema['uniqueItems'] === true) {
    const text = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    problems.push(forbiddenProblem([...path, 'uniqueItems'], text));
  }
  if (schema['additionalProperties'] === false) {
    problems.push(forbiddenProblem([...path, 'additionalProperties'], 'additionalProperties cannot be set to false'));
  }
  if (isObject(schema['properties']) && isObject(schema['additionalProperties'])) {
    const text = 'additionalProperties and properties are mutual exclusive';
    problems.push(forbiddenProblem([...path, 'additionalProperties'], text));
  }
  if (Array.isArray(schema['items'])) {
    problems.push(forbiddenProblem([...path, 'items'], 'items must be a schema object and not an array'));
  }
}

const TYPES: ReadonlySet<unknown> = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean']);

function checkType({ schema, path }: Place, level: Level, problems: Problem[]): void {
  const { type } = schema;
  const at = [...path, 'type'];
  const isFree =
    schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema['x-kubernetes-embedded-resource'] === true && type !== 'object') {
    const text = 'must be object if x-kubernetes-embedded-resource is true';
    problems.push(type === undefined ? requiredProblem(at, text) : invalid(at, type, text));
  } else if ((type === undefined || type === '') && !isFree) {
    problems.push(requiredProblem(at, MESSAGES_OF_LEVEL[level]));
  } else if (type !== undefined && !TYPES.has(type)) {
    problems.push(invalid(at, type, 'must be one of array, boolean, integer, number, object, string'));
  } else if (level === 'root' && type !== undefined && type !== 'object') {
    problems.push(invalid(at, type, 'must be object at the root'));
  }
  if (type === 'array' && schema['items'] === undefined) {
    problems.push(requiredProblem([...path, 'items'], 'must be specified'));
  }
  if (schema['x-kubernetes-int-or-string'] === true && type !== undefined) {
    problems.push(forbiddenProblem(at, 'must be empty if x-kubernetes-int-or-string is true'));
  }
}

function checkExtensions({ schema, path }: Place, problems: Problem[]): void {
  const preserve = 'x-kubernetes-preserve-unknown-fields';
  const embedded = 'x-kubernetes-embedded-resource';
  if (schema[preserve] !== undefined && schema[preserve] !== true) {
    problems.push(invalid([...path, preserve], schema[preserve], 'must be true or undefined'));
  }
  if (schema['x-kubernetes-int-or-string'] === true) {
    for (const other of [preserve, embedded]) {
      if (schema[other] !== true) continue;
      problems.push(invalid([...path, other], true, 'must be false if x-kubernetes-int-or-string is true'));
    }
  }
  const { properties } = schema;
  const hasProperties = isObject(properties) && Object.keys(properties).length > 0;
  if (schema[embedded] === true && schema[preserve] !== true && !hasProperties) {
    const text =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    problems.push(requiredProblem([...path, 'properties'], text));
  }
}

function checkLists({ schema, path }: Place, problems: Problem[]): void {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'];
  const keysPath = [...path, 'x-kubernetes-list-map-keys'];
  if (listType !== undefined && schema['type'] !== 'array') {
    const text = 'must be array if x-kubernetes-list-type is specified';
    problems.push(invalid([...path, 'type'], schema['type'] ?? '', text));
  }
  if (schema['x-kubernetes-map-type'] !== undefined && schema['type'] !== 'object') {
    const text = 'must be object if x-kubernetes-map-type is specified';
    problems.push(invalid([...path, 'type'], schema['type'] ?? '', text));
  }
  if (listType !== 'map') {
    if (keys !== undefined)
      problems.push(forbiddenProblem(keysPath, 'must be empty if x-kubernetes-list-type is not map'));
    return;
  }
  if (!Array.isArray(keys) || keys.length === 0) {
    problems.push(requiredProblem(keysPath, 'must not be empty if x-kubernetes-list-type is map'));
    return;
  }
  const items = isObject(schema['items']) ? schema['items'] : {};
  const properties = isObject(items['properties']) ? items['properties'] : {};
  const required = Array.isArray(items['required']) ? items['required'] : [];
  for (const key of keys) {
    const property = typeof key === 'string' ? getOwn(properties, key) : undefined;
    if (!isObject(property)) {
      problems.push(invalid(keysPath, key, 'entries must all be names of item properties'));
    } else if (property['type'] === 'array' || property['type'] === 'object') {
      problems.push(
        invalid(
          [...path, 'items', 'properties', String(key), 'type'],
          property['type'],
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    } else if (property['default'] === undefined && !required.includes(key)) {
      const text =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      problems.push(requiredProblem([...path, 'items', 'properties', String(key), 'default'], text));
    }
  }
}

/** Metadata has its schema already: only the name can be restricted further. */
function checkMetadata({ schema, path }: Place, isAllowed: boolean, problems: Problem[]): void {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const at = [...path, 'properties', 'metadata'];
  const metadata = getOwn(properties, 'metadata');
  if (isAllowed) {
    for (const name of ['apiVersion', 'kind']) {
      const own = getOwn(properties, name);
      if (isObject(own) && own['type'] !== 'string') {
        problems.push(invalid([...path, 'properties', name, 'type'], own['type'] ?? '', 'must be string'));
      }
    }
    if (!isObject(metadata)) return;
    if (metadata['type'] !== 'object')
      problems.push(invalid([...at, 'type'], metadata['type'] ?? '', 'must be object'));
    const fields = isObject(metadata['properties']) ? Object.keys(metadata['properties']) : [];
    if (fields.some((name) => !METADATA_FIELDS.has(name))) {
      const text = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
      problems.push(forbiddenProblem(at, text));
    }
  }
}

/** Schemas directly below, outside of value rules. */
function childrenOf({ schema, path }: Place): readonly (readonly [Place, Level])[] {
  const { items, properties, additionalProperties } = schema;
  return [
    ...(isObject(items) ? [[{ schema: items, path: [...path, 'items'] }, 'item'] as const] : []),
    ...(isObject(additionalProperties)
      ? [[{ schema: additionalProperties, path: [...path, 'additionalProperties'] }, 'field'] as const]
      : []),
    ...Object.entries(isObject(properties) ? properties : {}).flatMap(([name, property]) =>
      isObject(property) ? [[{ schema: property, path: [...path, 'properties', name] }, 'field'] as const] : [],
    ),
  ];
}

/** Schemas within allOf, anyOf, oneOf and not, without the pattern that says integer or string again. */
function valueRules({ schema, path }: Place): readonly Place[] {
  const branches = (['allOf', 'anyOf', 'oneOf'] as const).flatMap((keyword) => {
    const list = schema[keyword];
    return (Array.isArray(list) ? list : []).flatMap((branch: unknown, index) =>
      isObject(branch) ? [{ keyword, schema: branch, path: [...path, keyword, index] }] : [],
    );
  });
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true;
  const rules = branches.filter((branch) => !(isIntOrString && isTypePattern(branch)));
  const { not } = schema;
  return [...rules, ...(isObject(not) ? [{ schema: not, path: [...path, 'not'] }] : [])];
}

/** `anyOf: [{ type: integer }, { type: string }]`, by itself or as the first of allOf. */
function isTypePattern({ keyword, schema }: { readonly keyword: string; readonly schema: JsonObject }): boolean {
  const isType = (one: unknown): boolean =>
    isObject(one) && Object.keys(one).join() === 'type' && (one['type'] === 'integer' || one['type'] === 'string');
  if (keyword === 'anyOf') return isType(schema);
  const { anyOf } = schema;
  return keyword === 'allOf' && Object.keys(schema).join() === 'anyOf' && Array.isArray(anyOf) && anyOf.every(isType);
}

/** Checks a value rule: it has no structure of its own, and names only what is there beside it. */
function checkRules(rules: Place, structure: Place, problems: Problem[]): void {
  const { schema, path } = rules;
  for (const [keyword, text] of Object.entries(OF_STRUCTURE)) {
    const value = schema[keyword];
    if (value !== undefined && value !== false && value !== '') {
      problems.push(forbiddenProblem([...path, keyword], text));
    }
  }
  if (Object.hasOwn(schema, 'x-kubernetes-validations')) {
    problems.push(forbiddenProblem([...path, 'x-kubernetes-validations'], 'must be empty to be structural'));
  }
  checkKeywords(rules, problems);
  const { items, properties } = schema;
  if (isObject(items)) {
    const at = [...path, 'items'];
    const own = structure.schema['items'];
    if (isObject(own))
      checkRules({ schema: items, path: at }, { schema: own, path: [...structure.path, 'items'] }, problems);
    else problems.push(missing([...structure.path, 'items'], at));
  }
  for (const [name, property] of Object.entries(isObject(properties) ? properties : {})) {
    const at = [...path, 'properties', name];
    const place = [...structure.path, 'properties', name];
    const known = structure.schema['properties'];
    const own = isObject(known) ? getOwn(known, name) : undefined;
    if (!isObject(own)) problems.push(missing(place, at));
    else if (isObject(property)) checkRules({ schema: property, path: at }, { schema: own, path: place }, problems);
  }
  for (const nested of valueRules(rules)) checkRules(nested, structure, problems);
}

function missing(place: Path, definedIn: Path): Problem {
  return requiredProblem(place, `because it is defined in ${fieldPath(definedIn)}`);
}
