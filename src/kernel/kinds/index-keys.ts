import type { Kind } from './kind.ts';

/** Sorts below every character of a namespace, so that `a` and its objects come before `a-b`. */
export const SEPARATOR = '\0';
/** The index of every kind that refers to others: by the `referenceKey` of the targets of its references. */
export const REFERENCES = 'references';
/** The index of kinds with a limit in each namespace. */
export const NAMESPACE = 'namespace';
const NONE: readonly never[] = [];

export function referenceKey(kindId: string, name: string): string {
  return `${kindId} ${name}`;
}

/** The key of a value in an index of a kind. */
export function indexKey(index: string, value: string): string {
  // Joined: a sum keeps its parts, and entries keep their keys.
  return [index, value].join(SEPARATOR);
}

/**
 * One `indexKey` for each value of an object in each index, references included; names have an index of their own.
 *
 * @param object its namespace and its live name
 * @param specOf gives its spec; called only where the kind has an index
 * @param specText the same as JSON, where that is at hand
 */
export function indexKeysOf(
  { indexes, refs, isAlone, inNamespaceMax }: Kind,
  object: { readonly namespace: string; readonly name: string },
  specOf: () => unknown,
  specText?: string,
): readonly string[] {
  if (indexes === undefined && refs === undefined && inNamespaceMax === undefined) return NONE;
  if (specText !== undefined && isAlone?.(specText) === true) return NONE;
  const spec = specOf();
  const keys: string[] = [];
  if (inNamespaceMax !== undefined) keys.push(indexKey(NAMESPACE, object.namespace));
  for (const index in indexes) {
    for (const value of indexes[index]?.(spec, object.name) ?? NONE) keys.push(indexKey(index, value));
  }
  for (const ref of refs?.(spec, object.namespace) ?? NONE)
    keys.push(indexKey(REFERENCES, referenceKey(ref.kind, ref.name)));
  return keys.length === 0 ? NONE : withoutRepeats(keys);
}

/** A start makes a million short lists: they get no Set. */
function withoutRepeats(keys: readonly string[]): readonly string[] {
  if (keys.length > SHORT_MAX) return [...new Set(keys)];
  return keys.every((key, index) => keys.indexOf(key) === index) ? keys : [...new Set(keys)];
}

const SHORT_MAX = 8;
