import type { Entry } from '#kernel/store/contract.ts';

/**
 * Makes something of an entry, once: an entry never changes, so what was made cannot go stale. Keeps it as long as the store
 * keeps the entry: make little of what there is much of.
 */
export function oncePerEntry<Made>(make: (entry: Entry) => Made): (entry: Entry) => Made {
  const known = new WeakMap<Entry, { readonly made: Made }>();
  return (entry) => {
    let found = known.get(entry);
    if (found === undefined) {
      found = { made: make(entry) };
      known.set(entry, found);
    }
    return found.made;
  };
}
