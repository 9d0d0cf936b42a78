import type { Requirement } from './codec/requirements.ts';
import type { Author, Entry } from '#kernel/store/contract.ts';
import type { Kind } from '#kernel/kinds/kind.ts';

/** A caller whose identity was proved. */
export interface User {
  readonly name: string;
  /** Tells apart accounts that had the same name one after the other. */
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  /** The users who minted the token that proved this one, and the tokens that those used. */
  readonly mintedBy?: readonly string[];
}

/** A request for resources, in the words of Kubernetes' authorization. */
export interface ResourceAttributes {
  readonly verb: string;
  /** Empty for the core group. */
  readonly group: string;
  /** The plural: `plans`. */
  readonly resource: string;
  /** Empty for the object itself. */
  readonly subresource: string;
  /** Empty for cluster-scoped resources and for all namespaces. */
  readonly namespace: string;
  /** Empty for the collection. */
  readonly name: string;
  /** The selection of a list, watch or deletecollection: it must imply the selector of a rule. */
  readonly selection?: SelectedBy;
  /** The object of the request, where it is known: rules with a selector are checked against it. */
  readonly object?: SelectableObject;
}

export interface SelectedBy {
  readonly labels: readonly Requirement[];
  readonly fields: readonly Requirement[];
}

/** An object as selectors see it. */
export type SelectableObject = Pick<Entry, 'kind' | 'namespace' | 'name' | 'labels' | 'object'>;

/** A request for a path that is no resource. */
export interface PathAttributes {
  readonly verb: string;
  readonly path: string;
}

export type Attributes = ResourceAttributes | PathAttributes;

/** An attempt to write that left no change in the store. */
export interface Attempt {
  readonly kind: Kind;
  /** The subresource; empty for the object itself. */
  readonly part: string;
  readonly namespace: string;
  /** Empty where it is not known. */
  readonly name: string;
  readonly dryRun: boolean;
  /** The HTTP status of the answer. */
  readonly code: number;
  /** The permanent code of the refusal; empty when it was not refused. */
  readonly reason: string;
}

/** The objects that a request may concern. */
export interface Grant {
  /**
   * Throws a Refusal for an object that is not of those that the user may do it with, and for none when that is not all:
   * the same for both, unless they may read the object.
   */
  readonly requireObject: (object: SelectableObject | undefined) => void;
  /** Throws a Refusal unless the user may do it with all objects. */
  readonly requireEvery: () => void;
  /** Of a collection: only the objects that one of these selects, by their texts. Absent: all that the request selects. */
  readonly within?: ReadonlyMap<string, SelectedBy>;
}

/** The checks of the resource API before it acts, and its audit afterwards. */
export interface Authority {
  /** Throws a Refusal when the user may not, or only with some objects and these attributes select others. */
  readonly authorize: (user: User, attributes: Attributes) => void;
  /**
   * The same where the objects come later: what is given refuses those of others. A collection that selects others too is
   * narrowed to what the user may, or refused where `canNarrow` is false.
   */
  readonly grant: (user: User, attributes: ResourceAttributes, canNarrow: boolean) => Grant;
  /** The same for a request that is under way: its account may be gone meanwhile. */
  readonly grantAgain: Authority['grant'];
  /** Throws a Refusal when there is no object of any kind that the user may create or update. */
  readonly requireWriter: (user: User) => void;
  /**
   * Keeps an attempt for the audit record; changes that are in the store are in the record already. Resolves when it
   * is durable. Never rejects.
   */
  readonly recordAttempt: (author: Author, attempt: Attempt) => Promise<void>;
}
