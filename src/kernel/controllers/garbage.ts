import { FOREGROUND, ORPHAN } from '#kernel/store/rules/deletion.ts';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import { itemsOf } from '#kernel/api/client/pages.ts';
import type { Kind, OwnerReference, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Propagation } from '#kernel/store/rules/operation.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Watch } from './controller.ts';
import type { Informer, ObjectChange } from './informer.ts';
import { objectKey, parseObjectKey } from './object-key.ts';
import type { RecordEvent } from './record-event.ts';

/** How an owner stands to one that it owns: `goesLast` waits for those it owns to go first. */
type OwnerState = 'present' | 'absent' | 'goesLast';

/** Kinds whose objects own and are owned. */
export function isCollected(kind: Kind): boolean {
  return (
    kind.id !== 'Event' && (['list', 'watch', 'delete', 'patch'] as const).every((verb) => kind.verbs.includes(verb))
  );
}

/**
 * Deletes objects whose owners are all gone, and does what the finalizers `foregroundDeletion` and `orphan` ask for, as
 * Kubernetes' garbage collector does. Caches say what to look at; what is done follows from what the server says then.
 */
export function garbageCollector(options: {
  readonly client: ResourceClient;
  readonly kinds: KindRegistry;
  /** Of all kinds that are collected; what they keep of an object is its metadata. */
  readonly informers: readonly Informer[];
  readonly recordEvent: RecordEvent;
}): { readonly watches: readonly Watch[]; readonly reconcile: (key: string) => Promise<void> } {
  const { client, kinds, informers, recordEvent } = options;
  return {
    watches: informers.map((informer) => ({ informer, keys: (observed) => keysOf(informer, observed) })),
    reconcile,
  };

  function dependentsOf(uid: string): readonly { readonly kind: Kind; readonly object: ResourceObject }[] {
    return informers.flatMap(({ kind, ownedBy }) => ownedBy(uid).map((object) => ({ kind, object })));
  }

  function* keysOf({ kind }: Informer, { before, now }: ObjectChange): Iterable<string> {
    if (now !== undefined && (ownersOf(now).length > 0 || hasFinalizer(now, FOREGROUND, ORPHAN))) {
      yield objectKey(kind, now);
    }
    // Who is owned goes because the owner went, or because the owner waits for it.
    if (before !== undefined && (now === undefined || hasFinalizer(now, FOREGROUND))) {
      for (const dependent of dependentsOf(before.metadata.uid ?? '')) {
        yield objectKey(dependent.kind, dependent.object);
      }
    }
    // And an owner that waits may have waited for this.
    for (const { uid } of before === undefined ? [] : ownersOf(before)) {
      for (const informer of informers) {
        const owner = informer.withUid(uid);
        if (owner !== undefined && hasFinalizer(owner, FOREGROUND)) yield objectKey(informer.kind, owner);
      }
    }
  }

  async function reconcile(key: string): Promise<void> {
    const { kindId, namespace, name } = parseObjectKey(key);
    const kind = kinds.isKnown(kindId) ? kinds.byId(kindId) : undefined;
    const object = kind && (await client.get(kind, { namespace, name }));
    if (kind === undefined || object === undefined) return;
    if (object.metadata.deletionTimestamp !== undefined) {
      if (hasFinalizer(object, ORPHAN)) return letDependentsStay(kind, object);
      if (hasFinalizer(object, FOREGROUND)) return goAfterDependents(kind, object);
      return;
    }
    const owners = ownersOf(object);
    if (owners.length === 0) return;
    const states = await Promise.all(owners.map((owner) => stateOf(owner, kind, object)));
    if (states.includes('present')) {
      const present = owners.filter((_, index) => states[index] === 'present');
      if (present.length < owners.length) await patchMetadata(kind, object, { ownerReferences: present });
      return;
    }
    const dependents = dependentsOf(object.metadata.uid ?? '');
    if (states.includes('goesLast') && dependents.length > 0) {
      // Owners in a circle would wait for each other for ever: the first of them blocks no other any more.
      if (dependents.some((dependent) => hasFinalizer(dependent.object, FOREGROUND))) {
        const unblocking = owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
        await remove(kind, await patchMetadata(kind, object, { ownerReferences: unblocking }), 'Foreground');
      } else await remove(kind, object, 'Foreground');
    } else await remove(kind, object, wishedBefore(object));
  }

  async function stateOf(reference: OwnerReference, kind: Kind, object: ResourceObject): Promise<OwnerState> {
    const ownerKind = kindInStore(kinds, reference);
    // Of a kind that this program does not know it cannot say that it is absent.
    if (ownerKind === undefined || !ownerKind.verbs.includes('get')) return 'present';
    const { namespace } = object.metadata;
    if (ownerKind.namespaced && !kind.namespaced) {
      await recordEvent(object, wrongNamespaceEvent(reference, ''));
      return 'present';
    }
    const owner = await client.get(ownerKind, { namespace, name: reference.name });
    if (owner?.metadata.uid !== reference.uid) {
      const elsewhere = informers.find((informer) => informer.kind === ownerKind)?.withUid(reference.uid);
      if (elsewhere !== undefined && elsewhere.metadata.namespace !== namespace && ownerKind.namespaced) {
        await recordEvent(object, wrongNamespaceEvent(reference, namespace ?? ''));
      }
      return 'absent';
    }
    return owner.metadata.deletionTimestamp !== undefined && hasFinalizer(owner, FOREGROUND) ? 'goesLast' : 'present';
  }

  async function goAfterDependents(kind: Kind, object: ResourceObject): Promise<void> {
    const { uid } = object.metadata;
    const blocked = dependentsOf(uid ?? '').some((dependent) =>
      ownersOf(dependent.object).some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
    );
    if (!blocked) await dropFinalizer(kind, object, FOREGROUND);
  }

  /** Looks at everything live: a dependent that a cache has not seen yet would be taken for garbage afterwards. */
  async function letDependentsStay(kind: Kind, object: ResourceObject): Promise<void> {
    const { uid, namespace } = object.metadata;
    for (const dependentKind of kinds.all.filter(isCollected)) {
      if (kind.namespaced && !dependentKind.namespaced) continue;
      const scope = kind.namespaced && namespace !== undefined ? { namespace } : {};
      const { pages } = await client.list(dependentKind, scope);
      for await (const item of itemsOf(pages)) {
        const others = ownersOf(item).filter((owner) => owner.uid !== uid);
        if (others.length < ownersOf(item).length)
          await patchMetadata(dependentKind, item, { ownerReferences: others });
      }
    }
    await dropFinalizer(kind, object, ORPHAN);
  }

  function dropFinalizer(kind: Kind, object: ResourceObject, finalizer: string): Promise<ResourceObject> {
    const finalizers = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
    return patchMetadata(kind, object, { finalizers });
  }

  /** Refused when the object has changed since it was read; then it is looked at again. */
  function patchMetadata(
    kind: Kind,
    object: ResourceObject,
    change: { readonly ownerReferences: readonly OwnerReference[] } | { readonly finalizers: readonly string[] },
  ): Promise<ResourceObject> {
    const { uid, resourceVersion } = object.metadata;
    return client.mergePatch(kind, object.metadata, { metadata: { uid, resourceVersion, ...change } });
  }

  async function remove(kind: Kind, object: ResourceObject, propagation: Propagation): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    await client.delete(kind, object.metadata, { uid, resourceVersion, propagation });
  }
}

/** The kind of an owner, in the version in which its objects are stored: informers are of that. */
function kindInStore(kinds: KindRegistry, { apiVersion, kind }: OwnerReference): Kind | undefined {
  const version = kinds.byApiVersion(apiVersion, kind);
  return version && kinds.byId(version.id);
}

function ownersOf({ metadata }: ResourceObject): readonly OwnerReference[] {
  return metadata.ownerReferences ?? [];
}

function hasFinalizer({ metadata }: ResourceObject, ...finalizers: readonly string[]): boolean {
  return (metadata.finalizers ?? []).some((finalizer) => finalizers.includes(finalizer));
}

/** The wish of a person who set a finalizer by hand. */
function wishedBefore(object: ResourceObject): Propagation {
  if (hasFinalizer(object, ORPHAN)) return 'Orphan';
  return hasFinalizer(object, FOREGROUND) ? 'Foreground' : 'Background';
}

function wrongNamespaceEvent({ apiVersion, kind, name, uid }: OwnerReference, namespace: string) {
  return {
    type: 'Warning' as const,
    reason: 'OwnerRefInvalidNamespace',
    message: `ownerRef [${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}] does not exist in namespace "${namespace}"`,
  };
}
