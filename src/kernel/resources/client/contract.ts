import type { Kind, ResourceObject } from '../kind.ts';

/** Changes that belong together: never show a part of them. */
export interface Batch {
  /** The version up to which the watcher now knows everything. */
  readonly version: string;
  readonly changes: readonly { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: ResourceObject }[];
}

/**
 * How programs of ours read resources, in the server's process or over HTTP: what they see is the same.
 * Errors of the server are Refusals; a server that cannot be reached is any other error.
 */
export interface ResourceClient {
  /** All objects of a kind as of one version. */
  readonly list: (kind: Kind) => Promise<{ readonly items: readonly ResourceObject[]; readonly version: string }>;
  /**
   * Batches of changes after `from`, in order, none missed or repeated, until `signal` aborts or the server ends the
   * stream; a batch without changes says only that the server is there. Refuses `resources/expired` when `from` is no
   * longer kept: list anew.
   */
  readonly watch: (kind: Kind, from: string, signal: AbortSignal) => AsyncIterable<Batch>;
}
