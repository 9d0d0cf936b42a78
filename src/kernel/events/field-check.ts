import { FORMATS } from '#kernel/resources/schema/formats.ts';
import { FIELD_LIMITS, type EventField, type ItemField } from './kinds/event-field.ts';

/** What is wrong with a value, as the end of a sentence that begins with its place; never cites the value itself. */
export type FieldCheck = (value: unknown) => string | undefined;

const isDateTime = FORMATS.get('date-time') ?? (() => false);

/** Compiles a declared field. */
export function fieldCheck(field: EventField): FieldCheck {
  const { type, items, maxItems = FIELD_LIMITS.itemsMax } = field;
  switch (type) {
    case 'array': {
      const check = items === undefined ? () => undefined : itemCheck(items);
      return (value) => {
        if (!Array.isArray(value)) return `must be an array, and is ${typeName(value)}`;
        if (value.length > maxItems) return `has ${value.length} items; at most ${maxItems} are allowed`;
        for (const [index, item] of value.entries()) {
          const fault = check(item);
          if (fault !== undefined) return `has an item that does not fit: [${index}] ${fault}`;
        }
        return undefined;
      };
    }
    case 'object':
      return (value) =>
        typeof value === 'object' && value !== null && !Array.isArray(value)
          ? undefined
          : `must be an object, and is ${typeName(value)}`;
    default:
      return itemCheck({ ...field, type });
  }
}

/** What is wrong with one value of a declared scalar. */
export function itemFault(item: ItemField, value: unknown): string | undefined {
  return itemCheck(item)(value);
}

function itemCheck(item: ItemField): FieldCheck {
  const { enum: allowed, minimum = -Infinity, maximum = Infinity, maxLength = FIELD_LIMITS.textCharsMax } = item;
  const ofType = typeCheck(item, minimum, maximum, maxLength);
  if (allowed === undefined) return ofType;
  const values = new Set(allowed);
  const oneOf = `must be one of ${allowed.map((value) => JSON.stringify(value)).join(', ')}`;
  return (value) => ofType(value) ?? (values.has(value) ? undefined : oneOf);
}

function typeCheck({ type }: ItemField, minimum: number, maximum: number, maxLength: number): FieldCheck {
  const bounds = (value: number): string | undefined => {
    if (value < minimum) return `must be at least ${minimum}`;
    return value > maximum ? `must be at most ${maximum}` : undefined;
  };
  switch (type) {
    case 'string':
      return (value) => {
        if (typeof value !== 'string') return `must be text, and is ${typeName(value)}`;
        return value.length > maxLength
          ? `has ${value.length} characters; at most ${maxLength} are allowed`
          : undefined;
      };
    case 'timestamp':
      return (value) =>
        typeof value === 'string' && isDateTime(value)
          ? undefined
          : 'must be a time as in RFC 3339, like 2026-05-01T12:00:00Z';
    case 'integer':
      return (value) =>
        typeof value === 'number' && Number.isSafeInteger(value)
          ? bounds(value)
          : `must be a whole number, and is ${typeName(value)}`;
    case 'number':
      return (value) => (typeof value === 'number' ? bounds(value) : `must be a number, and is ${typeName(value)}`);
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? undefined : `must be true or false, and is ${typeName(value)}`);
    default:
      return type satisfies never;
  }
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return Number.isInteger(value) ? 'a whole number out of range' : 'a fraction';
    case 'boolean':
      return 'true or false';
    case 'object':
      return 'an object';
    default:
      return 'absent';
  }
}
