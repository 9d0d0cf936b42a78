import type { Problem } from '#kernel/base/failures.ts';
import type { AttributeDeclaration, AttributeTable, AttributeType } from './language/attributes.ts';
import type { Context } from './language/language.ts';
import { declaredReader, plainValue } from './language/values.ts';

const SHOWN_CHARS_MAX = 80;

const RIGHT: Record<AttributeType, string> = {
  string: 'a text',
  number: 'a finite number',
  boolean: 'true or false',
  semver: 'a version like "9.1.0"',
  timestamp: 'an instant like "2026-12-01T00:00:00Z" or epoch milliseconds',
  ip: 'an IP address like "192.0.2.1" or "2001:db8::1"',
};

/** A value of the wrong type. */
export interface ContextProblem extends Problem {
  readonly attribute: string;
}

/**
 * Problems of a context: declared attributes with a value of the wrong type. Paths start at the context. Undeclared
 * attributes are ignored, and so are values outside the declared list: an app that is ahead of its declarations
 * continues to work. Values of `sensitive` attributes are not shown.
 */
export function contextProblems(context: Context, attributes: AttributeTable): readonly ContextProblem[] {
  let problems: ContextProblem[] | undefined;
  for (const attribute of attributes.all) {
    const value = readOf(attribute)(context);
    if (value === undefined || value === null || isRight(value, attribute)) continue;
    problems ??= [];
    problems.push(problem(context, attribute, value));
  }
  return problems ?? NONE;
}

const NONE: readonly ContextProblem[] = [];
const readers = new WeakMap<AttributeDeclaration, (context: Context) => unknown>();

function readOf(attribute: AttributeDeclaration): (context: Context) => unknown {
  let reader = readers.get(attribute);
  if (reader === undefined) {
    reader = declaredReader(attribute);
    readers.set(attribute, reader);
  }
  return reader;
}

function isRight(value: unknown, { type, multiValued }: AttributeDeclaration): boolean {
  if (multiValued && Array.isArray(value)) return value.every((one) => plainValue(type, one) !== undefined);
  return plainValue(type, value) !== undefined;
}

function problem(context: Context, attribute: AttributeDeclaration, value: unknown): ContextProblem {
  const { name, type, multiValued, loose, sensitive } = attribute;
  const shown = sensitive === true ? 'The value' : shownOf(value);
  const came = shown.length > SHOWN_CHARS_MAX ? `${shown.slice(0, SHOWN_CHARS_MAX)}…` : shown;
  const one = loose === true ? 'a text, a number up to 2^53 (beyond, send a text), true or false' : RIGHT[type];
  const right = multiValued ? `${one}, or a list of such` : one;
  return {
    attribute: name,
    path: Object.hasOwn(context, name) ? [name] : name.split('.'),
    reason: 'FieldValueTypeInvalid',
    detail: `${came} is not ${right}, as "${name}" needs`,
  };
}

function shownOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    // It is circular, or holds values that JSON lacks.
    return `this ${typeof value}`;
  }
}
