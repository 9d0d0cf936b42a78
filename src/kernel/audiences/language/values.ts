import parseVersion from 'semver/functions/parse.js';
import type { AttributeDeclaration, AttributeType } from './attributes.ts';
import { epochMs } from './instant.ts';
import { parseAddress } from './ip.ts';
import type { Context } from './language.ts';

/** A value in canonical form: equal values of its type are equal. */
export type Plain = string | number | boolean;

/** The plain form of a value, or undefined when it is not of the type. */
export function plainValue(type: AttributeType, value: unknown): Plain | undefined {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'semver':
      return typeof value === 'string' ? parseVersion(value)?.version : undefined;
    case 'timestamp':
      return epochMs(value);
    case 'ip': {
      const address = typeof value === 'string' ? parseAddress(value) : undefined;
      return address === undefined ? undefined : `${address.family}/${address.words.join('/')}`;
    }
    default:
      return type satisfies never;
  }
}

/**
 * Reads a declared attribute of a context: of a loose one, numbers and true/false are their text. A number beyond 2^53
 * is rounded already, so its text is not known, and it stays a number.
 */
export function declaredReader({ name, loose = false }: AttributeDeclaration): (context: Context) => unknown {
  const read = attributeReader(name);
  if (!loose) return read;
  const asText = (value: unknown) => (isExact(value) ? String(value) : value);
  return (context) => {
    const value = read(context);
    return Array.isArray(value) ? value.map(asText) : asText(value);
  };
}

/** True when a value that is no text has exactly one text. */
function isExact(value: unknown): boolean {
  if (typeof value !== 'number') return typeof value === 'boolean' || typeof value === 'bigint';
  return Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value));
}

/**
 * Reads one attribute of a context as it is. A name with dots is first looked up whole, then as a path into nested
 * objects. Properties inherited from Object are absent.
 */
export function attributeReader(name: string): (context: Context) => unknown {
  if (!name.includes('.')) {
    return name in Object.prototype
      ? (context) => (Object.hasOwn(context, name) ? context[name] : undefined)
      : (context) => context[name];
  }
  const steps = name.split('.');
  return (context) => {
    if (Object.hasOwn(context, name)) return context[name];
    let value: unknown = context;
    for (const step of steps) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
      value = (value as Context)[step];
    }
    return value;
  };
}
