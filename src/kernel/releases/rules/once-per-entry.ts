import type { Entry } from '#kernel/store/contract.ts';

/**
 * Derives a value from an entry, once: an entry never changes, so the value cannot go stale. It lives as long as the entry: keep it
 * small.
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
