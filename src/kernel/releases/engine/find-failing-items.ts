/**
 * Finds the items that fail by themselves among items that fail together, with their errors. Bisects, so that few culprits among
 * many cost few attempts. An error for which `passesThrough` holds ends the search.
 */
export async function findFailingItems<Item>(
  items: readonly Item[],
  attempt: (some: readonly Item[]) => unknown,
  passesThrough: (error: unknown) => boolean = () => false,
): Promise<ReadonlyMap<Item, unknown>> {
  const failing = new Map<Item, unknown>();
  const open: (readonly Item[])[] = items.length === 0 ? [] : [items];
  for (let some = open.pop(); some !== undefined; some = open.pop()) {
    try {
      await attempt(some);
    } catch (error) {
      if (passesThrough(error)) throw error;
      const [only] = some;
      if (some.length === 1 && only !== undefined) failing.set(only, error);
      else {
        const middle = some.length >> 1;
        open.push(some.slice(middle), some.slice(0, middle));
      }
    }
  }
  return failing;
}
