import { isDeepStrictEqual } from 'node:util';
import { Refusal, fieldPath, type Path, type Problem } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { kubernetesTime } from '#kernel/base/clock.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { everyoneOf, Head, headName } from '#kernel/kinds/builtin/head.ts';
import { Scale } from '#kernel/kinds/builtin/scale.ts';
import { applyPatch } from '#kernel/kinds/patch/patch.ts';
import { bornNamespace, finalizersAfterDelete, isLetGo, requireDeletable, withFinalizersOf } from './deletion.ts';
import { labelledByName } from '#kernel/kinds/builtin/namespace-label.ts';
import type {
  CheckContext,
  Kind,
  ManagedFieldsEntry,
  ObjectMeta,
  ResourceObject,
  RoomLimit,
} from '#kernel/kinds/kind.ts';
import { hasForms, servedVersions, type KindRegistry } from '#kernel/kinds/registry.ts';
import { applyOver, areSameOwners, entriesAfter, entriesSent, type FieldWrite } from './field-owners.ts';
import type { FieldValidation, Operation, Part, Propagation } from './operation.ts';
import { NAMESPACE } from '#kernel/kinds/index-keys.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import { validateMetadata } from '#kernel/kinds/metadata.ts';
import { changedProblems } from '#kernel/kinds/schema/changed-problems.ts';
import { nameCharsMax } from '#kernel/kinds/schema/names.ts';
import { invalid as invalidValue } from '#kernel/kinds/schema/problems.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { unknownFieldProblems } from '#kernel/kinds/unknown-fields.ts';
import { ITEMS_MAX, MEMBERS_MAX, refuseTooHeavy, type ObjectLimits } from '#kernel/kinds/schema/weight.ts';
import { inVersion, readAs } from './read-as.ts';
import { BlockedWrite } from './blocked-write.ts';
import { readableProblems } from './readable-problems.ts';
import { scaleOf, scalePathsOf, withReplicas } from './scale.ts';
import { withoutValues } from '#kernel/kinds/confidential.ts';
import type { Author, Decide, Entry, Mutation, Reader, Review } from '../contract.ts';
import { findEntries } from '../find-entry.ts';

/** Who may write what: asked about every write, and throws a Refusal for those that may not be. */
export interface Admission {
  /** Whether the author must not know of the object that there is: an apply is then answered as where there is none. */
  readonly hides?: (write: WriteRequest) => boolean;
  /** Called before anything about the object is answered; `current` is absent when there is none. */
  readonly mayAsk: (write: WriteRequest) => void;
  /** Called with the object as it would be, before it is checked against others: only its writers may read those results. */
  readonly mayBecome?: (write: WriteRequest & { readonly object: ResourceObject }) => void;
  /** With the object that would be stored. */
  readonly mayStore: (write: WriteRequest & { readonly object: ResourceObject }) => void;
  /** With all that the write would do, after everybody else: throws a Refusal, or gives remarks. */
  readonly mayChange?: (write: ChangeRequest) => Review;
  /** With all changes of a request together, see `Decide.review`. */
  readonly review?: Decide<Operation>['review'];
  /** Whether the author may read another object; absent: every object. */
  readonly mayRead?: (author: Author, object: FoundObject) => boolean;
}

/** A write, and its result. */
export type ChangeRequest = WriteRequest & { readonly mutation: Mutation };

/** An object that was found, as rules for some objects see it. */
type FoundObject = Pick<Entry, 'kind' | 'namespace' | 'name' | 'labels' | 'object'>;

/** Asks one after the other. */
export function allAdmissions(...admissions: readonly Admission[]): Admission {
  return {
    hides: (write) => admissions.some(({ hides }) => hides?.(write) === true),
    mayAsk: (write) => admissions.forEach(({ mayAsk }) => mayAsk(write)),
    mayBecome: (write) => admissions.forEach(({ mayBecome }) => mayBecome?.(write)),
    mayStore: (write) => admissions.forEach(({ mayStore }) => mayStore(write)),
    mayRead: (...asked) => admissions.every(({ mayRead }) => mayRead?.(...asked) ?? true),
  };
}

interface WriteRequest {
  readonly operation: Operation;
  readonly kind: Kind;
  readonly current: Entry | undefined;
  readonly author: Author;
  readonly read: Reader;
  readonly now: Temporal.Instant;
}

/** The decision rules of a resource server: the result of one write, given the stored objects. Pure. */
export function decideWith(kinds: KindRegistry, admission?: Admission): Decide<Operation> {
  const decide: Decide<Operation> = (operation, read, now, author) => {
    if (!kinds.isKnown(operation.kind)) throw goneKind(operation.kind);
    const storedKind = kinds.byId(operation.kind);
    const kind = writtenVersion(storedKind, operation);
    const restores = 'restores' in operation;
    const mayRead = (object: FoundObject): boolean => admission?.mayRead?.(author, object) ?? true;
    const mayReadNamed = (kindId: string, name: string): boolean => {
      const of = kinds.byId(kindId);
      return findEntries(read, of, name).every(mayRead);
    };
    const stored = read.get(kind, operation.namespace, operation.name);
    const found = { operation, kind, current: stored, author, read, now };
    const current = admission?.hides?.(found) === true ? undefined : stored;
    const asked: WriteRequest = { ...found, current };
    const given: WriteContext = {
      kind,
      read,
      now,
      context: checkContext(kinds, read, now, mayRead),
      restores,
      author,
      mayRead,
      mayBecome: (object) => admission?.mayBecome?.({ ...asked, object }),
      readable: (problems) => readableProblems(problems, mayReadNamed),
    };
    try {
      admission?.mayAsk(asked);
      const mutation = bringToVersion(decideOne(operation, current, given), storedKind, current);
      if (mutation.do === 'put') admission?.mayStore({ ...asked, object: mutation.object });
      const review = admission?.mayChange?.({ ...asked, mutation });
      const stored = withSpecOf(current, operation, toStoredVersion(mutation, storedKind, author));
      return review === undefined ? stored : withReview(stored, review);
    } catch (error) {
      // The store converts the object, and decides again.
      if (!(error instanceof Refusal) || error instanceof BlockedWrite) throw error;
      const refusal = kind.confidential === true ? withoutValues(error) : error;
      throw operation.position === undefined ? refusal : atPosition(refusal, operation.position);
    }
  };
  return Object.assign(decide, admission?.review === undefined ? {} : { review: admission.review });
}

function withReview(mutation: Mutation, { warnings, annotations }: Review): Mutation {
  if (warnings.length === 0 && Object.keys(annotations).length === 0) return mutation;
  return { ...mutation, warnings: [...(mutation.warnings ?? []), ...warnings], annotations };
}

/** The kind in the version that an operation writes. */
function writtenVersion(kind: Kind, operation: Operation): Kind {
  // A deleted object stays as it is stored; the right to delete it is that of the group which was asked.
  if (!hasForms(kind) || (operation.verb === 'delete' && kind.twins === undefined)) return kind;
  const asked = operation.apiVersion;
  const apiVersion = asked ?? ('object' in operation ? (operation.object as ResourceObject).apiVersion : undefined);
  if (apiVersion === undefined || apiVersion === kind.apiVersion) return kind;
  const version = servedVersions(kind).find((one) => one.apiVersion === apiVersion);
  if (version === undefined && asked !== undefined) throw goneKind(`${kind.id} in ${asked}`);
  // An object of no version is refused where it is read.
  return version ?? kind;
}

/** A write that changes nothing brings an object to the version in which objects are stored now. */
function bringToVersion(mutation: Mutation, kind: Kind, current: Entry | undefined): Mutation {
  if (mutation.do !== 'nothing' || kind.definition === undefined || current === undefined) return mutation;
  if (current.object().apiVersion === kind.apiVersion) return mutation;
  return { ...mutation, do: 'put', kind, object: readAs(kind, current).object() };
}

function toStoredVersion(mutation: Mutation, kind: Kind, { requestId }: Author): Mutation {
  if (mutation.do === 'nothing' || mutation.kind === kind) return mutation;
  return { ...mutation, kind, object: inVersion(kind, mutation.object, requestId) };
}

/**
 * A new definition brings defaults, which a write of the status would declare: the spec of a released object stays to the letter. Its
 * revision may be of a time before the kind was released.
 */
function withSpecOf(current: Entry | undefined, operation: Operation, mutation: Mutation): Mutation {
  if (mutation.do !== 'put' || current === undefined || !('part' in operation) || operation.part !== 'status')
    return mutation;
  const { kind, object } = mutation;
  if (!kind.released || kind.definition === undefined) return mutation;
  const written = { ...object, spec: current.object().spec };
  return { ...mutation, object: written, ...revisionOf(kind, written) };
}

/** It was removed after the request had been read. */
function goneKind(id: string): Refusal {
  return resourceRefusal('no-such-kind', `the kind ${id} is no longer served`);
}

/** The same refusal, its paths led by the object's place in a change set. */
export function atPosition(refusal: Refusal, position: number): Refusal {
  const prefix = ['objects', position];
  const problems = refusal.problems.map((problem) => ({ ...problem, path: [...prefix, ...problem.path] }));
  return new Refusal(refusal.code, refusal.reason, refusal.message, {
    problems: problems.length > 0 ? problems : [{ path: prefix, reason: 'FieldValueInvalid', detail: refusal.message }],
    ...(refusal.remedy === undefined ? {} : { remedy: refusal.remedy }),
    ...(refusal.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: refusal.retryAfterSeconds }),
  });
}

interface WriteContext {
  readonly kind: Kind;
  readonly read: Reader;
  readonly now: Temporal.Instant;
  readonly context: CheckContext;
  /** True where what was live is declared again, see Operation. */
  readonly restores: boolean;
  /** Parts of this program keep their own limits. */
  readonly author: Author;
  /** Whether the author may read another object. */
  readonly mayRead: (object: FoundObject) => boolean;
  /** Throws a Refusal when the author may not give the object this content. */
  readonly mayBecome: (object: ResourceObject) => void;
  /** The problems as the author may read them. */
  readonly readable: (problems: readonly Problem[]) => readonly Problem[];
}

function checkContext(
  kinds: KindRegistry,
  read: Reader,
  now: Temporal.Instant,
  mayRead: WriteContext['mayRead'],
): CheckContext {
  return {
    now,
    mayRead: (kind, object) => {
      const { namespace = '', name, labels = {} } = object.metadata;
      return mayRead({ kind: kinds.byId(kind), namespace, name, labels, object: () => object });
    },
    kinds: kinds.all,
    find: (kindId, index, value) => {
      const kind = kinds.byId(kindId);
      const found = index === 'name' ? findEntries(read, kind, value) : read.find(kind, index, value);
      return found.map((entry) => entry.object());
    },
    live: (kind, name) => {
      const head = read.get(Head, '', headName(kinds.byId(kind), name));
      return head === undefined ? undefined : everyoneOf(head.object())?.object;
    },
  };
}

/** The limits of one object, whether it came as a whole or grew by patches. */
export function objectLimits({ bodyBytesMax, bodyValuesMax }: Kind): ObjectLimits {
  return { charsMax: bodyBytesMax, valuesMax: bodyValuesMax, membersMax: MEMBERS_MAX, itemsMax: ITEMS_MAX };
}

/** @param current the object as far as the author may know of it */
function decideOne(operation: Operation, current: Entry | undefined, given: WriteContext): Mutation {
  const { kind, author } = given;
  switch (operation.verb) {
    case 'create':
      return create(given, operation, operation.fieldValidation);
    case 'apply': {
      // A live spec may be older than the schema, and must be restorable all the same.
      const fieldValidation = operation.restores === true ? 'Ignore' : 'Strict';
      return current === undefined || operation.isNew === true
        ? create(given, operation, fieldValidation)
        : replace(given, current, declaredOver(current, operation.object), { part: 'main', fieldValidation });
    }
    case 'update': {
      if (current === undefined) throw notFoundRefusal(kind, operation.name);
      if (operation.part === 'scale') return rescale(given, current, operation.object, operation);
      const wanted = asObject(operation.object, kind);
      // Kinds of the core group may be replaced blindly, as Kubernetes has it; all others must name what they saw.
      if (givenVersion(wanted.metadata) === undefined && kind.group !== '' && kind.twins === undefined) {
        throw invalid(kind, operation.name, [
          {
            path: ['metadata', 'resourceVersion'],
            reason: 'FieldValueInvalid',
            detail: 'Invalid value: 0x0: must be specified for an update',
          },
        ]);
      }
      return replace(given, current, wanted, operation);
    }
    case 'patch': {
      if (current === undefined) throw notFoundRefusal(kind, operation.name);
      const before = asCurrentSchema(kind, current);
      // A patch may alter what it is given.
      const patched = applyPatch(
        operation.patchType,
        operation.part === 'scale' ? scaleOf(scalePathsOf(kind), before) : before,
        operation.patch,
      );
      if (author.caller !== undefined) refuseTooHeavy(withoutOwners(patched), objectLimits(kind));
      if (operation.part === 'scale') return rescale(given, current, patched, operation);
      const wanted = asObject(patched, kind);
      requireSamePlace(kind, current, wanted.metadata);
      return replace(given, current, wanted, operation);
    }
    case 'serverSideApply':
      return applyOnServer(given, current, operation);
    case 'delete':
      if (current === undefined) throw notFoundRefusal(kind, operation.name);
      return remove(given, current, operation);
    default:
      return operation satisfies never;
  }
}

/** Merges what is applied into the object, or creates it. What is written of it is decided as of any other write. */
function applyOnServer(
  given: WriteContext,
  current: Entry | undefined,
  operation: Extract<Operation, { readonly verb: 'serverSideApply' }>,
): Mutation {
  const { kind } = given;
  const { part, name, force, fieldValidation } = operation;
  if (current === undefined && part !== 'main') throw notFoundRefusal(kind, name);
  const body = asObject(operation.object, kind);
  if ((body.metadata.managedFields ?? undefined) !== undefined) {
    throw resourceRefusal('bad-managed-fields', 'metadata.managedFields must be nil');
  }
  if (current === undefined) requireNone(kind, name, body.metadata);
  else requireSamePlace(kind, current, { ...body.metadata, name });
  const { object: applied, warnings } = applySchema(given, body, fieldValidation, false);
  const before = current && asCurrentSchema(kind, current);
  const { object, entries } = applyOver(fieldWrite(given, part), before, applied, force);
  if (given.author.caller !== undefined) refuseTooHeavy(object, limitsWithOwners(kind));
  const mutation =
    current === undefined
      ? create(given, { ...operation, object, entries }, 'Ignore')
      : replace(given, current, object, { part, fieldValidation: 'Ignore', entries });
  return { ...mutation, warnings };
}

/** How many times more an object with its managers may hold: each applier adds all fields that it applies. */
const OWNERS_FACTOR = 4;

/** Limits of an object with its managers. A text that is longer could hold up the writer. */
export function limitsWithOwners(kind: Kind): ObjectLimits {
  const { valuesMax, membersMax, ...limits } = objectLimits(kind);
  return { ...limits, valuesMax: valuesMax * OWNERS_FACTOR, membersMax: membersMax * OWNERS_FACTOR };
}

/** Managers are kept by the program, and weigh nothing. */
export function withoutOwners(object: unknown): unknown {
  if (!isRecord(object) || !isRecord(object['metadata'])) return object;
  return { ...object, metadata: { ...object['metadata'], managedFields: undefined } };
}

/** Refuses an apply to a certain object that is not there. */
function requireNone(kind: Kind, name: string, { uid }: ObjectMeta): void {
  if (!uid) return;
  throw conflict(
    kind,
    name,
    `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
  );
}

function fieldWrite({ kind, author, now }: WriteContext, part: Part): FieldWrite {
  return { kind, part, author, time: kubernetesTime(now) };
}

interface Creation {
  readonly namespace: string;
  readonly name: string;
  readonly object: unknown;
  readonly uid: string;
  /** Its managers, where they are known. */
  readonly entries?: readonly ManagedFieldsEntry[];
}

function create(
  given: WriteContext,
  { namespace, name, object: body, uid, entries }: Creation,
  fieldValidation: FieldValidation,
): Mutation {
  const { kind, now, read } = given;
  const wanted = asObject(body, kind);
  const sent = entriesSent(wanted.metadata.managedFields, [], (problems) => require(kind, name, problems));
  if (givenVersion(wanted.metadata) !== undefined) {
    throw resourceRefusal('version-on-create', 'resourceVersion should not be set on objects to be created');
  }
  if (kind.namespaced) requireNamespace(read, namespace, kind, name);
  const metadata: ObjectMeta = {
    ...pickMetadata(kind, name, wanted.metadata),
    name,
    ...(kind.namespaced ? { namespace } : {}),
    uid,
    creationTimestamp: kubernetesTime(now),
    ...(kind.hasSpec ? { generation: 1 } : {}),
  };
  const fields = declaredFields(kind, wanted);
  const { object: declared, warnings } = applySchema(given, { ...fields, metadata }, fieldValidation, true);
  const object = kind === Namespace ? bornNamespace(declared) : declared;
  setOwners(object, entries ?? entriesAfter(fieldWrite(given, 'main'), undefined, declared, sent));
  requireValid(given, object, undefined);
  // Only who may create it, and as Kubernetes only who could, learns that the name is taken.
  if (read.get(kind, namespace, name) !== undefined) {
    throw resourceRefusal('already-exists', `${resourceName(kind)} "${name}" already exists`, {
      subject: name,
    });
  }
  requireRoom(given, object);
  return { do: 'put', kind, object, warnings, ...revisionOf(kind, object) };
}

/** Writes the number of replicas that a Scale wants. */
function rescale(
  given: WriteContext,
  current: Entry,
  body: unknown,
  { fieldValidation }: { readonly fieldValidation: FieldValidation },
): Mutation {
  const { kind } = given;
  const scale = asObject(structureOf(Scale).applyDefaults(body), Scale);
  require(Scale, current.name, structureOf(Scale).validate(scale));
  requireSamePlace(kind, current, scale.metadata);
  const object = withReplicas(scalePathsOf(kind), asCurrentSchema(kind, current), scale);
  return replace(given, current, object, { part: 'main', fieldValidation, by: 'scale' });
}

/** Sets the managers of an object, which has no list where it has none. */
function setOwners(object: ResourceObject, entries: readonly ManagedFieldsEntry[]): void {
  if (entries.length === 0) delete object.metadata.managedFields;
  else object.metadata.managedFields = [...entries];
}

interface Replacement {
  readonly part: Part;
  readonly fieldValidation: FieldValidation;
  /** The managers afterwards, where they are known. */
  readonly entries?: readonly ManagedFieldsEntry[];
  /** The subresource through which it is written. */
  readonly by?: 'scale';
}

function replace(
  given: WriteContext,
  current: Entry,
  wanted: ResourceObject,
  { part, fieldValidation, entries, by }: Replacement,
): Mutation {
  const { kind } = given;
  const before = asCurrentSchema(kind, current);
  const meta = before.metadata;
  const stored = meta.managedFields ?? [];
  requireSameObject(kind, current, wanted.metadata);
  if (part === 'status') {
    const isDefined = kind.definition !== undefined;
    const { object, warnings } = applySchema(given, { ...before, status: wanted.status }, fieldValidation, isDefined);
    const isSame = isDeepStrictEqual(object, before);
    if (isSame && areSameOwners(entries ?? stored, stored)) return { do: 'nothing', entry: current, warnings };
    object.metadata = { ...object.metadata };
    setOwners(object, entries ?? entriesAfter(fieldWrite(given, part), before, object, stored));
    require(kind, current.name, schemaProblems(kind, object, before));
    given.mayBecome(object);
    require(kind, current.name, kind.validateObject?.(object, before) ?? []);
    return { do: 'put', kind, object, warnings };
  }
  if (part === 'finalize') {
    const object = withFinalizersOf(wanted, before);
    if (isDeepStrictEqual(object, before)) return { do: 'nothing', entry: current };
    requireValid(given, object, before);
    if (meta.deletionTimestamp !== undefined && isLetGo(kind, object)) return { do: 'remove', kind, object };
    return { do: 'put', kind, object };
  }
  const fields = declaredFields(kind, kind === Namespace ? withFinalizersOf(before, wanted) : wanted);
  require(kind, current.name, deletionMarkProblems(meta, wanted.metadata));
  const sent =
    entries ?? entriesSent(wanted.metadata.managedFields, stored, (problems) => require(kind, current.name, problems));
  const metadata: ObjectMeta = {
    ...pickMetadata(kind, current.name, wanted.metadata),
    name: current.name,
    ...(kind.namespaced ? { namespace: current.namespace } : {}),
    ...keepServerFields(meta),
  };
  const { object, warnings } = applySchema(
    given,
    { ...fields, metadata, ...(kind.hasStatus && before.status !== undefined ? { status: before.status } : {}) },
    fieldValidation,
    true,
  );
  // Only now, with defaults in place, does it show whether anything that is declared has changed.
  if (isDeepStrictEqual({ ...object, metadata: undefined }, { ...before, metadata: undefined })) {
    const { managedFields: _owners, ...others } = meta;
    const isSame = isDeepStrictEqual(object.metadata, others);
    if (isSame && areSameOwners(sent, stored)) return { do: 'nothing', entry: current, warnings };
  } else if (meta.generation !== undefined) object.metadata.generation = meta.generation + 1;
  setOwners(object, entries ?? entriesAfter(fieldWrite(given, by ?? part), before, object, sent));
  requireValid(given, object, before);
  require(kind, current.name, finalizerProblems(meta, object.metadata));
  if (meta.deletionTimestamp !== undefined && isLetGo(kind, object)) {
    return { do: 'remove', kind, object, warnings };
  }
  requireRoom(given, object);
  const specChanged = object.metadata.generation !== meta.generation;
  return { do: 'put', kind, object, warnings, ...(specChanged ? revisionOf(kind, object) : {}) };

  function keepServerFields({
    uid,
    creationTimestamp,
    generation,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    resourceVersion,
  }: ObjectMeta) {
    return Object.fromEntries(
      Object.entries({
        uid,
        creationTimestamp,
        generation,
        deletionTimestamp,
        deletionGracePeriodSeconds,
        resourceVersion,
      }).filter(([, value]) => value !== undefined),
    );
  }
}

/** Refuses a deletion of another object, or of another version of it, than the caller means. */
export function requirePreconditions(
  { kind, name, uid, version }: Entry,
  expected: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined },
): void {
  const { uid: uidExpected = uid, resourceVersion: versionExpected = String(version) } = expected;
  if (uidExpected !== uid) {
    throw conflict(kind, name, `Precondition failed: UID in precondition: ${uidExpected}, UID in object meta: ${uid}`);
  }
  if (versionExpected !== String(version)) {
    throw conflict(
      kind,
      name,
      `Precondition failed: ResourceVersion in precondition: ${versionExpected}, ResourceVersion in object meta: ${version}`,
    );
  }
}

/** A stored object as the schema of today has it: without fields that are gone, with the defaults of those that came. */
function asCurrentSchema(kind: Kind, current: Entry): ResourceObject {
  const shown = readAs(kind, current).object();
  if (kind.definition !== undefined) return shown;
  const { prune, applyDefaults } = structureOf(kind);
  return asObject(applyDefaults(prune(shown).value), kind);
}

/** The fields that a write of the main part changes. */
function declaredFields({ hasPlainStatus }: Kind, object: ResourceObject): ResourceObject {
  if (hasPlainStatus === true) return object;
  const { status: _ignored, ...fields } = object;
  return fields;
}

function remove(
  given: WriteContext,
  current: Entry,
  operation: {
    readonly uidExpected?: string | undefined;
    readonly versionExpected?: string | undefined;
    readonly propagation?: Propagation | undefined;
    readonly by?: { readonly status: unknown };
  },
): Mutation {
  const { kind, now } = given;
  const object = current.object();
  requirePreconditions(current, { uid: operation.uidExpected, resourceVersion: operation.versionExpected });
  if (operation.by !== undefined) return { do: 'remove', kind, object: { ...object, status: operation.by.status } };
  const { metadata } = object;
  const before = metadata.finalizers ?? [];
  const finalizers = finalizersAfterDelete(before, operation.propagation);
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  if (metadata.deletionTimestamp !== undefined) {
    if (isLetGo(kind, object)) return { do: 'remove', kind, object };
    return isDeepStrictEqual(finalizers, before) ? { do: 'nothing', entry: current } : { do: 'put', kind, object };
  }
  if (kind === Namespace) requireDeletable(current.name);
  const { context, restores } = given;
  const problems = kind.validateDelete?.(object.spec, { ...context, annotations: metadata.annotations ?? {} });
  require(kind, current.name, restores ? [] : (problems ?? []));
  if (isLetGo(kind, object)) return { do: 'remove', kind, object };
  metadata.deletionTimestamp = kubernetesTime(now);
  metadata.deletionGracePeriodSeconds = 0;
  if (metadata.generation !== undefined) metadata.generation += 1;
  if (kind === Namespace) object.status = { ...Namespace.status(object), phase: 'Terminating' };
  return { do: 'put', kind, object };
}

/** Unknown fields dropped, defaults filled in; unknown fields refused or reported as the caller asked. */
function applySchema(
  given: WriteContext,
  wanted: ResourceObject,
  fieldValidation: FieldValidation,
  withDefaults: boolean,
): { object: ResourceObject; warnings: readonly string[] } {
  const { kind, restores } = given;
  // A live spec may be older than the definition, and is declared again to the letter.
  if (restores && kind.definition !== undefined) return { object: asObject(wanted, kind), warnings: [] };
  const structure = structureOf(kind);
  const { value, unknown } = structure.prune(wanted);
  const messages = unknown.map((path) => `unknown field "${fieldPath(path)}"`);
  if (fieldValidation === 'Strict' && unknown.length > 0) {
    throw resourceRefusal('unknown-field', `strict decoding error: ${messages.join(', ')}`, {
      problems: unknownFieldProblems(structure, unknown),
      remedy: `See the fields of ${kind.kind} with: kubectl explain ${kind.plural} --recursive`,
    });
  }
  const filled = withDefaults ? structure.applyDefaults(value) : value;
  if (filled !== value && kind.definition !== undefined) refuseTooHeavy(withoutOwners(filled), objectLimits(kind));
  const shapedObject = asObject(filled, kind);
  const object = kind.prepare?.(shapedObject) ?? shapedObject;
  return { object, warnings: fieldValidation === 'Warn' ? messages : [] };
}

/** The problems of an object by itself, before other objects are read. */
export function shapeProblems(kind: Kind, object: ResourceObject): readonly Problem[] {
  const structure = structureOf(kind);
  const { value, unknown } = structure.prune(object);
  return [
    ...unknownFieldProblems(structure, unknown),
    ...metadataProblems(kind, object.metadata),
    ...structure.validate(structure.applyDefaults(value)),
  ];
}

/** The problems of metadata; the Head of a released object needs a name too. */
function metadataProblems(kind: Kind, metadata: ObjectMeta): readonly Problem[] {
  const problems = validateMetadata(kind, metadata);
  if (!kind.released || problems.length > 0) return problems;
  const before = headName(kind, liveName(kind, metadata.namespace ?? '', ''));
  const charsMax = nameCharsMax - before.length;
  if (metadata.name.length <= charsMax) return problems;
  const explanation = `a ${kind.kind} goes live under ${before}NAME, which has at most ${nameCharsMax} characters: use at most ${charsMax}`;
  return [invalidValue(['metadata', 'name'], metadata.name, explanation)];
}

function requireValid(given: WriteContext, object: ResourceObject, before: ResourceObject | undefined): void {
  const { kind, context, restores, readable } = given;
  const { live: _live, ...afresh } = context;
  const { namespace = '', name } = object.metadata;
  // Selectors and cross-field rules may rely on the schema: they are asked only when the shape is right.
  const isAsItWas = restores && kind.definition !== undefined;
  require(kind, name, [
    ...metadataProblems(kind, object.metadata),
    ...(isAsItWas ? [] : schemaProblems(kind, object, before)),
  ]);
  given.mayBecome(object);
  if (before === undefined && (kind.released || kind.direct) && kind.names !== 'namespace')
    requireUniqueName(given, namespace, name);
  const problems = readable([
    ...((isAsItWas ? undefined : kind.validateObject?.(object, before)) ?? []),
    ...(kind.validate?.(object.spec, {
      ...(restores ? afresh : context),
      name: liveName(kind, namespace, name),
      namespace,
      ...(before === undefined || restores ? {} : { before: before.spec }),
    }) ?? []),
  ]);
  require(kind, name, problems);
}

/** Objects keep wrong values that a new definition made wrong, as long as nobody changes them. */
function schemaProblems(kind: Kind, object: ResourceObject, before: ResourceObject | undefined): readonly Problem[] {
  const { structure, validate } = structureOf(kind);
  if (before === undefined || kind.definition === undefined) return validate(object);
  return validate(object, changedProblems(structure, { before, after: object }));
}

function finalizerProblems(before: ObjectMeta, after: ObjectMeta): Problem[] {
  if (before.deletionTimestamp === undefined) return [];
  const added = (after.finalizers ?? []).filter((finalizer) => !(before.finalizers ?? []).includes(finalizer));
  return added.length === 0
    ? []
    : [
        {
          path: ['metadata', 'finalizers'],
          reason: 'FieldValueForbidden',
          detail: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
        },
      ];
}

function revisionOf(kind: Kind, object: ResourceObject) {
  if (!kind.released) return {};
  return {
    revision: { hash: contentHash(object.spec), generation: object.metadata.generation ?? 1, spec: object.spec },
  };
}

/** The result of a change set for an object that exists: its declaration, plus the annotations of kubectl. */
function declaredOver(current: Entry, declared: unknown): ResourceObject {
  const wanted = declared as ResourceObject;
  const kept = Object.entries(current.object().metadata.annotations ?? {}).filter(([key]) =>
    key.startsWith('kubectl.kubernetes.io/'),
  );
  const annotations = { ...Object.fromEntries(kept), ...wanted.metadata.annotations };
  const { finalizers, ownerReferences } = current.object().metadata;
  return {
    ...wanted,
    metadata: {
      ...(finalizers === undefined ? {} : { finalizers }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...wanted.metadata,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
  };
}

/** The metadata that a caller may set, with what the server adds. */
function pickMetadata(
  kind: Kind,
  name: string,
  { labels, annotations, finalizers, ownerReferences, generateName }: ObjectMeta,
): Omit<ObjectMeta, 'name'> {
  return Object.fromEntries(
    Object.entries({
      generateName,
      labels: kind === Namespace ? labelledByName(labels, name) : labels,
      annotations,
      finalizers,
      ownerReferences,
    }).filter(([, value]) => value !== undefined && value !== null && Object.keys(value).length > 0),
  );
}

/** The version that a caller means. As in Kubernetes an empty one, and 0, is none. */
function givenVersion({ resourceVersion }: ObjectMeta): string | undefined {
  return resourceVersion === '0' ? undefined : resourceVersion || undefined;
}

function asObject(value: unknown, kind: Kind): ResourceObject {
  const object = value as Partial<ResourceObject> | null;
  if (
    typeof object !== 'object' ||
    object === null ||
    typeof object.metadata !== 'object' ||
    object.metadata === null
  ) {
    throw resourceRefusal('not-an-object', `A ${kind.kind} must be an object with metadata.`);
  }
  const { apiVersion, kind: name } = object;
  if ((apiVersion || kind.apiVersion) !== kind.apiVersion || (name || kind.kind) !== kind.kind) {
    throw resourceRefusal(
      'wrong-kind',
      `This is ${kind.apiVersion} ${kind.kind}, but the object says ${String(apiVersion)} ${String(name)}.`,
    );
  }
  return { ...object, apiVersion: kind.apiVersion, kind: kind.kind, metadata: object.metadata };
}

function requireSameObject(kind: Kind, current: Entry, metadata: ObjectMeta): void {
  const { uid } = metadata;
  if (uid && uid !== current.uid) {
    throw conflict(
      kind,
      current.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.uid}`,
    );
  }
  requireSameVersion(kind, current, metadata);
}

function requireSameVersion(kind: Kind, current: Entry, metadata: ObjectMeta): void {
  const resourceVersion = givenVersion(metadata);
  if (resourceVersion !== undefined && resourceVersion !== String(current.version)) {
    throw conflict(
      kind,
      current.name,
      'the object has been modified; please apply your changes to the latest version and try again',
    );
  }
}

/** Refuses a patch that gives the object another name or namespace, or makes it another object. */
function requireSamePlace(kind: Kind, current: Entry, metadata: ObjectMeta): void {
  const { name, namespace, uid } = metadata;
  if (name !== current.name) {
    throw resourceRefusal(
      'name-mismatch',
      `the name of the object (${name ?? ''}) does not match the name on the URL (${current.name})`,
    );
  }
  if (namespace && namespace !== current.namespace) {
    throw resourceRefusal(
      'namespace-mismatch',
      `the namespace of the object (${namespace}) does not match the namespace on the URL (${current.namespace})`,
    );
  }
  requireSameVersion(kind, current, metadata);
  if (uid && uid !== current.uid) require(kind, current.name, [immutable(['metadata', 'uid'], uid)]);
}

/** An object is marked as deleted by a DELETE alone. */
function deletionMarkProblems(before: ObjectMeta, after: ObjectMeta): Problem[] {
  return (['deletionTimestamp', 'deletionGracePeriodSeconds'] as const).flatMap((field) => {
    const wanted = after[field] ?? before[field];
    return wanted === before[field] ? [] : [immutable(['metadata', field], wanted)];
  });
}

function immutable(path: Path, value: unknown): Problem {
  return invalidValue(path, value, 'field is immutable');
}

function requireNamespace(read: Reader, namespace: string, kind: Kind, name: string): void {
  const found = read.get(Namespace, '', namespace);
  if (found === undefined) throw namespaceMissing(namespace);
  if (found.object().metadata.deletionTimestamp !== undefined) {
    throw resourceRefusal(
      'namespace-terminating',
      `${resourceName(kind)} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
    );
  }
}

/** Refuses an object that would exceed what its kind may have in one namespace, or of one value of an index there. */
function requireRoom({ kind, read }: WriteContext, object: ResourceObject): void {
  const { inNamespaceMax, sharingMax = {} } = kind;
  const { namespace = '', name } = object.metadata;
  const inNamespace = (index: string, value: string): readonly Entry[] =>
    read.find(kind, index, value).filter((entry) => entry.namespace === namespace);
  if (inNamespaceMax !== undefined) {
    const all = inNamespace(NAMESPACE, namespace);
    requireRoomAmong(all, inNamespaceMax, { kind, object, of: `namespace ${namespace}` });
  }
  for (const [index, limit] of Object.entries(sharingMax)) {
    for (const value of kind.indexes?.[index]?.(object.spec, liveName(kind, namespace, name)) ?? []) {
      const of = `${index} ${value} in namespace ${namespace}`;
      requireRoomAmong(inNamespace(index, value), limit, { kind, object, of });
    }
  }
}

function requireRoomAmong(
  all: readonly Entry[],
  { objects, characters }: RoomLimit,
  { kind, object, of }: { readonly kind: Kind; readonly object: ResourceObject; readonly of: string },
): void {
  const others = all.filter(({ name }) => name !== object.metadata.name);
  const remedy = `Delete ${kind.plural} that are no longer needed.`;
  // One that is there already may be changed, also where a limit is newer than what is there.
  if (others.length === all.length && others.length >= objects) {
    const message = `${of} has ${others.length} ${kind.plural}, and may have ${objects}`;
    throw resourceRefusal('namespace-full', message, { remedy });
  }
  if (characters === undefined) return;
  const sum = others.reduce((chars, { text }) => chars + text.length, JSON.stringify(object).length);
  if (sum <= characters) return;
  const message = `the ${kind.plural} of ${of} would have ${sum} characters, and may have ${characters}`;
  throw resourceRefusal('namespace-full', message, { remedy });
}

function requireUniqueName({ kind, read, mayRead }: WriteContext, namespace: string, name: string): void {
  const other = read.find(kind, 'name', name).find((entry) => entry.namespace !== namespace);
  if (other === undefined) return;
  throw conflict(
    kind,
    name,
    `the name is taken in ${mayRead(other) ? `namespace ${other.namespace}` : 'another namespace'}; names of ${kind.plural} are unique in the whole installation`,
  );
}

function require(kind: Kind, name: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw invalid(kind, name, problems);
}

export function resourceName(kind: Kind): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

function namespaceMissing(name: string): Refusal {
  return resourceRefusal('namespace-not-found', `namespaces "${name}" not found`, { subject: name });
}

export function notFoundRefusal(kind: Kind, name: string): Refusal {
  return resourceRefusal('not-found', `${resourceName(kind)} "${name}" not found`);
}

function conflict(kind: Kind, name: string, why: string): Refusal {
  return resourceRefusal('conflict', `Operation cannot be fulfilled on ${resourceName(kind)} "${name}": ${why}`);
}

/** Many problems of one object in one refusal, worded as Kubernetes words them. */
export function invalid(kind: Kind, name: string, problems: readonly Problem[]): Refusal {
  const say = ({ path, detail }: { path: Path; detail: string }) => `${fieldPath(path)}: ${detail}`;
  const text = problems.length === 1 ? problems.map(say).join('') : `[${problems.map(say).join(', ')}]`;
  const title = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  return resourceRefusal('invalid', `${title} "${name}" is invalid: ${text}`, {
    problems,
    subject: name,
  });
}
