import type { Steps } from '#kernel/base/turns.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';

/** One version of one object; immutable. */
export interface Entry {
  readonly kind: Kind;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The write that made this version: a number of the store's one total order. */
  readonly version: number;
  readonly labels: Readonly<Record<string, string>>;
  /** By what a store finds it: see `indexKeysOf`. */
  readonly indexKeys: readonly string[];
  /** The whole object as JSON, `metadata.resourceVersion` included. */
  readonly text: string;
  /** Parsed anew from `text` at each call: the caller owns what it gets. */
  readonly object: () => ResourceObject;
  /** The same with null in the place of `specText`, where that is known: what is large need not be parsed. */
  readonly outline: () => ResourceObject;
  /** Its apiVersion, kind and metadata without managedFields, and maybe more. Less is parsed where the spec stands behind them. */
  readonly identity: () => ResourceObject;
  /** The spec of an object of a released or direct kind, and what of a Head everybody gets, as JSON. */
  readonly specText: () => string | undefined;
  /** The text before and behind `specText`, without what managedFields hold; undefined where there is none. */
  readonly aroundSpec: () => { readonly before: string; readonly after: string } | undefined;
}

/** One write in the total order. A DELETED entry is the object's last state with the version of its deletion. */
export interface Change {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly entry: Entry;
  readonly before: Entry | undefined;
  /** Who wrote it; known of what this process itself writes. */
  readonly author?: Author;
  /** Which write made it: the version of the first change of that write. Known of what this process itself writes. */
  readonly write?: number;
}

/** Reads of the objects as they are declared now (inside a batch: with what the batch wrote so far). */
export interface Reader {
  readonly get: (kind: Kind, namespace: string, name: string) => Entry | undefined;
  /**
   * Objects with this value in an index of the kind. Every kind has the index `name`, those that refer to others have
   * `REFERENCES`; `Kind.indexes` adds more.
   */
  readonly find: (kind: Kind, index: string, value: string) => readonly Entry[];
  /** Objects of a namespace, or of all; those of a batch stand behind the others. */
  readonly list: (kind: Kind, options?: { readonly namespace?: string | undefined }) => Iterable<Entry>;
}

/** The result of deciding one operation. The store gives the version and writes it into the object. */
export type Mutation =
  | ({ readonly do: 'nothing'; readonly entry: Entry } & WithWarnings)
  | ({
      readonly do: 'put';
      readonly kind: Kind;
      readonly object: ResourceObject;
      readonly revision?: RevisionContent;
    } & WithWarnings)
  | ({ readonly do: 'remove'; readonly kind: Kind; readonly object: ResourceObject } & WithWarnings);

interface WithWarnings {
  /** Sentences for the caller about what was not quite right; the store hands them through to the outcome. */
  readonly warnings?: readonly string[];
  /** Recorded with the change, beside its author. */
  readonly annotations?: AuditAnnotations;
}

/** Facts about a change that its audit record has, by name. */
export type AuditAnnotations = Readonly<Record<string, string>>;

/** The spec of an object that was accepted; kept for ever under its content hash. */
export interface RevisionContent {
  readonly hash: string;
  readonly generation: number;
  readonly spec: unknown;
}

export interface Outcome {
  readonly did: 'created' | 'changed' | 'removed' | 'nothing';
  readonly entry: Entry;
  readonly warnings?: readonly string[];
}

/** Who writes, for the record and for the question whether they may. */
export interface Author {
  readonly user: string;
  readonly requestId: string;
  /** Where the request came from; absent for parts of this program, which may write everything. */
  readonly caller?: Caller;
}

/** The origin of a request from outside, besides the user's name. Kept with every change that it makes. */
export interface Caller {
  readonly groups: readonly string[];
  /** The network address. */
  readonly address: string;
  readonly userAgent: string;
  /** The name under which it owns fields: its field manager, or the program of its user agent. Absent in older records. */
  readonly manager?: string;
  /** The verb of the request, in the words of the Kubernetes API: `create`, `patch`, … */
  readonly verb: string;
  /** The users who minted the token that was used, or impersonate the user; absent where there are none. */
  readonly mintedBy?: readonly string[];
  /** In the record of a change: what policies noted about it. */
  readonly annotations?: AuditAnnotations;
}

/**
 * How the objects of confidential kinds are kept in the database: `open` gives back what `seal` was given, for the same
 * object only.
 */
export interface Sealing {
  readonly seal: (place: Place, text: string) => string;
  readonly open: (place: Place, sealed: string) => string;
}

/** How long the caller of a write waits for it. */
export interface WriteLimit {
  /** Fires when the caller waits no more: a write that is still queued is then dropped, one that was taken is not. */
  readonly signal: AbortSignal;
  /** Milliseconds until the deadline. */
  readonly leftMs: number;
}

export interface Place {
  /** `Kind.id`. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A past version of one object. */
export interface HistoryItem {
  readonly version: number;
  readonly at: string;
  readonly type: Change['type'];
  readonly user: string;
  readonly requestId: string;
  readonly text: string;
}

/** How an object was declared at a version, and its author. */
export interface Declaration {
  readonly version: number;
  /** The version of the first change of the same write. */
  readonly write: number;
  readonly type: Change['type'];
  readonly namespace: string;
  readonly author: Author;
  /** The whole object as JSON; of a deletion the last state. */
  readonly text: string;
}

/** A store whose kinds come and go. */
export interface KindStore {
  /** Takes in the objects that the database has of a kind, and what is written of it from now on. */
  readonly adopt: (kind: Kind) => Promise<void>;
  /**
   * Reads objects of a kind by another definition of it from now on. Resolves when they are looked up by it; undefined where
   * they are at once.
   */
  readonly redefine: (kind: Kind) => Promise<void> | undefined;
  /** Forgets the objects of a kind; they stay in the database. */
  readonly drop: (kind: Kind) => void;
}

/**
 * The one place where declared objects live. `Operation` is plain data, so that a process that is not the writer can
 * forward it. Reads come from memory and see only what is durable.
 */
export interface Store<Operation> extends Reader {
  /** The version of the last published write. */
  readonly version: () => number;
  /** The lowest version from which a watcher can still be served (changes after it are kept in memory). */
  readonly watchFloor: () => number;
  /**
   * Objects of a kind, sorted by namespace then name (code units), as they were at `at` (default: now).
   * `after` starts behind that position. Refuses `resources/expired` when `at` is below the watch floor.
   */
  readonly list: (
    kind: Kind,
    options?: { namespace?: string | undefined; at?: number; after?: { namespace: string; name: string } },
  ) => Iterable<Entry>;
  readonly count: (kind: Kind) => number;
  /** Changes with a version above `from`, in order. Refuses `resources/expired` when `from` is below the watch floor. */
  readonly changesSince: (from: number, kind?: Kind) => readonly Change[];
  /** Calls the listener once for each published batch, in order, right after it is durable. Returns the way to stop. */
  readonly subscribe: (listener: (changes: readonly Change[]) => void) => () => void;
  /**
   * Decides and writes operations as one atomic change: all or none. Resolves when durable and published.
   * With `dryRun` nothing is kept and outcomes carry the current version.
   * Rejects with the Refusal that deciding came to, `http/overloaded` when the queue is full,
   * `resources/not-writer` or `resources/taken-over` when this process does not write, or with the reason of the limit's
   * signal when that fires while the write is queued: then nothing was written.
   */
  readonly write: (
    operations: readonly Operation[],
    author: Author,
    options?: WriteOptions,
  ) => Promise<readonly Outcome[]>;
  /**
   * Decides each operation by what is stored here and by those before it that are not refused: the outcome, or the Refusal of each.
   * Nothing is written, so versions of the outcomes mean nothing.
   */
  readonly forecast: (operations: readonly Operation[], author: Author) => Promise<readonly (Outcome | Refusal)[]>;
  /**
   * Resolves when reads here show everything that was acknowledged anywhere before the call; undefined when they do
   * already, as always in the process that writes.
   */
  readonly fresh: () => Promise<void> | undefined;
  /** Milliseconds since what is read here was last known to be all that was written anywhere. */
  readonly behindMs: () => number;
  /**
   * Kept versions of one object, newest first, deleted predecessors of the same name included. Of confidential kinds
   * only what is not secret.
   */
  readonly history: (
    kind: Kind,
    namespace: string,
    name: string,
    bounds: { readonly limit: number; readonly bytesMax: number },
  ) => Promise<{ readonly items: readonly HistoryItem[]; readonly isCut: boolean }>;
  /**
   * Kept versions below `below` of what was declared of a kind under one live name, newest first, without what `except`
   * wrote as a part of this program.
   */
  readonly declarations: (
    kind: Kind,
    name: string,
    page: { readonly below: number; readonly limit: number; readonly except: string },
  ) => Promise<readonly Declaration[]>;
  /**
   * Objects of a kind as they were declared at a version or time, sorted by namespace then name, with the version of
   * that moment. Refuses `resources/expired` for what is no longer kept.
   */
  readonly past: (
    kind: Kind,
    at: number | Temporal.Instant,
    scope: { readonly namespace?: string | undefined; readonly name?: string | undefined },
  ) => Promise<{ readonly version: number; readonly entries: readonly Entry[] }>;
  /** The deletion of the object with this uid, among the last 200 objects of its name; its text is the last state. */
  readonly findDeletion: (kind: Kind, namespace: string, name: string, uid: string) => Promise<HistoryItem | undefined>;
  /** Objects of a kind whose last write was before a time, the longest untouched first. */
  readonly findUntouched: (
    kind: Kind,
    before: Temporal.Instant,
    limit: number,
  ) => Promise<readonly { readonly namespace: string; readonly name: string; readonly version: number }[]>;
  /** A kept revision of an object, by its live name. */
  readonly revision: (kind: Kind, name: string, hash: string) => Promise<RevisionContent | undefined>;
  /** Drops history up to the retention and lifts the watch floor accordingly. Returns the rows dropped. */
  readonly compact: (keep: { historyDays: number }) => Promise<number>;
  /** Resolves with a sentence when this process can no longer write; otherwise never. Reads stay possible. */
  readonly lost: Promise<string>;
  /** Stops taking writes, finishes those accepted, gives up the writer's lock. */
  readonly close: () => Promise<void>;
}

interface WriteOptions {
  readonly dryRun?: boolean;
  readonly limit?: WriteLimit | undefined;
}

/** Removes what kept writes from being decided: they are then decided again. */
export interface Unblock {
  /** Equal for reasons that are removed together; undefined where nothing can be done. */
  readonly groupOf: (reason: unknown) => object | undefined;
  /** Rejects with the Refusal for the caller. */
  readonly remove: (reasons: readonly unknown[], signal: AbortSignal | undefined) => Promise<void>;
}

/** Decides one operation against what `read` shows. Pure. Throws Refusal. */
export interface Decide<Operation> {
  (operation: Operation, read: Reader, now: Temporal.Instant, author: Author): Mutation;
  /** Judges all changes of a request together, when each was decided. Throws Refusal. */
  readonly review?: (request: ReviewedRequest) => Steps<Review>;
}

/** The changes of a request, after all of its operations. */
export interface ReviewedRequest {
  readonly changes: readonly Change[];
  readonly read: Reader;
  readonly now: Temporal.Instant;
  readonly author: Author;
}

/** Remarks on a request that may be carried out. */
export interface Review {
  readonly warnings: readonly string[];
  /** For the record of each of its changes. */
  readonly annotations: AuditAnnotations;
}
