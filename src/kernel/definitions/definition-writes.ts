import type { Kind } from '#kernel/kinds/kind.ts';
import type { Author, Entry, Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { CLEANUP, CustomResourceDefinition } from './kinds/custom-resource-definition.ts';
import type { DefinitionStatus } from './kinds/definition-spec.ts';

/** Objects that are deleted in one write, and their characters: the record keeps the last state of each. */
const DELETED_AT_ONCE = { objects: 500, characters: 1024 * 1024 };

const AUTHOR: Author = { user: 'system:definitions', requestId: 'definitions' };

/** The writes by which the server keeps definitions. */
interface DefinitionWrites {
  /** Refused where the definition has changed meanwhile. */
  readonly status: (name: string, status: DefinitionStatus) => Promise<void>;
  /** Marks all objects of a kind as deleted; those without finalizers are gone then. */
  readonly deleteObjects: (kind: Kind, signal: AbortSignal) => Promise<void>;
  /** Lets a deleted definition go. */
  readonly release: (name: string, finalizers: readonly string[]) => Promise<void>;
}

export function definitionWrites(store: Store<Operation>): DefinitionWrites {
  const placeOf = (name: string) => ({ kind: CustomResourceDefinition.id, namespace: '', name });
  return {
    status: async (name, status) => {
      const entry = store.get(CustomResourceDefinition, '', name);
      if (entry === undefined) return;
      const object = { ...entry.object(), status };
      await store.write(
        [{ ...placeOf(name), verb: 'update', part: 'status', object, fieldValidation: 'Ignore' }],
        AUTHOR,
      );
    },
    deleteObjects: async (kind, signal) => {
      const left = [...store.list(kind)].filter((one) => one.identity().metadata.deletionTimestamp === undefined);
      for (let at = 0; at < left.length && !signal.aborted;) {
        const some = firstOf(left, at);
        await store.write(some.map(deletionOf), AUTHOR);
        at += some.length;
      }
    },
    release: async (name, finalizers) => {
      const patch = { metadata: { finalizers: finalizers.filter((finalizer) => finalizer !== CLEANUP) } };
      const write = { verb: 'patch', part: 'main', patchType: 'merge', patch, fieldValidation: 'Ignore' } as const;
      await store.write([{ ...placeOf(name), ...write }], AUTHOR);
    },
  };
}

/** Objects from a position on that are deleted together: at least one, however large. */
function firstOf(entries: readonly Entry[], from: number): readonly Entry[] {
  let characters = 0;
  const some = entries.slice(from, from + DELETED_AT_ONCE.objects);
  const tooMany = some.findIndex(({ text }) => (characters += text.length) > DELETED_AT_ONCE.characters);
  return tooMany === -1 ? some : some.slice(0, Math.max(1, tooMany));
}

function deletionOf({ kind, namespace, name, uid }: ReturnType<Store<Operation>['find']>[number]): Operation {
  return { verb: 'delete', kind: kind.id, namespace, name, uidExpected: uid, propagation: 'Background' };
}
