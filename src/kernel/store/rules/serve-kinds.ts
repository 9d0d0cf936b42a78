import type { Kind } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { KindStore } from '../contract.ts';

/** Kinds that come and go while the program runs. */
export interface ServedKinds {
  /** Serves a kind, with the objects that the database has of it. Resolves when it can be read, written and watched. */
  readonly add: (kind: Kind) => Promise<void>;
  /** Serves it no more: its watches end, its paths answer 404. Its objects stay in the database. */
  readonly remove: (kind: Kind) => void;
}

/** The store has a kind before anybody hears of it, and until nobody asks for it any more. */
export function servedKinds(store: KindStore, kinds: KindRegistry): ServedKinds {
  return {
    add: async (kind) => {
      // A live kind needs a module that compiles it, and modules are fixed at the start.
      if (kind.released || kind.direct)
        throw new Error(`kind ${kind.id} is live: it comes with a module, at the start`);
      await store.adopt(kind);
      kinds.add(kind);
    },
    remove: (kind) => {
      kinds.remove(kind);
      store.drop(kind);
    },
  };
}
