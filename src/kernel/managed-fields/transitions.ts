import { areEqualSets, difference, EMPTY, intersection, isEmpty, union, type FieldSet } from './field-set.ts';
import type { FieldType } from './field-type.ts';
import {
  changedFields,
  compareValues,
  fitToType,
  isSame,
  mergeValues,
  removeFields,
  setOfObject,
  withStructs,
  type Comparison,
} from './values.ts';

/** The fields that one manager owns, in the version of the kind in which it wrote them. */
export interface Manager {
  readonly version: string;
  /** Whether it owns them by applying: it then removes those that it applies no more. */
  readonly isApplier: boolean;
  readonly fields: FieldSet;
}

/** Managers by their id. */
export type Managers = ReadonlyMap<string, Manager>;

/** The versions of a kind. */
export interface Versions {
  /** The type of objects in a version; undefined where the version is no longer served. */
  readonly typeOf: (version: string) => FieldType | undefined;
  /** Converts an object between served versions; undefined where that cannot be done here. */
  readonly convert: (object: unknown, from: string, to: string) => unknown;
}

/** A write of an object, in one version of its kind. */
interface Write {
  /** The object before; an empty object where there is none. */
  readonly live: unknown;
  /** The object after, or the applied part of it. */
  readonly object: unknown;
  readonly version: string;
  /** Who writes, and all managers before. */
  readonly manager: string;
  readonly managers: Managers;
}

/** Fields that an apply would change although others own them. */
export interface Conflict {
  readonly manager: string;
  readonly fields: FieldSet;
}

/**
 * The managers after an update: who updates owns what it changed, and nobody else does. `taken` is what it changed; only
 * removing fields takes nothing.
 */
export function updateManagers(write: Write, versions: Versions): { managers: Managers; taken: FieldSet } {
  const { version, manager, object } = write;
  const managers = fitManagers(write.managers, versions);
  const { changes, comparison } = changesOf(write, object, managers, versions);
  const own = managers.get(manager)?.fields ?? EMPTY;
  const taken = changedFields(comparison);
  const fields = difference(union(own, taken), comparison.removed);
  const others = withoutChanges(managers, manager, changes);
  return { managers: withManager(others, manager, { version, isApplier: false, fields }), taken };
}

/** The result of an apply: the object and its managers after, or the conflicts that refuse it. */
export type ApplyResult =
  | { readonly object: unknown; readonly managers: Managers }
  | { readonly conflicts: readonly Conflict[] };

/**
 * Merges what is applied into the live object. Fields that the manager applied before and applies no more are removed, unless
 * others own them. Fields of others that would change are conflicts; with `force` they go over to the manager.
 */
export function applyObject(write: Write, force: boolean, versions: Versions): ApplyResult {
  const { live, version, manager, object: applied } = write;
  const type = servedType(versions, version);
  const fitted = fitManagers(write.managers, versions);
  const last = fitted.get(manager);
  const own: Manager = { version, isApplier: true, fields: setOfObject(type, applied) };
  const managers = new Map(fitted).set(manager, own);
  const merged = mergeValues(type, live, applied);
  const pruned =
    last === undefined || isStillApplied(last, own) ? merged : prune({ merged, version, last, managers }, versions);
  // A map or list that lost all that it had is null; if it is applied empty, it is empty.
  const object = pruned === merged ? merged : mergeValues(type, pruned, applied);
  const { comparison, changes } = changesOf(write, object, managers, versions);
  if (!force) {
    const conflicts = [...changes].flatMap(([other, comparison]) => {
      const fields = intersection(managers.get(other)?.fields ?? EMPTY, changedFields(comparison));
      return isEmpty(fields) ? [] : [{ manager: other, fields }];
    });
    if (conflicts.length > 0) return { conflicts };
  }
  return {
    // Only the order of items may differ, which alone changes nothing.
    object: isSame(comparison) ? live : object,
    managers: withManager(withoutChanges(managers, manager, changes), manager, own),
  };
}

/** Whether a manager applies all that it owned before: then it removes nothing. */
function isStillApplied(last: Manager, own: Manager): boolean {
  return last.version === own.version && isEmpty(difference(last.fields, own.fields));
}

export function areEqualManagers(a: Managers, b: Managers): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([id, { version, isApplier, fields }]) => {
    const other = b.get(id);
    return other?.version === version && other.isApplier === isApplier && areEqualSets(fields, other.fields);
  });
}

function servedType(versions: Versions, version: string): FieldType {
  const type = versions.typeOf(version);
  if (type === undefined) throw new Error(`version ${version} is not served`);
  return type;
}

/** Managers whose sets are of today's schema. */
function fitManagers(managers: Managers, { typeOf }: Versions): Managers {
  return new Map(
    [...managers].map(([id, manager]) => {
      const type = typeOf(manager.version);
      return [id, type === undefined ? manager : { ...manager, fields: fitToType(type, manager.fields) }];
    }),
  );
}

/** The changes of a write, for each of the other managers in its own version. Those of unserved versions have none. */
function changesOf({ live, version, manager }: Write, object: unknown, managers: Managers, versions: Versions) {
  const comparison = compareValues(servedType(versions, version), live, object);
  const byVersion = new Map([[version, comparison]]);
  const changes = new Map<string, Comparison>();
  for (const [id, other] of managers) {
    if (id === manager) continue;
    const type = versions.typeOf(other.version);
    if (type === undefined) continue;
    let compared = byVersion.get(other.version);
    if (compared === undefined) {
      // Where nothing is converted nothing changes: its manager keeps what it has.
      const convert = (value: unknown) => versions.convert(value, version, other.version);
      compared = compareValues(type, convert(live), convert(object));
      byVersion.set(other.version, compared);
    }
    changes.set(id, compared);
  }
  return { comparison, changes };
}

/** The other managers without the fields that a write changed. One of an unserved version is dropped. */
function withoutChanges(managers: Managers, manager: string, changes: ReadonlyMap<string, Comparison>): Managers {
  const left = new Map<string, Manager>();
  for (const [id, other] of managers) {
    const comparison = changes.get(id);
    if (id === manager || comparison === undefined) continue;
    const fields = difference(difference(other.fields, changedFields(comparison)), comparison.removed);
    if (!isEmpty(fields)) left.set(id, fields === other.fields ? other : { ...other, fields });
  }
  return left;
}

function withManager(managers: Managers, id: string, manager: Manager): Managers {
  return isEmpty(manager.fields) ? managers : new Map(managers).set(id, manager);
}

interface Pruning {
  readonly merged: unknown;
  /** The version in which it was merged. */
  readonly version: string;
  /** The manager before. */
  readonly last: Manager;
  /** All managers, with what the manager applies now. */
  readonly managers: Managers;
}

/** The merged object without the fields that its manager owned before, and that nobody owns now. */
function prune({ merged, version, last, managers }: Pruning, { typeOf, convert }: Versions): unknown {
  const type = typeOf(last.version);
  if (type === undefined || isEmpty(last.fields)) return merged;
  const before = convert(merged, version, last.version);
  if (before === undefined) return merged;
  const lastFields = withStructs(type, last.fields);
  // A field may be owned in another version: each version in turn gives back the fields that are owned in it.
  let pruned = { object: removeFields(type, before, lastFields), version: last.version };
  for (const [owned, fields] of fieldsByVersion(managers, last.version)) {
    const ownedType = typeOf(owned);
    if (ownedType === undefined || isEmpty(fields)) continue;
    const whole = convert(merged, version, owned);
    if (whole === undefined) continue;
    const left = withStructs(ownedType, setOfObject(ownedType, convert(pruned.object, pruned.version, owned)));
    const kept = union(left, withStructs(ownedType, fields));
    const gone = difference(withStructs(ownedType, setOfObject(ownedType, whole)), kept);
    pruned = { object: removeFields(ownedType, whole, gone), version: owned };
  }
  // Fields below the removed ones that nobody owned, and fields that another version does not have, stay.
  const left = withStructs(type, setOfObject(type, convert(pruned.object, pruned.version, last.version)));
  const gone = difference(withStructs(type, setOfObject(type, before)), left);
  return convert(removeFields(type, before, intersection(gone, lastFields)), last.version, version);
}

/** All fields that are owned in each version, the given version first. */
function fieldsByVersion(managers: Managers, first: string): ReadonlyMap<string, FieldSet> {
  const owned = new Map([[first, EMPTY]]);
  for (const { version, fields } of managers.values()) {
    owned.set(version, union(owned.get(version) ?? EMPTY, fields));
  }
  return owned;
}
