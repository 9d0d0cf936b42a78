import type { AttributeType } from '#kernel/audiences/language/attributes.ts';
import type { Path } from '#kernel/base/failures.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { CannotSay } from './cannot-say.ts';
import type { InexactNumbers } from './inexact.ts';

/** What the state of another tool becomes: objects to declare, in that order, and what is to be said about it. */
export interface Imported {
  readonly objects: readonly ResourceObject[];
  readonly notes: readonly Note[];
}

export interface Note {
  /** Where in the document. */
  readonly path: Path;
  /** A sentence without its full stop. */
  readonly says: string;
  /** What stands there is not among the objects, as it cannot be said exactly. Otherwise: good to know. */
  readonly leftOut?: true;
}

export interface ImportOptions {
  /** The attribute of the source that contexts here say as `targetingKey`, like `userId`. */
  readonly targetingKey?: string;
  /** Types of attributes, where the source does not tell them. */
  readonly attributes?: ReadonlyMap<string, AttributeKind>;
  /** Where the document has numbers that were rounded as it was read. */
  readonly inexact?: InexactNumbers;
  /** GrowthBook: whether its SDKs have a sticky bucket service, which alone makes them use `fallbackAttribute`. */
  readonly stickyBucketing?: boolean;
  /** flagd: the generation of its buckets. Default `flagd-v2`. */
  readonly bucketing?: 'flagd-v1' | 'flagd-v2';
}

export interface AttributeKind {
  readonly type: AttributeType;
  readonly multiValued?: boolean;
  readonly loose?: boolean;
}

/** An object that was made of something in the document. */
export interface Made {
  readonly object: ResourceObject;
  readonly path: Path;
  /** Objects of Attributes that it relies on though it does not name them: on their type, by which it was simplified. */
  readonly attributes?: readonly string[];
}

/** What `make` gives; or, where that cannot be said, undefined and a note. */
export function madeOrNoted<Value>(notes: Note[], make: () => Value): Value | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof CannotSay)) throw error;
    notes.push({ path: error.path, says: error.message, leftOut: true });
    return undefined;
  }
}
