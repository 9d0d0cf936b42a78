import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Part, Propagation } from '#kernel/store/rules/operation.ts';

/** Changes that belong together: never show a part of them. */
export interface Batch {
  /** The version up to which the watcher now knows everything. */
  readonly version: string;
  readonly changes: readonly { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: ResourceObject }[];
}

/** The objects of a kind at a version. */
export interface ObjectList {
  readonly version: string;
  readonly pages: AsyncIterable<Iterable<ResourceObject>>;
}

/** Where one object is; `namespace` is absent for cluster-scoped kinds. */
export interface At {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** Which objects of a kind; without any of these, all. An object that leaves the selection is DELETED to a watcher. */
export interface SelectOptions {
  readonly namespace?: string;
  /** As Kubernetes writes it: `tier=paid,market in (de,se)`. */
  readonly labelSelector?: string;
  /** As Kubernetes writes it: `metadata.name=premium`. */
  readonly fieldSelector?: string;
  /** Only `apiVersion`, `kind` and `metadata` need come. */
  readonly metadataOnly?: boolean;
}

interface DeleteOptions {
  /** Refuses with Conflict when the object there is another one. */
  readonly uid?: string | undefined;
  /** Refuses with Conflict when the object has changed since. */
  readonly resourceVersion?: string | undefined;
  readonly propagation?: Propagation;
}

/**
 * How programs of ours read and write resources, in the server's process or over HTTP: rules, answers and refusals are
 * the same. Refusals of the server arrive as Refusals with its reason, code and problems; a server that cannot be
 * reached is any other error. Lists and watches have objects as they are stored, without computed statuses. Fields that a kind does not have are refused. For kinds whose objects are stored.
 */
export interface ResourceClient {
  /**
   * All selected objects of a kind as of one version, page by page, each made as it is taken: to be read once, and nothing holds
   * them. A page refuses `resources/expired` when what there was at that version is no longer kept: list anew.
   */
  readonly list: (kind: Kind, selected?: SelectOptions) => Promise<ObjectList>;
  /**
   * Batches of changes after `from`, in order, none missed or repeated, until `signal` aborts or the server ends the
   * stream; a batch without changes says only that the server is there. Refuses `resources/expired` when `from` is no
   * longer kept: list anew.
   */
  readonly watch: (kind: Kind, from: string, signal: AbortSignal, selected?: SelectOptions) => AsyncIterable<Batch>;
  /** The object as it is now; undefined when there is none. */
  readonly get: (kind: Kind, at: At) => Promise<ResourceObject | undefined>;
  /** The object as it was stored. `metadata.generateName` stands in for a name. */
  readonly create: (kind: Kind, object: ResourceObject) => Promise<ResourceObject>;
  /** Makes the object what is given. `metadata.resourceVersion`, where given, must be the present one. */
  readonly update: (kind: Kind, object: ResourceObject, part?: Part) => Promise<ResourceObject>;
  /** RFC 7386; `metadata.resourceVersion` and `metadata.uid` in the patch must be the present ones. */
  readonly mergePatch: (kind: Kind, at: At, patch: object) => Promise<ResourceObject>;
  /** Merges into the status of the object; its other parts stay. */
  readonly patchStatus: (kind: Kind, at: At, status: object) => Promise<ResourceObject>;
  /** The object, which is then being deleted; undefined when it is gone. */
  readonly delete: (kind: Kind, at: At, options?: DeleteOptions) => Promise<ResourceObject | undefined>;
}
