import type { Path } from '#kernel/base/failures.ts';

/** Something of the source cannot be said exactly. Thrown up to the flag that needs it, which is then left out. */
export class CannotSay extends Error {
  override readonly name = 'CannotSay';
  readonly path: Path;

  constructor(path: Path, says: string) {
    super(says);
    this.path = path;
  }
}
