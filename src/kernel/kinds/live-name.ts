import type { Kind } from './kind.ts';

/** Of a field with a live name. */
export const LIVE_NAME_DESCRIPTION =
  'Its name; NAMESPACE/NAME where names of its kind are unique in a namespace alone.';

/** Stands in no name of an object, and so tells the two forms apart. */
const SEPARATOR = '/';

/**
 * The name of an object among the live ones of its kind: `NAME`, or `NAMESPACE/NAME` where names are unique in a namespace.
 */
export function liveName({ names }: Pick<Kind, 'names'>, namespace: string, name: string): string {
  return names === 'namespace' ? namespace + SEPARATOR + name : name;
}

/** The live name of an object that is declared. */
export function liveNameOf(object: {
  readonly kind: Pick<Kind, 'names'>;
  readonly namespace: string;
  readonly name: string;
}): string {
  return liveName(object.kind, object.namespace, object.name);
}

/** What a live name says: the name of the object, and its namespace where the names of the kind are unique in that alone. */
export function readLiveName(
  { names }: Pick<Kind, 'names'>,
  live: string,
): { readonly namespace?: string; readonly name: string } {
  if (names !== 'namespace') return { name: live };
  const end = live.indexOf(SEPARATOR);
  return { namespace: live.slice(0, Math.max(0, end)), name: live.slice(end + 1) };
}

/** The live name that an object of a namespace refers to: `NAMESPACE/NAME` as it is, `NAME` in its own namespace. */
export function referredFrom(namespace: string, reference: string): string {
  return reference.includes(SEPARATOR) ? reference : namespace + SEPARATOR + reference;
}
