import { SMALL, UNKNOWN_SIZE, type Size } from '#kernel/cel/sizes.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  STRING,
  TIMESTAMP,
  type CelType,
} from '#kernel/cel/types.ts';
import { ITEMS_MAX, MEMBERS_MAX } from '#kernel/kinds/schema/weight.ts';
import { EMPTY, type SchemaNode } from '#kernel/kinds/schema/schema-node.ts';

/** Names that CEL reads otherwise: fields of these names are written with underscores around them. */
const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

const ESCAPES: readonly (readonly [string, string])[] = [
  ['__', '__underscores__'],
  ['.', '__dot__'],
  ['-', '__dash__'],
  ['/', '__slash__'],
];

/** The name of a property in expressions, as Kubernetes writes it; undefined for one that expressions cannot reach. */
function escapeProperty(name: string): string | undefined {
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(name)) return undefined;
  if (RESERVED.has(name)) return `__${name}__`;
  return name.replaceAll(/__|[./-]/g, (found) => ESCAPES.find(([text]) => text === found)?.[1] ?? found);
}

const ANY_STRING: SchemaNode = { ...EMPTY, type: 'string' };
const METADATA: SchemaNode = {
  ...EMPTY,
  type: 'object',
  properties: new Map([
    ['name', ANY_STRING],
    ['generateName', ANY_STRING],
  ]),
};

/** The fields that rules about a whole resource know besides those of its schema. */
const OF_RESOURCES = [
  ['apiVersion', ANY_STRING],
  ['kind', ANY_STRING],
  ['metadata', METADATA],
] as const;

/** A schema as rules see it: at the root, and where a resource is embedded, with apiVersion, kind and metadata. */
export function asResource(node: SchemaNode): SchemaNode {
  return { ...node, properties: new Map([...node.properties, ...OF_RESOURCES]), embedded: false };
}

/** The type of the values of a schema. */
export function celTypeOf(node: SchemaNode, name = 'object'): CelType {
  if (node.intOrString || node.anything) return DYN;
  switch (node.type) {
    case 'boolean':
      return BOOL;
    case 'integer':
      return INT;
    case 'number':
      return DOUBLE;
    case 'string':
      return stringType(node.format);
    case 'array':
      return listOf(node.items === undefined ? DYN : celTypeOf(node.items, `${name}.@idx`));
    case 'object':
      if (node.additional !== undefined) return mapOf(STRING, celTypeOf(node.additional, `${name}.@key`));
      return objectType(node.embedded ? asResource(node) : node, name);
    case 'null':
    case undefined:
      return DYN;
    default:
      return node.type satisfies never;
  }
}

function stringType(format: string | undefined): CelType {
  switch (format) {
    case 'byte':
      return BYTES;
    case 'date-time':
      return TIMESTAMP;
    case 'duration':
      return DURATION;
    default:
      return STRING;
  }
}

function objectType({ properties }: SchemaNode, name: string): CelType {
  const names = new Map<string, string>();
  for (const property of properties.keys()) {
    const escaped = escapeProperty(property);
    if (escaped !== undefined) names.set(escaped, property);
  }
  const known = new Map<string, CelType>();
  return {
    is: 'object',
    name,
    fields: {
      names: () => [...names.keys()],
      keyOf: (field) => names.get(field) ?? field,
      get: (field) => {
        const property = names.get(field);
        const node = property === undefined ? undefined : properties.get(property);
        if (node === undefined) return undefined;
        const type = known.get(field) ?? celTypeOf(node, `${name}.${field}`);
        known.set(field, type);
        return type;
      },
    },
  };
}

/** A character is one or two units of a text. */
const UNITS_OF_CHARACTER = 2;

/** How large the values of a schema are at most: by its own limits, else by those of every object. */
export function celSizeOf(node: SchemaNode): Size {
  if (node.intOrString || node.anything) return UNKNOWN_SIZE;
  switch (node.type) {
    case 'string':
      return { max: charactersOf(node) };
    case 'array': {
      const max = Math.min(node.maxItems ?? ITEMS_MAX, ITEMS_MAX);
      return { max, item: node.items === undefined ? UNKNOWN_SIZE : celSizeOf(node.items) };
    }
    case 'object':
      if (node.additional === undefined) return objectSize(node.embedded ? asResource(node) : node);
      return { max: Math.min(node.maxProperties ?? MEMBERS_MAX, MEMBERS_MAX), item: celSizeOf(node.additional) };
    case 'null':
    case undefined:
      return UNKNOWN_SIZE;
    default:
      return SMALL;
  }
}

function charactersOf({ maxLength, enum: allowed, format }: SchemaNode): number {
  if (allowed !== undefined) return Math.max(...allowed.map((value) => String(value).length));
  if (format === 'date-time' || format === 'date') return 64;
  return maxLength === undefined ? UNKNOWN_SIZE.max : Math.min(UNITS_OF_CHARACTER * maxLength, UNKNOWN_SIZE.max);
}

function objectSize({ properties }: SchemaNode): Size {
  const keys = new Map([...properties.keys()].map((name) => [escapeProperty(name), name]));
  return {
    max: properties.size,
    field: (name) => {
      const node = properties.get(keys.get(name) ?? name);
      return node === undefined ? UNKNOWN_SIZE : celSizeOf(node);
    },
  };
}
