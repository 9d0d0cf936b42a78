import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { At } from './contract.ts';

/** Where an object is, in the words of the store. Refuses a namespaced one without a namespace. */
export function placeOf(kind: Kind, { namespace, name }: Partial<At>): { namespace: string; name: string } {
  if (!kind.namespaced) return { namespace: '', name: name ?? '' };
  if (namespace !== undefined && namespace !== '') return { namespace, name: name ?? '' };
  throw resourceRefusal('no-namespace', `${kind.kind} "${name ?? ''}" names no namespace.`);
}
