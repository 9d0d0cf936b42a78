import type { Path, Problem } from '#kernel/base/failures.ts';

/** As Kubernetes: all values of one ConfigMap or Secret together, in bytes. */
const DATA_BYTES_MAX = 1024 * 1024;

const KEY = /^[-._a-zA-Z0-9]{1,253}$/;

/** Problems of the keys of a map of named values, which can become file names. */
export function keyProblems(field: string, data: Readonly<Record<string, unknown>>): Problem[] {
  return Object.keys(data)
    .filter((key) => !KEY.test(key) || key === '.' || key.startsWith('..'))
    .map((key) => ({
      path: [field, key],
      reason: 'FieldValueInvalid',
      detail: `Invalid value: ${JSON.stringify(key)}: a valid config key must consist of at most 253 alphanumeric characters, '-', '_' or '.', and may be neither '.' nor begin with '..'`,
    }));
}

/** The problem of values that together are too large. */
export function sizeProblems(path: Path, bytes: number): Problem[] {
  if (bytes <= DATA_BYTES_MAX) return [];
  return [{ path, reason: 'FieldValueTooLong', detail: `Too long: must have at most ${DATA_BYTES_MAX} bytes` }];
}
