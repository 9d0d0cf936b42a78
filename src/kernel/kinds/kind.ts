import type { TSchema } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import type { Typed } from './schema/read-typed.ts';

/** The part of every resource that the kernel owns. Times are RFC 3339. */
export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** A resource as it travels and is stored: a JSON object of which only the metadata is known to all. */
export interface ResourceObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: unknown;
  status?: unknown;
  [field: string]: unknown;
}

/** A resource of a kind, as its own functions get it: of the types of its schema, with every default in place. */
export interface ObjectOf<Spec, Status> extends ResourceObject {
  spec: Spec;
  status?: Status;
}

/** A reference from one resource to another. */
interface Ref {
  /** Where in the object the reference stands, e.g. `['spec', 'plan']`. */
  readonly path: readonly (string | number)[];
  /** `Kind.id` of what it points at, e.g. `products.backline.dev/Plan`. */
  readonly kind: string;
  /** Its live name, see `KindDeclaration.names`. */
  readonly name: string;
}

export interface Column<Object extends ResourceObject = ResourceObject> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly description: string;
  /** Above 0 the column shows only with `kubectl get -o wide`. */
  readonly priority?: number;
  /** The cell; a `date` cell is RFC 3339 and shown as an age. `undefined` shows as `<none>`. */
  readonly value: (object: Object, now: Temporal.Instant) => string | number | boolean | undefined;
}

/** What an object check may read besides the object: other objects as they are declared at this moment, and the time. */
export interface CheckContext {
  readonly now: Temporal.Instant;
  /** Objects of a kind (`Kind.id`) with this value in a declared index; `name` is always one, of live names. */
  readonly find: (kind: string, index: string, value: string) => readonly ResourceObject[];
  /** The object that is live for everybody under a live name; absent where an object is checked beside no live state. */
  readonly live?: (kind: string, name: string) => LiveObject | undefined;
  /** Whether whoever writes may be told of an object that was found; absent: of all. */
  readonly mayRead?: (kind: string, object: ResourceObject) => boolean;
  /** The kinds of this program; absent where an object is checked without one. */
  readonly kinds?: readonly Pick<Kind, 'id' | 'kind' | 'released'>[];
}

/** An object whose spec is live: what compilers read. */
export interface LiveObject {
  readonly kind: string;
  readonly namespace: string;
  /** Its live name, see `KindDeclaration.names`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: unknown;
  /** Content hash of the spec. */
  readonly revision: string;
  /** What was allotted to it when it went live, for kinds that share something scarce (see `KindDeclaration.allot`). */
  readonly allotment?: unknown;
}

/** A consistent set of specs, by kind (`Kind.id`) and live name. */
export interface World {
  readonly get: (kind: string, name: string) => LiveObject | undefined;
  readonly list: (kind: string) => Iterable<LiveObject>;
  /** Live objects of a kind with this value in a declared index (see `KindDeclaration.indexes`); `name` is always one. */
  readonly find: (kind: string, index: string, value: string) => readonly LiveObject[];
}

/** What can be done with the objects of a kind, in the words of the Kubernetes API. */
export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

/** The single source of a kind: validation, storage, OpenAPI, table columns and docs all follow from it. */
export interface KindDeclaration<Spec extends TSchema, Status extends TSchema> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  readonly description: string;
  /** What may be done with its objects; default everything. A kind that is a question has `create` alone. */
  readonly verbs?: readonly Verb[];
  /**
   * Who may post objects of a kind that is only posted, beside administrators: everybody who is known, when posting one
   * allows nothing by itself; or those who may edit.
   */
  readonly postedBy?: 'everyone' | 'editors';
  /**
   * True when its objects act on the whole installation, whatever namespace they stand in: only what is granted
   * everywhere opens it, no RoleBinding, and no default role but `cluster-admin` and `client-admin`. Where it depends on
   * the spec: writing and deleting such an object needs the right to do so everywhere.
   */
  readonly actsEverywhere?: true | ((spec: Typed<Spec>) => boolean);
  /** The largest body of a request about it: 64 KiB for a kind that is only posted, 3 MiB for one that is stored. */
  readonly bodyBytesMax?: number;
  /** The most values in such a body, and in an object that is stored: 32,768. */
  readonly bodyValuesMax?: number;
  /**
   * True when posting one writes other objects, each of which is asked about: whoever may write nothing at all is refused
   * before it is read.
   */
  readonly writesOthers?: boolean;
  /** Who may write its objects by the roles that every installation has, where that is not everybody who may edit. */
  readonly writtenBy?: 'administrators';
  readonly spec?: Spec;
  /** With a status the kind has a `/status` subresource. Of a released kind: the fields that it has beside the standard ones. */
  readonly status?: Status;
  /** Top-level fields besides apiVersion, kind, metadata, spec and status (ConfigMap's `data`). */
  readonly fields?: Readonly<Record<string, TSchema>>;
  /**
   * True when the spec goes live only through a Head (every kind that the decision plane or a reconciler reads).
   * Its spec is then kept as Revisions, and it has the standard status.
   */
  readonly released?: boolean;
  /**
   * Where no two objects of a released kind share a name; default `installation`. With `namespace` an object is
   * `NAMESPACE/NAME` wherever what is live is named: in worlds, Heads, releases and pins, and to all functions below. That is
   * its live name; otherwise the live name is the name.
   */
  readonly names?: 'installation' | 'namespace';
  /** The target that carries its changes, for a kind that is released; default `listeners`. */
  readonly target?: string;
  readonly columns?: readonly Column<ObjectOf<Typed<Spec>, Typed<Status>>>[];
  /** Fields that a field selector may name besides metadata.name and metadata.namespace, and where they stand. */
  readonly selectableFields?: Readonly<Record<string, readonly string[]>>;
  /** Of selectable fields: the index that has each object under the value of the field, so that a list is a look-up. */
  readonly fieldIndexes?: Readonly<Record<string, string>>;
  /**
   * True for what programs write all the time and nobody asks about later: superseded versions are kept for a day.
   */
  readonly transient?: boolean;
  /** Extra ways to find objects: index name to the values of one object. */
  readonly indexes?: Readonly<Record<string, (spec: Typed<Spec>, name: string) => readonly string[]>>;
  /**
   * Kinds (`Kind.id`) whose objects also decide what is answered of an object of this kind: a policy about this one alone
   * does not hold them.
   */
  readonly decidedBy?: readonly string[];
  /**
   * True where what an object means is also what it refers to: when that changes, what refers to this object is checked
   * anew.
   */
  readonly passesOn?: boolean;
  /** What an object of that namespace refers to; a reference to nothing keeps it from going live. */
  readonly refs?: (spec: Typed<Spec>, namespace: string) => readonly Ref[];
  /**
   * What is wrong in the object itself, beyond its schema: refuses the write. `before` is absent on create.
   * Paths start at the object's root (`['spec', …]`).
   */
  readonly validate?: (
    spec: Typed<Spec>,
    context: CheckContext & { name: string; before?: Typed<Spec> },
  ) => readonly Problem[];
  /** Rewrites a whole object before it is checked and stored: write-only fields into those that are kept. Pure. */
  readonly prepare?: (object: ResourceObject) => ResourceObject;
  /** Like `validate`, for kinds whose content is not in a spec: gets whole objects that passed the schema. */
  readonly validateObject?: (object: ResourceObject, before: ResourceObject | undefined) => readonly Problem[];
  /** True when its content is secret: sealed in the database, and in no message, plan, history or audit record. */
  readonly confidential?: boolean;
  /** Questions about one of its objects, posted below its path; answered, not stored. */
  readonly subresources?: Readonly<Record<string, Kind>>;
  /** Why the object may not be deleted now; refuses the delete. */
  readonly validateDelete?: (
    spec: Typed<Spec>,
    context: CheckContext & { annotations: Readonly<Record<string, string>> },
  ) => readonly Problem[];
  /**
   * What is wrong between this object and others (beyond references that lead nowhere): keeps it from going live
   * and is said in its status. `world` is the world as it would be with this object live, `live` the one that is; absent
   * where there is none yet. Of two objects that rule each other out, both say so: what is live is checked again only
   * where it refers to what changes.
   */
  readonly check?: (spec: Typed<Spec>, world: World, name: string, live?: World) => readonly Problem[];
  /** True where `check` finds nothing in an object that refers to nothing: such an object need not be read for that. */
  readonly checksReferencesOnly?: true;
  /**
   * For kinds whose objects share something scarce: what this object gets of it as it goes live, given what others in
   * `world` have and what it had before; problems keep it from going live. The allotment is kept with the Head, so it
   * stays as it is until the object changes. Nothing may refer to objects of such a kind.
   */
  readonly allot?: (
    object: LiveObject,
    world: World,
    before: LiveObject | undefined,
  ) => { readonly allotment: unknown } | { readonly problems: readonly Problem[] };
  /** What a change means, in sentences for people who are not engineers. `undefined` stands for absent. */
  readonly describe?: (
    name: string,
    before: Typed<Spec> | undefined,
    after: Typed<Spec> | undefined,
    world: World,
    now: Temporal.Instant,
  ) => readonly string[];
  /** A complete, valid object for docs and tests: its spec (or fields) and name. */
  readonly example?: {
    readonly name: string;
    readonly spec?: Typed<Spec>;
    readonly fields?: Readonly<Record<string, unknown>>;
  };
}

/** A declared kind with everything derived from the declaration. */
export interface Kind extends Omit<KindDeclaration<TSchema, TSchema>, 'scope' | 'spec' | 'status' | 'columns'> {
  /** `group/Kind`, or `Kind` in the core group: names the kind whatever the version. */
  readonly id: string;
  /** `group/version`, or `version` in the core group. */
  readonly apiVersion: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly released: boolean;
  readonly hasSpec: boolean;
  readonly target: string;
  readonly hasStatus: boolean;
  readonly verbs: readonly Verb[];
  readonly bodyBytesMax: number;
  readonly bodyValuesMax: number;
  readonly columns: readonly Column[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Schema of the whole object except apiVersion, kind and metadata. */
  readonly schema: TSchema;
}

/** A kind whose specs and statuses have the types of its schema. */
export interface KindOf<Spec, Status> extends Kind {
  /** The spec of an object of the kind that passed the schema, with the defaults of fields that came later. */
  readonly spec: (object: { readonly spec?: unknown }) => Spec;
  /** The status of such an object; undefined where nobody has written one. */
  readonly status: (object: { readonly status?: unknown }) => Status | undefined;
}
