import type { Kind } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { KindStore } from '../contract.ts';

/** Kinds that come and go while the program runs. */
export interface ServedKinds {
  /** Serves a kind, with the objects that the database has of it. Resolves when it can be read, written and watched. */
  readonly add: (kind: Kind) => Promise<void>;
  /**
   * Serves another definition of a kind: its watches end, and go on from where they were. Resolves when it is served; at once
   * where objects are looked up as before.
   */
  readonly replace: (kind: Kind) => Promise<void> | undefined;
  /** Serves it no more: its watches end, its paths answer 404. Its objects stay in the database. */
  readonly remove: (kind: Kind) => void;
}

/** The store has a kind before anybody hears of it, and until nobody asks for it any more. */
export function servedKinds(store: KindStore, kinds: KindRegistry): ServedKinds {
  return {
    add: async (kind) => {
      // Decision nodes follow the kinds that are direct at their start.
      if (kind.direct) throw new Error(`kind ${kind.id} is direct: it comes with a module, at the start`);
      await store.adopt(kind);
      kinds.add(kind);
    },
    replace: (kind) => {
      const redefined = store.redefine(kind);
      if (redefined !== undefined) return redefined.then(() => kinds.replace(kind));
      kinds.replace(kind);
      return undefined;
    },
    remove: (kind) => {
      kinds.remove(kind);
      store.drop(kind);
    },
  };
}
