import { isRecord } from '#kernel/base/is-record.ts';
import { servedVersions } from '#kernel/kinds/registry.ts';
import { LAST_APPLIED } from '#kernel/kinds/confidential.ts';
import type { Kind, ManagedFieldsEntry, ObjectMeta, ResourceObject } from '#kernel/kinds/kind.ts';
import { joinOldUpdaters, managerId, readEntries, writeEntries, type Tracking, type Writer } from './entries.ts';
import { difference, EMPTY, isEmpty, setOfPaths, type FieldSet } from './field-set.ts';
import { fieldTypeOfKind } from './schema-field-type.ts';
import {
  applyObject,
  areEqualManagers,
  updateManagers,
  type Conflict,
  type Managers,
  type Versions,
} from './transitions.ts';
import { setOfObject } from './values.ts';

/** One write of an object, as far as its fields have owners. */
export interface TrackedWrite {
  readonly kind: Kind;
  /** Who writes. */
  readonly manager: string;
  /** The part of the object that is written. */
  readonly part: 'main' | 'status' | 'scale';
  /** When, as Kubernetes writes it. */
  readonly time: string;
  /** Undefined where the object is created. */
  readonly before: ResourceObject | undefined;
  /** The managers before. */
  readonly entries: readonly ManagedFieldsEntry[];
}

/** The fields of an object that have owners. */
interface OwnedFields {
  readonly metadata?: unknown;
  readonly status?: unknown;
  readonly [field: string]: unknown;
}

/** The manager of all that an object had before its first apply. */
const BEFORE_FIRST_APPLY = 'before-first-apply';

/** Server-side apply by kubectl takes fields over from client-side apply, whose last object is in an annotation. */
const KUBECTL = 'kubectl';

/** Metadata that people set. */
const METADATA_FIELDS = ['generateName', 'labels', 'annotations', 'finalizers', 'ownerReferences'] as const;

/** That there is metadata has no owner. */
const METADATA_ITSELF = setOfPaths([['f:metadata']]);

/** The managers after an update, the writer among them with what it changed. */
export function trackUpdate(write: TrackedWrite, after: ResourceObject): ManagedFieldsEntry[] {
  const { managers, times } = updateTracking(readEntries(write.entries), write, after);
  return writeEntries(joinOldUpdaters({ managers, times }));
}

function updateTracking({ managers, times }: Tracking, write: TrackedWrite, after: ResourceObject): Tracking {
  const id = managerId(writerOf(write, 'Update'));
  const object = ownedFields(write, after);
  const change = { live: liveFields(write), object, version: write.kind.apiVersion, manager: id, managers };
  const result = updateManagers(change, versionsOf(write.kind));
  return {
    managers: result.managers,
    times: isEmpty(result.taken) ? times : new Map(times).set(id, write.time),
  };
}

/** The outcome of a server-side apply. */
export type TrackedApply =
  | { readonly fields: OwnedFields; readonly entries: ManagedFieldsEntry[] }
  | { readonly conflicts: readonly Conflict[] };

/** Applies fields to an object. Where it has no managers, one comes first that owns all that the object has. */
export function trackApply(write: TrackedWrite, applied: ResourceObject, force: boolean): TrackedApply {
  const { kind, time } = write;
  const tracking = trackingBefore(write);
  const id = managerId(writerOf(write, 'Apply'));
  const live = liveFields(write);
  const object = ownedFields(write, applied);
  const change = { live, object, version: kind.apiVersion, manager: id, managers: tracking.managers };
  const refusable = applyObject(change, force, versionsOf(kind));
  const isTakenOver = 'conflicts' in refusable && refusable.conflicts.length > 0;
  const left = isTakenOver ? conflictsBesides(refusable.conflicts, lastAppliedFields(write)) : [];
  if (left.length > 0) return { conflicts: left };
  const result = isTakenOver ? applyObject(change, true, versionsOf(kind)) : refusable;
  if ('conflicts' in result) return result;
  const managers = withoutFields(result.managers, id, METADATA_ITSELF);
  const isSame = result.object === live && areEqualManagers(managers, tracking.managers);
  const times = isSame ? tracking.times : new Map(tracking.times).set(id, time);
  return { fields: result.object as OwnedFields, entries: writeEntries({ managers, times }) };
}

/** The managers that an apply finds. */
function trackingBefore(write: TrackedWrite): Tracking {
  const { before, entries } = write;
  const tracking = readEntries(entries);
  if (before === undefined || tracking.managers.size > 0) return tracking;
  return updateTracking(tracking, { ...write, manager: BEFORE_FIRST_APPLY, before: undefined }, before);
}

function withoutFields(managers: Managers, id: string, fields: FieldSet): Managers {
  const manager = managers.get(id);
  if (manager === undefined) return managers;
  const left = { ...manager, fields: difference(manager.fields, fields) };
  const changed = new Map(managers).set(id, left);
  if (isEmpty(left.fields)) changed.delete(id);
  return changed;
}

/** The fields of the last client-side apply, where kubectl is the writer. */
function lastAppliedFields(write: TrackedWrite): FieldSet {
  const { kind, manager, before } = write;
  const text = before?.metadata.annotations?.[LAST_APPLIED];
  if (manager !== KUBECTL || text === undefined) return EMPTY;
  try {
    const object: unknown = JSON.parse(text);
    if (!isRecord(object)) return EMPTY;
    return setOfObject(fieldTypeOfKind(kind), ownedFields(write, { metadata: {}, ...object }));
  } catch {
    // Anybody may write the annotation.
    return EMPTY;
  }
}

function conflictsBesides(conflicts: readonly Conflict[], allowed: FieldSet): Conflict[] {
  return conflicts
    .map(({ manager, fields }) => ({ manager, fields: difference(fields, allowed) }))
    .filter(({ fields }) => !isEmpty(fields));
}

/**
 * The annotation that client-side apply compares with, as kubectl must find it after it applied on the server; undefined where
 * there is none to keep.
 */
export function lastAppliedAnnotation(
  manager: string,
  applied: ResourceObject,
  annotations: ObjectMeta['annotations'],
) {
  if (manager !== KUBECTL || annotations?.[LAST_APPLIED] === undefined) return undefined;
  return { [LAST_APPLIED]: `${JSON.stringify(applied)}\n` };
}

function writerOf({ kind, manager, part }: TrackedWrite, operation: 'Apply' | 'Update'): Writer {
  return { manager, operation, apiVersion: kind.apiVersion, ...(part === 'main' ? {} : { subresource: part }) };
}

function liveFields(write: TrackedWrite): OwnedFields {
  const { before } = write;
  return before === undefined ? { metadata: {} } : ownedFields(write, before);
}

/** The fields of a part of an object that have owners. */
function ownedFields(
  { kind, part }: Pick<TrackedWrite, 'kind' | 'part'>,
  object: { readonly metadata: unknown; readonly status?: unknown },
): OwnedFields {
  const { apiVersion: _version, kind: _kind, metadata, status, ...fields } = object as ResourceObject;
  const withStatus = status === undefined ? {} : { status };
  if (part === 'status') return withStatus;
  const given: Record<string, unknown> = isRecord(metadata) ? metadata : {};
  // Empty ones are not stored.
  const named = METADATA_FIELDS.map((field) => [field, given[field]] as const).filter(
    ([, value]) => Object.keys(value ?? {}).length > 0,
  );
  return { ...fields, ...(kind.hasPlainStatus === true ? withStatus : {}), metadata: Object.fromEntries(named) };
}

/** The versions of a kind. Objects of versions differ only in the apiVersion, unless another server converts them. */
function versionsOf(kind: Kind): Versions {
  const isConverted = kind.definition?.webhook !== undefined;
  return {
    typeOf: (version) => {
      const served = servedVersions(kind).find(({ apiVersion }) => apiVersion === version);
      return served && fieldTypeOfKind(served);
    },
    convert: (object, from, to) => {
      const twin = kind.twins?.kinds.find(({ apiVersion }) => apiVersion === to);
      if (kind.twins === undefined || twin === undefined || from === to)
        return from === to || !isConverted ? object : undefined;
      const { apiVersion: _version, ...fields } = kind.twins.convert(object as ResourceObject, twin);
      return fields;
    },
  };
}
