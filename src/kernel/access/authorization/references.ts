import { isDeepStrictEqual } from 'node:util';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import { REFERENCES, referenceKey } from '#kernel/kinds/index-keys.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import { entriesNamed } from '#kernel/store/entry-named.ts';
import type { Entry, Reader } from '#kernel/store/contract.ts';
import { resourceName } from '#kernel/store/rules/write.ts';

type Named = Pick<Entry, 'kind' | 'namespace' | 'name'>;

/** Whether the author of a write may do something with an object. */
interface May {
  readonly do: (verb: 'get' | 'update', object: Entry) => boolean;
  /** Needs no more of it than its name. */
  readonly refer: (object: Named) => boolean;
}

interface Written {
  readonly kind: Kind;
  readonly object: ResourceObject;
  readonly current: Entry | undefined;
  readonly read: Reader;
}

/**
 * Refuses a reference to an object of another namespace to whom may not `refer` to it there: it changes what that
 * namespace owns. Where the name says the namespace, that is asked before there is such an object. Other names are
 * references to nobody's object until somebody makes one: who does must be allowed to change what refers to it.
 */
export function requireMayRefer({ kind, object, current, read }: Written, kinds: KindRegistry, may: May): void {
  const { namespace = '', name } = object.metadata;
  if (current === undefined || !isDeepStrictEqual(current.object().spec, object.spec)) {
    for (const ref of kind.refs?.(object.spec, namespace) ?? []) {
      const target = kinds.byId(ref.kind);
      const found = entriesNamed(read, target, ref.name);
      // Everybody has to refer to some.
      const owned = found.filter((entry) => !reachesEverywhere(target, entry.object()));
      for (const entry of owned) {
        if (entry.namespace === '' || entry.namespace === namespace || may.refer(entry)) continue;
        throw mayNotRefer(entry, target.names === 'namespace' || may.do('get', entry));
      }
      if (target.names !== 'namespace' || found.length > 0) continue;
      const absent = { kind: target, namespace: '', ...readLiveName(target, ref.name) };
      if (absent.namespace !== namespace && !may.refer(absent)) throw mayNotRefer(absent, true);
    }
  }
  if (current !== undefined || !kind.released || kind.names === 'namespace') return;
  for (const referring of kinds.all) {
    if (referring.refs === undefined) continue;
    for (const entry of read.find(referring, REFERENCES, referenceKey(kind.id, name))) {
      if (entry.namespace === namespace || may.do('update', entry)) continue;
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

/** @param isSaid whether to tell where it is */
function mayNotRefer({ kind, namespace, name }: Named, isSaid: boolean): Refusal {
  const where = isSaid ? `namespace "${namespace}"` : 'another namespace';
  return accessRefusal(
    'may-not-refer',
    `${resourceName(kind)} "${name}" is forbidden: it is of ${where}, and you may not refer to it`,
    { remedy: `Its owners grant the verb "refer" on ${resourceName(kind)} in their namespace, as the role edit does.` },
  );
}
