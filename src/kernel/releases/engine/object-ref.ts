import type { Kind } from '#kernel/kinds/kind.ts';

/** An object, by its kind and its live name. */
export interface ObjectRef {
  readonly kind: Kind;
  readonly name: string;
}
