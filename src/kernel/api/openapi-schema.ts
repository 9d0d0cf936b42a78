import { withAlternatives } from '#kernel/kinds/schema/lift.ts';
import type { SchemaNode } from '#kernel/kinds/schema/schema-node.ts';

/** A schema as OpenAPI 3.0 and kubectl read it: fields of all alternatives in one place, no keyword of later drafts. */
export function openApiSchema(node: SchemaNode): Record<string, unknown> {
  return publish(withAlternatives(node));
}

function publish(node: SchemaNode): Record<string, unknown> {
  const { description, nullable, anything, embedded, preserve } = node;
  const words = { ...(description !== undefined && { description }) };
  if (anything) return { ...words, 'x-kubernetes-preserve-unknown-fields': true };
  return {
    ...words,
    ...(node.type !== undefined && node.type !== 'null' && { type: node.type }),
    ...(nullable && { nullable: true }),
    ...structure(node),
    ...rules(node),
    ...alternatives(node),
    ...(embedded && { 'x-kubernetes-embedded-resource': true }),
    ...(preserve && { 'x-kubernetes-preserve-unknown-fields': true }),
    ...(node.default !== undefined && { default: node.default }),
    ...(node.validations !== undefined && { 'x-kubernetes-validations': node.validations }),
  };
}

function structure(node: SchemaNode): object {
  const { properties, additional, items, listType, listMapKeys, mapType } = node;
  // A field with a default need not be given.
  const required = node.required.filter((name) => properties.get(name)?.default === undefined);
  return {
    ...(required.length > 0 && { required }),
    ...(properties.size > 0 && {
      properties: Object.fromEntries([...properties].map(([name, property]) => [name, publish(property)])),
    }),
    ...(additional && { additionalProperties: publish(additional) }),
    ...(items && { items: publish(items) }),
    ...(listType !== undefined && { 'x-kubernetes-list-type': listType }),
    ...(listMapKeys.length > 0 && { 'x-kubernetes-list-map-keys': listMapKeys }),
    ...(mapType !== undefined && { 'x-kubernetes-map-type': mapType }),
  };
}

const RULES = [
  'enum',
  'pattern',
  'format',
  'multipleOf',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
] as const;

function rules(node: SchemaNode): object {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, uniqueItems } = node;
  return {
    ...Object.fromEntries(RULES.filter((rule) => node[rule] !== undefined).map((rule) => [rule, node[rule]])),
    ...(uniqueItems && { uniqueItems }),
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
    // OpenAPI 3.0 knows an exclusive bound only as a property of the bound.
    ...(exclusiveMinimum !== undefined && { minimum: exclusiveMinimum, exclusiveMinimum: true }),
    ...(exclusiveMaximum !== undefined && { maximum: exclusiveMaximum, exclusiveMaximum: true }),
  };
}

function alternatives(node: SchemaNode): object {
  if (node.intOrString) {
    return { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] };
  }
  const { allOf, anyOf, oneOf, not } = node;
  return {
    ...(allOf.length > 0 && { allOf: allOf.map(publish) }),
    ...(anyOf.length > 0 && { anyOf: anyOf.map(publish) }),
    ...(oneOf.length > 0 && { oneOf: oneOf.map(publish) }),
    ...(not && { not: publish(not) }),
  };
}
