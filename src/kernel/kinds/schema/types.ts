import type { SchemaNode } from './schema-node.ts';

/** Whether a value is of the type that a schema names. True when it names none. */
export function typeTest(node: SchemaNode): (value: unknown) => boolean {
  const accepts = notNullTest(node);
  return node.nullable ? (value) => value === null || accepts(value) : accepts;
}

function notNullTest(node: SchemaNode): (value: unknown) => boolean {
  if (node.intOrString) return (value) => typeof value === 'string' || Number.isInteger(value);
  const { type } = node;
  switch (type) {
    case undefined:
      return () => true;
    case 'object':
      return (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'array':
      return (value) => Array.isArray(value);
    case 'integer':
      return (value) => Number.isInteger(value);
    case 'number':
      return (value) => typeof value === 'number' && Number.isFinite(value);
    case 'null':
      return (value) => value === null;
    case 'string':
      return (value) => typeof value === 'string';
    case 'boolean':
      return (value) => typeof value === 'boolean';
    default:
      return type satisfies never;
  }
}

export function wantedType(node: SchemaNode): string {
  return node.intOrString ? 'integer,string' : (node.type ?? 'any');
}

/** The JSON type of a value, as messages name it. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}
