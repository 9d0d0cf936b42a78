import type { Path } from '#kernel/base/failures.ts';
import { UnsupportedSource } from './unsupported-source.ts';

/** Positions of numbers that JavaScript rounds: the values that contain them have no exact translation. */
export class InexactNumbers {
  readonly #left: Set<Path>;

  constructor(paths: readonly Path[]) {
    this.#left = new Set(paths);
  }

  /** Throws when there is a rounded number at or below this place. */
  refuseIn(place: Path): void {
    const found = [...this.#left].filter((path) => place.every((step, index) => path[index] === step));
    for (const path of found) this.#left.delete(path);
    const [first] = found;
    if (first === undefined) return;
    const says = `a whole number beyond ${Number.MAX_SAFE_INTEGER} loses precision; write it as a text`;
    throw new UnsupportedSource(first, says);
  }

  /** Rounded numbers that caused no omission. */
  leftPaths(): readonly Path[] {
    return [...this.#left];
  }
}
