import { isDeepStrictEqual } from 'node:util';
import { kubernetesTime, type Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import { NAMESPACE_FINALIZER, namespaceFinalizers } from '#kernel/store/rules/deletion.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { fromKinds, type KindRegistry } from '#kernel/kinds/registry.ts';
import { resourceName } from '#kernel/store/rules/write.ts';
import type { Requeue, Watch } from './controller.ts';
import type { Informer } from './informer.ts';
import { endConditions, type Survey } from './namespace-conditions.ts';

/** Deletions on the way at a time. */
const DELETIONS_AT_ONCE = 16;

/**
 * Empties namespaces that are being deleted and then lets them go. Says in their conditions what is still there and
 * why, and goes on with the rest.
 */
export function namespaceEnd(options: {
  readonly client: ResourceClient;
  readonly kinds: KindRegistry;
  readonly namespaces: Informer;
  /** Of kinds with objects in namespaces: their changes are what a namespace may wait for. */
  readonly contents: readonly Informer[];
  readonly clock: Clock;
}): { readonly watches: readonly Watch[]; readonly reconcile: (key: string) => Promise<Requeue | void> } {
  const { client, kinds, namespaces, contents, clock } = options;
  const held = fromKinds(kinds, (all) =>
    all.filter(({ namespaced, verbs }) => namespaced && verbs.includes('list') && verbs.includes('delete')),
  );
  const isEnding = (namespace: ResourceObject | undefined) => namespace?.metadata.deletionTimestamp !== undefined;
  return {
    watches: [
      { informer: namespaces, keys: ({ now }) => (now !== undefined && isEnding(now) ? [now.metadata.name] : []) },
      ...contents.map((informer): Watch => ({
        informer,
        keys: ({ before, now }) => {
          const { namespace = '' } = (now ?? before)?.metadata ?? {};
          return isEnding(namespaces.get(undefined, namespace)) ? [namespace] : [];
        },
      })),
    ],
    reconcile,
  };

  async function reconcile(name: string): Promise<Requeue | void> {
    const namespace = await client.get(Namespace, { name });
    if (namespace === undefined || !isEnding(namespace)) return undefined;
    const finalizers = namespaceFinalizers(namespace);
    if (finalizers.length > 0 && !finalizers.includes(NAMESPACE_FINALIZER)) return undefined;
    const survey = await clear(name);
    const saying = await writeConditions(client, namespace, survey, clock());
    if (survey.remaining.length > 0) return 'later';
    if (finalizers.length === 0) {
      // It was made before namespaces had a finalizer, or somebody took it away by hand.
      await client.delete(Namespace, { name }, { uid: namespace.metadata.uid });
      return undefined;
    }
    const others = finalizers.filter((finalizer) => finalizer !== NAMESPACE_FINALIZER);
    await client.update(Namespace, { ...saying, spec: { finalizers: others } }, 'finalize');
    return undefined;
  }

  /** Deletes what can be deleted, and says what is left. */
  async function clear(namespace: string): Promise<Survey> {
    const remaining: { readonly resource: string; readonly finalizers: readonly string[] }[] = [];
    const refusals: string[] = [];
    for (const kind of held()) {
      const { pages } = await client.list(kind, { namespace });
      for await (const items of pages) {
        const queue = items[Symbol.iterator]();
        const worker = async () => {
          for (let next = queue.next(); next.done !== true; next = queue.next()) {
            const left = await removeOne(kind, next.value);
            if (left === undefined) continue;
            remaining.push({ resource: resourceName(kind), finalizers: left.object.metadata.finalizers ?? [] });
            if (left.refusal !== undefined) refusals.push(left.refusal);
          }
        };
        await Promise.all(Array.from({ length: DELETIONS_AT_ONCE }, worker));
      }
    }
    return { remaining, refusals: refusals.sort() };
  }

  /** An object that is left, and the server's refusal to delete it. */
  async function removeOne(
    kind: Kind,
    object: ResourceObject,
  ): Promise<{ readonly object: ResourceObject; readonly refusal?: string } | undefined> {
    const { uid, deletionTimestamp } = object.metadata;
    if (deletionTimestamp !== undefined) return { object };
    try {
      const left = await client.delete(kind, object.metadata, { uid, propagation: 'Background' });
      return left === undefined ? undefined : { object: left };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.reason === 'NotFound') return undefined;
      return { object, refusal: error.message };
    }
  }
}

/** Says in the conditions of a namespace what is left in it. */
async function writeConditions(
  client: ResourceClient,
  namespace: ResourceObject,
  survey: Survey,
  now: Temporal.Instant,
): Promise<ResourceObject> {
  const { conditions: before = [] } = Namespace.status(namespace) ?? {};
  const conditions = endConditions(before, survey, kubernetesTime(now));
  if (isDeepStrictEqual(conditions, before)) return namespace;
  return client.patchStatus(Namespace, namespace.metadata, { conditions });
}
