import type { AttributeType } from '#kernel/audiences/language/attributes.ts';
import type { Path } from '#kernel/base/failures.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { UnsupportedSource } from './unsupported-source.ts';
import type { InexactNumbers } from './inexact.ts';

/** Result of an import: objects to declare, in order, and notes. */
export interface ImportResult {
  readonly objects: readonly ResourceObject[];
  readonly notes: readonly Note[];
}

export interface Note {
  /** Position in the document. */
  readonly path: Path;
  /** A sentence without its full stop. */
  readonly says: string;
  /** True: the part is left out because it has no exact translation. Otherwise the note is informational. */
  readonly leftOut?: true;
}

export interface ImportOptions {
  /** Source attribute that contexts here call `targetingKey`, like `userId`. */
  readonly targetingKey?: string;
  /** Attribute types that the source does not declare. */
  readonly attributes?: ReadonlyMap<string, AttributeKind>;
  /** Positions of numbers that JSON parsing rounded. */
  readonly inexact?: InexactNumbers;
  /** GrowthBook: whether its SDKs have a sticky bucket service; only then do they use `fallbackAttribute`. */
  readonly stickyBucketing?: boolean;
  /** flagd: the generation of its bucketing. Default `flagd-v2`. */
  readonly bucketing?: 'flagd-v1' | 'flagd-v2';
}

export interface AttributeKind {
  readonly type: AttributeType;
  readonly multiValued?: boolean;
  readonly loose?: boolean;
}

/** An object translated from part of the document. */
export interface Translation {
  readonly object: ResourceObject;
  readonly path: Path;
  /** Attribute objects whose type the translation used, although no reference names them. */
  readonly attributes?: readonly string[];
}

/** The result of `make`; or undefined and a note when it throws UnsupportedSource. */
export function madeOrNoted<Value>(notes: Note[], make: () => Value): Value | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof UnsupportedSource)) throw error;
    notes.push({ path: error.path, says: error.message, leftOut: true });
    return undefined;
  }
}
