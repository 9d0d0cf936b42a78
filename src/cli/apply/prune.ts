import type { NamespacedConnection } from '../api/connection.ts';
import { placeOf, type Deletion } from './delete.ts';
import { listObjects } from '../api/list-objects.ts';
import type { DeclaredObject } from '../objects/manifest-files.ts';
import { resourceTypes, type ResourceType } from '../api/resource-types.ts';

/** Resources that nobody declares in files, or that hold all others. */
const NEVER: ReadonlySet<string> = new Set(['namespaces', 'events', 'leases']);

/**
 * The objects with some labels that files do not have any more: of every kind that can be declared, in the namespaces of
 * the files, and those in none.
 */
export async function findUndeclared(
  target: NamespacedConnection,
  declared: readonly DeclaredObject[],
  { namespace, selector }: { readonly namespace: string; readonly selector: string },
): Promise<readonly Deletion[]> {
  const types = await resourceTypes(target);
  const places = declared.map(({ object }) => placeOf(object, types, namespace));
  const kept = new Set(places.map(keyOf));
  const namespaces = new Set(places.map((place) => place.namespace));
  const found: Deletion[] = [];
  for (const type of types.filter(isDeclared)) {
    // One request for a kind, however many namespaces there are.
    for (const { metadata } of await listObjects(target, type, undefined, selector)) {
      const one = { type, namespace: metadata.namespace ?? '', name: metadata.name };
      if ((one.namespace === '' || namespaces.has(one.namespace)) && !kept.has(keyOf(one))) found.push(one);
    }
  }
  return found;
}

function isDeclared({ plural, verbs }: ResourceType): boolean {
  return verbs.includes('create') && verbs.includes('delete') && !NEVER.has(plural);
}

function keyOf({ type, namespace, name }: Deletion): string {
  return `${type.group}/${type.plural}/${namespace}/${name}`;
}
