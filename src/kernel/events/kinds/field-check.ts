import { FORMATS } from '#kernel/kinds/schema/formats.ts';
import { FIELD_LIMITS, type EventField, type ItemField } from './event-field.ts';

/** Gives the fault of a value, as the end of a sentence that begins with its place. It never cites the value. */
export type FieldCheck = (value: unknown) => string | undefined;

const isDateTime = FORMATS.get('date-time') ?? (() => false);

/** Compiles the check of a declared field. */
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
          ? freeFault(value)
          : `must be an object, and is ${typeName(value)}`;
    default:
      return itemCheck({ ...field, type });
  }
}

/** The fault of one value of a declared scalar. */
export function itemFault(item: ItemField, value: unknown): string | undefined {
  return itemCheck(item)(value);
}

/** The fault of an undeclared value. */
export function freeFault(value: unknown): string | undefined {
  return holdsInfinity(value) ? 'holds a number that no table can hold: it is too large' : undefined;
}

/** Whether a value holds a number that is too large for a double: JSON.parse reads it as Infinity. */
function holdsInfinity(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return false;
  return (Array.isArray(value) ? value : Object.values(value)).some(holdsInfinity);
}

function itemCheck(item: ItemField): FieldCheck {
  const { enum: allowed, minimum = -Infinity, maximum = Infinity, maxLength = FIELD_LIMITS.textCharsMax } = item;
  const ofType = typeCheck(item, minimum, maximum, maxLength);
  if (allowed === undefined) return ofType;
  const values = new Set(allowed);
  const oneOf = `must be one of ${allowed.map((value) => JSON.stringify(value)).join(', ')}`;
  return (value) => ofType(value) ?? (values.has(value) ? undefined : oneOf);
}

function typeCheck({ type, scale = 0 }: ItemField, minimum: number, maximum: number, maxLength: number): FieldCheck {
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
          : `must be a whole number, and is ${typeof value === 'number' && Number.isInteger(value) ? 'out of range' : typeName(value)}`;
    case 'number':
      return (value) => {
        if (typeof value !== 'number') return `must be a number, and is ${typeName(value)}`;
        return freeFault(value) ?? bounds(value);
      };
    case 'decimal':
      return (value) => {
        const [, fraction] = decimalParts(value) ?? [];
        if (fraction === undefined) {
          return `must be a decimal as text, like "4.99", of at most ${FIELD_LIMITS.decimalWholeDigitsMax} digits before the point, or a number of at most ${EXACT_DIGITS} digits; it is ${typeName(value)}`;
        }
        if (fraction.length > scale)
          return `has ${fraction.length} digits after the point; at most ${scale} are allowed`;
        return bounds(Number(value));
      };
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? undefined : `must be true or false, and is ${typeName(value)}`);
    default:
      return type satisfies never;
  }
}

/** Decimal digits that a double keeps exactly. */
const EXACT_DIGITS = 15;
const DECIMAL = new RegExp(
  `^-?(\\d{1,${FIELD_LIMITS.decimalWholeDigitsMax}})(?:\\.(\\d{1,${FIELD_LIMITS.scaleMax}}))?$`,
);

/** The digits before and after the point; undefined where a double does not keep them exactly. */
function decimalParts(value: unknown): readonly [whole: string, fraction: string] | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const [match, whole = '', fraction = ''] = DECIMAL.exec(String(value)) ?? [];
  if (match === undefined) return undefined;
  return typeof value === 'number' && whole.length + fraction.length > EXACT_DIGITS ? undefined : [whole, fraction];
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return Number.isInteger(value) ? 'a whole number' : 'a fraction';
    case 'boolean':
      return 'true or false';
    case 'object':
      return 'an object';
    default:
      return 'absent';
  }
}
