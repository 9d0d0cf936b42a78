/** Releases that go before another one, and those that may go beside it. */
interface Neighbours {
  readonly behind: readonly string[];
  readonly beside: readonly string[];
}

/**
 * The releases that a release waits for, by name: all that go before it, and those beside it where the world does not take both
 * together, or one of them goes out target by target. Pure.
 */
export function releasesAhead(
  { behind, beside }: Neighbours,
  { isMixed, conflicts }: { readonly isMixed: boolean; readonly conflicts: readonly string[] },
): readonly string[] {
  return isMixed || conflicts.length > 0 ? [...new Set([...behind, ...beside])].sort() : behind;
}
