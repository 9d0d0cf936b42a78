import { isDeepStrictEqual } from 'node:util';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import { REFERENCES, referenceKey } from '#kernel/kinds/index-keys.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import { findEntries } from '#kernel/store/find-entry.ts';
import type { Entry, Reader } from '#kernel/store/contract.ts';
import { resourceName } from '#kernel/store/rules/write.ts';

type ObjectName = Pick<Entry, 'kind' | 'namespace' | 'name'>;

/** The rights of the author of a write to an object. */
interface May {
  readonly do: (verb: 'get' | 'update', object: Entry) => boolean;
  /** Needs only the name of the object. */
  readonly refer: (object: ObjectName) => boolean;
}

interface ObjectWrite {
  readonly kind: Kind;
  readonly object: ResourceObject;
  readonly current: Entry | undefined;
  readonly read: Reader;
}

/**
 * Refuses a reference to an object of another namespace unless the author may `refer` to it there: a reference changes
 * the business of that namespace. A name with a namespace is checked before the object exists. Other names refer to no
 * object until it is created: its creator must be allowed to update the objects that refer to it.
 */
export function requireMayRefer({ kind, object, current, read }: ObjectWrite, kinds: KindRegistry, may: May): void {
  const { namespace = '', name } = object.metadata;
  if (current === undefined || !isDeepStrictEqual(current.object().spec, object.spec)) {
    for (const ref of kind.refs?.(object.spec, namespace) ?? []) {
      const target = kinds.byId(ref.kind);
      const found = findEntries(read, target, ref.name);
      // Every user has to refer to some.
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
        `${resourceName(kind)} "${name}" is forbidden: ${resourceName(referring)} of another namespace already refer to this name`,
      );
    }
  }
}

/** Whether an object acts outside of its namespace, because of its spec. */
export function reachesEverywhere({ actsEverywhere }: Kind, object: ResourceObject | undefined): boolean {
  return object !== undefined && typeof actsEverywhere === 'function' && actsEverywhere(object.spec);
}

/** @param isNamed whether the refusal may name the namespace */
function mayNotRefer({ kind, namespace, name }: ObjectName, isNamed: boolean): Refusal {
  const where = isNamed ? `namespace "${namespace}"` : 'another namespace';
  return accessRefusal(
    'may-not-refer',
    `${resourceName(kind)} "${name}" is forbidden: it belongs to ${where}, and you may not refer to it`,
    { remedy: `Its owners grant the verb "refer" on ${resourceName(kind)} in their namespace, as the role edit does.` },
  );
}
