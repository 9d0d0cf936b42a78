import { fieldPath, type Path, type Problem } from '#kernel/base/failures.ts';

/**
 * Problems in the words of kube-apiserver, so that people and tools recognize them. The detail is the body of a Kubernetes
 * error: kind of error, value, explanation.
 */

/** Most characters of a value in a message. */
const shownValueCharsMax = 300;

function shownValue(value: unknown): string {
  const text = value === undefined ? 'null' : JSON.stringify(value);
  return text.length <= shownValueCharsMax ? text : `${text.slice(0, shownValueCharsMax)}…`;
}

/** How messages about a schema name the place: `spec.amount in body`. */
function inBody(path: Path): string {
  return `${fieldPath(path)} in body`.trimStart();
}

export function requiredProblem(path: Path, explanation?: string): Problem {
  const detail = explanation === undefined ? 'Required value' : `Required value: ${explanation}`;
  return { path, reason: 'FieldValueRequired', detail };
}

export function invalid(path: Path, value: unknown, explanation: string): Problem {
  return { path, reason: 'FieldValueInvalid', detail: `Invalid value: ${shownValue(value)}: ${explanation}` };
}

/** Like `invalid`, with an explanation in the form of schema validation: `spec.amount in body should be …`. */
export function invalidInBody(path: Path, value: unknown, rule: string): Problem {
  return invalid(path, value, `${inBody(path)} ${rule}`);
}

/** A value of a wrong type or format. `actual` is the name of its type, or the value that misses the format. */
export function typeInvalid(path: Path, wanted: string, actual: string): Problem {
  const shown = shownValue(actual);
  return {
    path,
    reason: 'FieldValueTypeInvalid',
    detail: `Invalid value: ${shown}: ${inBody(path)} must be of type ${wanted}: ${shown}`,
  };
}

export function notSupportedProblem(path: Path, value: unknown, supported: readonly unknown[]): Problem {
  const list = supported.map((item) => (typeof item === 'string' ? JSON.stringify(item) : `"${JSON.stringify(item)}"`));
  return {
    path,
    reason: 'FieldValueNotSupported',
    detail: `Unsupported value: ${shownValue(value)}: supported values: ${list.join(', ')}`,
  };
}

export function duplicate(path: Path, value: unknown): Problem {
  return { path, reason: 'FieldValueDuplicate', detail: `Duplicate value: ${shownValue(value)}` };
}

export function forbiddenProblem(path: Path, explanation: string): Problem {
  return { path, reason: 'FieldValueForbidden', detail: `Forbidden: ${explanation}` };
}

export function tooLong(path: Path, explanation: string): Problem {
  return { path, reason: 'FieldValueTooLong', detail: `Too long: ${explanation}` };
}

export function tooMany(path: Path, actual: number, max: number): Problem {
  return {
    path,
    reason: 'FieldValueTooMany',
    detail: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  };
}
