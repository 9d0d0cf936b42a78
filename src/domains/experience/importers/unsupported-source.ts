import type { Path } from '#kernel/base/failures.ts';

/** Part of the source has no exact translation. Caught at the flag that needs it, which is then left out. */
export class UnsupportedSource extends Error {
  override readonly name = 'UnsupportedSource';
  readonly path: Path;

  constructor(path: Path, says: string) {
    super(says);
    this.path = path;
  }
}
