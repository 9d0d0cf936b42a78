import type { Path } from '#kernel/base/failures.ts';
import { CannotSay } from './cannot-say.ts';

/** Where a document has numbers that JavaScript rounds: what they are part of cannot be carried over exactly. */
export class InexactNumbers {
  readonly #left: Set<Path>;

  constructor(paths: readonly Path[]) {
    this.#left = new Set(paths);
  }

  /** Throws when there is one at this place or in it. */
  refuseIn(place: Path): void {
    const found = [...this.#left].filter((path) => place.every((step, index) => path[index] === step));
    for (const path of found) this.#left.delete(path);
    const [first] = found;
    if (first === undefined) return;
    const says = `a whole number beyond ${Number.MAX_SAFE_INTEGER} cannot be kept exactly; write it as a text`;
    throw new CannotSay(first, says);
  }

  /** Those that nothing was left out for. */
  left(): readonly Path[] {
    return [...this.#left];
  }
}
