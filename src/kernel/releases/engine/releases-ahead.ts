/** Releases ahead of another one, and those that may run beside it. */
interface Neighbours {
  readonly behind: readonly string[];
  readonly beside: readonly string[];
}

/**
 * The names of the releases that a release waits for: all that go first, and those beside it where they conflict, or one of them
 * advances target by target. Pure.
 */
export function releasesAhead(
  { behind, beside }: Neighbours,
  { isMixed, conflicts }: { readonly isMixed: boolean; readonly conflicts: readonly string[] },
): readonly string[] {
  return isMixed || conflicts.length > 0 ? [...new Set([...behind, ...beside])].sort() : behind;
}
