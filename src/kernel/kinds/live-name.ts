import type { Kind } from './kind.ts';

/** Description of a field that holds a live name. */
export const LIVE_NAME_DESCRIPTION =
  'Its name; NAMESPACE/NAME where names of its kind are unique in a namespace alone.';

/** Occurs in no name of an object, so that the two forms differ. */
const SEPARATOR = '/';

/**
 * The name of an object among the live ones of its kind: `NAME`, or `NAMESPACE/NAME` where names are unique in a namespace.
 */
export function liveName({ names }: Pick<Kind, 'names'>, namespace: string, name: string): string {
  // Joined: a sum keeps its parts, 48 bytes more for each name that stays.
  return names === 'namespace' ? [namespace, name].join(SEPARATOR) : name;
}

/** The live name of a declared object. */
export function liveNameOf(object: {
  readonly kind: Pick<Kind, 'names'>;
  readonly namespace: string;
  readonly name: string;
}): string {
  return liveName(object.kind, object.namespace, object.name);
}

/** The parts of a live name: the name of the object, and its namespace where names are unique only in the namespace. */
export function readLiveName(
  { names }: Pick<Kind, 'names'>,
  live: string,
): { readonly namespace?: string; readonly name: string } {
  if (names !== 'namespace') return { name: live };
  const end = live.indexOf(SEPARATOR);
  return { namespace: live.slice(0, Math.max(0, end)), name: live.slice(end + 1) };
}

/** Resolves a reference of an object in a namespace to a live name: `NAMESPACE/NAME` as it is, `NAME` in that namespace. */
export function referredFrom(namespace: string, reference: string): string {
  return reference.includes(SEPARATOR) ? reference : namespace + SEPARATOR + reference;
}
