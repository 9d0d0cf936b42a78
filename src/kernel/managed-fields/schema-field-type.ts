import type { Kind } from '#kernel/kinds/kind.ts';
import type { SchemaNode } from '#kernel/kinds/schema/schema-node.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { ANY, LEAF, type FieldType } from './field-type.ts';

/** The type of whole objects of a kind. Made once for each kind. */
export function fieldTypeOfKind(kind: Kind): FieldType {
  let type = BY_KIND.get(kind);
  if (type === undefined) {
    type = fieldTypeOf(structureOf(kind).structure);
    BY_KIND.set(kind, type);
  }
  return type;
}

const BY_KIND = new WeakMap<Kind, FieldType>();

/** The parts that the values of a schema have, as Kubernetes sees them: lists are atomic unless the schema says otherwise. */
export function fieldTypeOf(node: SchemaNode): FieldType {
  const { type, properties, additional, items, nullable, listType, mapType } = node;
  if (node.anything) return ANY;
  if (type === 'array' || items !== undefined) {
    if (items === undefined || (listType !== 'map' && listType !== 'set')) return LEAF;
    if (listType === 'set') return { form: 'list', keys: [], items: LEAF, nullable };
    const keys = node.listMapKeys.map((name) => ({ name, initial: items.properties.get(name)?.default }));
    return { form: 'list', keys, items: fieldTypeOf(items), nullable };
  }
  const hasFields = properties.size > 0 || additional !== undefined;
  if (mapType === 'atomic' || (type !== 'object' && !hasFields)) return LEAF;
  if (!hasFields && node.preserve) return ANY;
  const others = additional === undefined ? (node.preserve ? ANY : undefined) : fieldTypeOf(additional);
  return {
    form: 'map',
    fields: new Map([...properties].map(([name, property]) => [name, fieldTypeOf(property)])),
    nullable,
    ...(others === undefined ? {} : { others }),
  };
}
