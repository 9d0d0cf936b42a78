import { isDeepStrictEqual } from 'node:util';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import { REFERENCES, referenceKey } from '#kernel/kinds/index-keys.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import { entriesNamed } from '#kernel/store/entry-named.ts';
import type { Entry, Reader } from '#kernel/store/contract.ts';
import { resourceName } from '#kernel/store/rules/write.ts';

/** Whether the author of a write may do something with an object. */
type May = (verb: string, object: Entry) => boolean;

interface Written {
  readonly kind: Kind;
  readonly object: ResourceObject;
  readonly current: Entry | undefined;
  readonly read: Reader;
}

/**
 * Refuses a reference to an object of another namespace to whom may not `refer` to it there: it changes what that
 * namespace owns. Names are references before there is such an object, so whoever makes one that objects of other
 * namespaces refer to already must be allowed to change those.
 */
export function requireMayRefer({ kind, object, current, read }: Written, kinds: KindRegistry, may: May): void {
  const { namespace = '', name } = object.metadata;
  if (current === undefined || !isDeepStrictEqual(current.object().spec, object.spec)) {
    for (const ref of kind.refs?.(object.spec, namespace) ?? []) {
      const target = kinds.byId(ref.kind);
      for (const owned of entriesNamed(read, target, ref.name)) {
        if (owned.namespace === '' || owned.namespace === namespace) continue;
        // Everybody has to.
        if (reachesEverywhere(target, owned.object())) continue;
        if (!may('refer', owned)) throw mayNotRefer(owned, may);
      }
    }
  }
  if (current !== undefined || !kind.released) return;
  for (const referring of kinds.all) {
    if (referring.refs === undefined) continue;
    for (const entry of read.find(referring, REFERENCES, referenceKey(kind.id, liveName(kind, namespace, name)))) {
      if (entry.namespace === namespace || may('update', entry)) continue;
      throw accessRefusal(
        'referred-to',
        `${resourceName(kind)} "${name}" is forbidden: ${resourceName(referring)} of another namespace refer to this name already`,
      );
    }
  }
}

/** Whether an object acts on what is not of its namespace, because of its spec. */
export function reachesEverywhere({ actsEverywhere }: Kind, object: ResourceObject | undefined): boolean {
  return object !== undefined && typeof actsEverywhere === 'function' && actsEverywhere(object.spec);
}

/** Tells where the object is only to whom may read it. */
function mayNotRefer(owned: Entry, may: May): Refusal {
  const { kind, namespace, name } = owned;
  const where = may('get', owned) ? `namespace "${namespace}"` : 'another namespace';
  return accessRefusal(
    'may-not-refer',
    `${resourceName(kind)} "${name}" is forbidden: it is of ${where}, and you may not refer to it`,
    { remedy: `Its owners grant the verb "refer" on ${resourceName(kind)} in their namespace, as the role edit does.` },
  );
}
