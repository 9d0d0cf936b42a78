import type { Kind } from '#kernel/kinds/kind.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import type { Entry, Reader } from './contract.ts';

/** The objects that are declared under a live name: of a released kind one at most. */
export function findEntries(read: Pick<Reader, 'get' | 'find'>, kind: Kind, live: string): readonly Entry[] {
  const { namespace, name } = readLiveName(kind, live);
  if (namespace === undefined) return read.find(kind, 'name', name);
  const found = read.get(kind, namespace, name);
  return found === undefined ? [] : [found];
}

/** The object of a released kind that is declared under a live name. */
export function findEntry(read: Pick<Reader, 'get' | 'find'>, kind: Kind, live: string): Entry | undefined {
  return findEntries(read, kind, live)[0];
}
