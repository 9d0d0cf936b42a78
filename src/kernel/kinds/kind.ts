import type { TSchema } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import type { ValueOf } from './schema/read-typed.ts';

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
  managedFields?: ManagedFieldsEntry[];
}

/** The fields that one manager owns, as the API shows them. */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: 'Apply' | 'Update';
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: Record<string, unknown>;
  subresource?: string;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** A resource as it is sent and stored: a JSON object of which only the metadata has a fixed schema. */
export interface ResourceObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: unknown;
  status?: unknown;
  [field: string]: unknown;
}

/** A resource of a kind, as its own functions get it: typed by its schema, with every default in place. */
export interface ObjectOf<Spec, Status> extends ResourceObject {
  spec: Spec;
  status?: Status;
}

/** A reference from one resource to another. */
interface Ref {
  /** The path of the reference in the object, e.g. `['spec', 'plan']`. */
  readonly path: readonly (string | number)[];
  /** `Kind.id` of its target, e.g. `products.backline.dev/Plan`. */
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

/** The most objects, and characters of their texts together. */
export interface RoomLimit {
  readonly objects: number;
  /** Absent: not limited. */
  readonly characters?: number;
}

/** The context that an object check may read: other objects as they are declared at this moment, and the time. */
export interface CheckContext {
  readonly now: Temporal.Instant;
  /** Objects of a kind (`Kind.id`) with this value in a declared index; `name` is always one, of live names. */
  readonly find: (kind: string, index: string, value: string) => readonly ResourceObject[];
  /** The object that is live for everybody under a live name; absent where there is no live state. */
  readonly live?: (kind: string, name: string) => LiveObject | undefined;
  /** Whether the author of the write may see an object that was found; absent: all of them. */
  readonly mayRead?: (kind: string, object: ResourceObject) => boolean;
  /** The kinds of this program; absent where an object is checked without one. */
  readonly kinds?: readonly Pick<
    Kind,
    'id' | 'apiVersion' | 'kind' | 'released' | 'namespaced' | 'verbs' | 'confidential' | 'definition' | 'twins'
  >[];
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
  /** Its allotment, for kinds that share something scarce (see `KindDeclaration.allot`). */
  readonly allotment?: unknown;
}

/** A consistent set of specs, by kind (`Kind.id`) and live name. */
export interface World {
  readonly get: (kind: string, name: string) => LiveObject | undefined;
  readonly list: (kind: string) => Iterable<LiveObject>;
  /** Live objects of a kind with this value in a declared index (see `KindDeclaration.indexes`); `name` is always one. */
  readonly find: (kind: string, index: string, value: string) => readonly LiveObject[];
}

/** The spec of an object before and after a change; undefined where there is no object. */
export interface SpecChange<Spec> {
  readonly before: Spec | undefined;
  readonly after: Spec | undefined;
}

/** The fields of an object that its `/scale` subresource shows, as paths from the root of the object. */
export interface ScalePaths {
  /** The wanted number of replicas, which a write of the subresource changes. */
  readonly wanted: readonly string[];
  /** The number of replicas that there are. */
  readonly observed: readonly string[];
  /** The label selector of the replicas, as text. */
  readonly selector?: readonly string[];
}

/** The verbs of the Kubernetes API. */
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
  /** The verbs that it serves; default all. A kind that is a question has `create` alone. */
  readonly verbs?: readonly Verb[];
  /**
   * Who may post objects of a kind that is only posted, besides administrators: every authenticated user, when posting one
   * grants nothing by itself; or editors.
   */
  readonly postedBy?: 'everyone' | 'editors';
  /**
   * True when its objects act on the whole installation, whatever their namespace: only a ClusterRoleBinding gives access,
   * and no default role but `cluster-admin` and `client-admin`. A function where it depends on the spec: writing and
   * deleting such an object needs the right to do so in all namespaces.
   */
  readonly actsEverywhere?: true | ((spec: ValueOf<Spec>) => boolean);
  /** The largest body of a request: 64 KiB for a kind that is only posted, 3 MiB for one that is stored. */
  readonly bodyBytesMax?: number;
  /** The most values in such a body, and in an object that is stored: 32,768. */
  readonly bodyValuesMax?: number;
  /**
   * True when posting one writes other objects, each with its own access check: a user who may write nothing at all is
   * refused before the body is read.
   */
  readonly writesOthers?: boolean;
  /**
   * Rights to objects of other kinds that the author of a write needs besides, in any namespace: what an object causes may be more
   * than its own kind shows. No default role but `cluster-admin` has one.
   */
  readonly requires?: readonly { readonly verb: string; readonly kind: string }[];
  /** Who may write its objects by the default roles; default editors. */
  readonly writtenBy?: 'administrators';
  readonly spec?: Spec;
  /** With a status the kind has a `/status` subresource. For a released kind: its fields besides the standard ones. */
  readonly status?: Status;
  /**
   * True where the status is computed from what is live whenever an object is read, by `Module.statuses`: it is never stored, and
   * there is no `/status` subresource.
   */
  readonly computedStatus?: true;
  /** Top-level fields besides apiVersion, kind, metadata, spec and status (ConfigMap's `data`). */
  readonly fields?: Readonly<Record<string, TSchema>>;
  /**
   * True when the spec goes live only through a Head (every kind that the decision plane or a reconciler reads).
   * Its spec is then kept as Revisions, and it has the standard status.
   */
  readonly released?: boolean;
  /**
   * True where a write is live at once: decision nodes follow the objects themselves, and there are no Heads and no releases
   * of them. A reference of such an object may lead nowhere. A kind is released, direct, or neither.
   */
  readonly direct?: boolean;
  /**
   * The scope in which names of a released or direct kind are unique; default `installation`. With `namespace` the live name of
   * an object is `NAMESPACE/NAME`, otherwise its name. Worlds, Heads, releases, pins and all functions below use live names.
   */
  readonly names?: 'installation' | 'namespace';
  /** The target that carries its changes, for a kind that is released; default `listeners`. */
  readonly target?: string;
  readonly columns?: readonly Column<ObjectOf<ValueOf<Spec>, ValueOf<Status>>>[];
  /** Fields that a field selector may name besides metadata.name and metadata.namespace, and where they stand. */
  readonly selectableFields?: Readonly<Record<string, readonly string[]>>;
  /**
   * Whether an object of this name can have a value in a selectable field. False spares reading the object, where names tell:
   * never false of one that has it.
   */
  readonly mayHave?: (field: string, value: string, name: string) => boolean;
  /** The index of a selectable field, which has each object under the value of the field: a list is then a look-up. */
  readonly fieldIndexes?: Readonly<Record<string, string>>;
  /** The most objects of the kind in one namespace, and the most characters of their texts together. */
  readonly inNamespaceMax?: RoomLimit;
  /** The same of the objects of one namespace that share a value of an index, by that index. */
  readonly sharingMax?: Readonly<Record<string, RoomLimit>>;
  /**
   * True for kinds that programs write all the time: superseded versions are kept for a day.
   */
  readonly transient?: boolean;
  /** Extra ways to find objects: index name to the values of one object. */
  readonly indexes?: Readonly<Record<string, (spec: ValueOf<Spec>, name: string) => readonly string[]>>;
  /**
   * Whether the text of a spec shows that `indexes` and `refs` find nothing in it, so that a start need not parse it. False
   * where that is not certain.
   */
  readonly isAlone?: (specText: string) => boolean;
  /**
   * Kinds (`Kind.id`) whose objects also decide the answers about an object of this kind. A policy that selects only this
   * kind does not hold their changes.
   */
  readonly decidedBy?: readonly string[];
  /**
   * True where the meaning of an object includes the objects that it refers to: when one of them changes, the objects that
   * refer to this one are checked again.
   */
  readonly passesOn?: boolean;
  /** The references of an object of that namespace; a dangling reference keeps it from going live. */
  readonly refs?: (spec: ValueOf<Spec>, namespace: string) => readonly Ref[];
  /**
   * Problems of the object itself that its schema cannot express; they refuse the write. `before` is absent on create.
   * Paths start at the object's root (`['spec', …]`).
   */
  readonly validate?: (
    spec: ValueOf<Spec>,
    context: CheckContext & { name: string; namespace?: string; before?: ValueOf<Spec> },
  ) => readonly Problem[];
  /** Rewrites a whole object before it is checked and stored: write-only fields into stored ones. Pure. */
  readonly prepare?: (object: ResourceObject) => ResourceObject;
  /** Like `validate`, for kinds whose content is not in a spec: gets whole objects that passed the schema. */
  readonly validateObject?: (object: ResourceObject, before: ResourceObject | undefined) => readonly Problem[];
  /** True when its content is secret: sealed in the database, and in no message, plan, history or audit record. */
  readonly confidential?: boolean;
  /** True of a question that is answered about an object that is gone, too: its handler calls `requireObject`. */
  readonly isForGone?: true;
  /** The `/scale` subresource: where an object has the number of its replicas. */
  readonly scale?: ScalePaths;
  /** Questions about one of its objects, posted below its path; answered, not stored. */
  readonly subresources?: Readonly<Record<string, Kind>>;
  /** Why the object may not be deleted now; refuses the delete. */
  readonly validateDelete?: (
    spec: ValueOf<Spec>,
    context: CheckContext & { annotations: Readonly<Record<string, string>> },
  ) => readonly Problem[];
  /**
   * Problems between this object and others, besides dangling references. They keep it from going live and are shown in its
   * status. `world` is the world with this object live, `live` the current one; absent where there is none yet. Two
   * conflicting objects must both report it: a live object is checked again only if it refers to the changed one.
   */
  readonly check?: (spec: ValueOf<Spec>, world: World, name: string, live?: World) => readonly Problem[];
  /** True where `check` finds no problem in an object without references, so that such an object need not be read. */
  readonly checksReferencesOnly?: true;
  /**
   * For kinds whose objects share something scarce: the part that this object gets as it goes live, given the allotments of
   * others in `world` and its previous one; problems keep it from going live. The allotment is stored in the Head, so it
   * stays the same until the object changes. Nothing may refer to objects of such a kind.
   */
  readonly allot?: (
    object: LiveObject,
    world: World,
    before: LiveObject | undefined,
  ) => { readonly allotment: unknown } | { readonly problems: readonly Problem[] };
  /** Describes a change in sentences for people who are not engineers. */
  readonly describe?: (
    name: string,
    change: SpecChange<ValueOf<Spec>>,
    context: { readonly world: World; readonly now: Temporal.Instant },
  ) => readonly string[];
  /** A complete, valid object for docs and tests: its spec (or fields) and name. */
  readonly example?: {
    readonly name: string;
    readonly spec?: ValueOf<Spec>;
    readonly fields?: Readonly<Record<string, unknown>>;
  };
}

/** The parts of a kind that is defined by an object, and comes and goes with it. */
export interface Definition {
  /** The name of the object. */
  readonly name: string;
  /** Changes whenever the kind does. */
  readonly revision: string;
  /** The versions that are served, the most preferred first. All have one `Kind.id`. */
  readonly versions: readonly Kind[];
  /** The server of others that turns objects of one version into another; absent: only their apiVersion changes. */
  readonly webhook?: ConversionWebhook;
}

/** A kind of the program whose objects another group shows too, with other names of fields. */
export interface Twins {
  /** The kind in which objects are stored, and the other one. Both have its `Kind.id`. */
  readonly kinds: readonly Kind[];
  /** An object of one of them as the other shows it. Pure. */
  readonly convert: (object: ResourceObject, kind: Kind) => ResourceObject;
}

/** A server that converts objects. */
export interface ConversionWebhook {
  readonly url: string;
  /** PEM of the authority that signed its certificate; absent: those of the system. */
  readonly ca?: string;
}

/** A declared kind with everything derived from the declaration. */
export interface Kind extends Omit<KindDeclaration<TSchema, TSchema>, 'scope' | 'spec' | 'status' | 'columns'> {
  /** `group/Kind`, or `Kind` in the core group: names the kind whatever the version. */
  readonly id: string;
  /** `group/version`, or `version` in the core group. */
  readonly apiVersion: string;
  readonly singular: string;
  /** The kind of its lists; absent: the kind with `List` behind it. */
  readonly listKind?: string;
  readonly namespaced: boolean;
  readonly released: boolean;
  readonly direct: boolean;
  readonly hasSpec: boolean;
  readonly target: string;
  /** Whether it has a status that is written. */
  readonly hasStatus: boolean;
  readonly verbs: readonly Verb[];
  readonly bodyBytesMax: number;
  readonly bodyValuesMax: number;
  readonly columns: readonly Column[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Schema of the whole object except apiVersion, kind and metadata. */
  readonly schema: TSchema;
  /** Absent for kinds of the program. The registry has the kind in the version in which its objects are stored. */
  readonly definition?: Definition;
  /** Absent for kinds that are served in one group. */
  readonly twins?: Twins;
  /** True where the status is a field like any other: it is written with the rest, and there is no `/status`. */
  readonly hasPlainStatus?: true;
  /** True where `columns` has the age, or leaves it out on purpose. */
  readonly hasOwnAge?: true;
  /** A warning for everybody who uses this version. */
  readonly deprecation?: string;
}

/** A kind whose specs and statuses have the types of its schema. */
export interface KindOf<Spec, Status> extends Kind {
  /** The spec of an object of the kind that passed the schema, with the defaults of newer fields. */
  readonly spec: (object: { readonly spec?: unknown }) => Spec;
  /** The status of such an object; undefined where it has none yet. */
  readonly status: (object: { readonly status?: unknown }) => Status | undefined;
}
