import type { Problem } from '#kernel/base/failures.ts';
import type { ManagedFieldsEntry } from '#kernel/kinds/kind.ts';
import { OBJECT_META } from '#kernel/kinds/schema/object-meta.ts';
import { invalid, requiredProblem, tooLong } from '#kernel/kinds/schema/problems.ts';
import { EMPTY, type SchemaNode } from '#kernel/kinds/schema/schema-node.ts';
import { compileValidate } from '#kernel/kinds/schema/validate.ts';
import { FieldSetError, parseFieldsV1, union, writeFieldsV1 } from './field-set.ts';
import type { Manager, Managers } from './transitions.ts';

export const MANAGER_LIMITS = {
  /** Managers of one object: every write compares with the fields of each. */
  managersMax: 100,
  /** Of them, those that update; the oldest are joined. */
  updatersMax: 10,
  /** Characters of the name of a manager. */
  nameCharsMax: 128,
} as const;

/** The updaters that were joined because there were too many. */
const JOINED_MANAGER = 'ancient-changes';

/** The managers of an object, by id, and when each last wrote. */
export interface Tracking {
  readonly managers: Managers;
  readonly times: ReadonlyMap<string, string>;
}

/** Who writes, in the words of an entry. */
export type Writer = Pick<ManagedFieldsEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>;

/** The id of a manager. An applier is the same in every version of a kind. */
export function managerId({ manager = '', operation, apiVersion = '', subresource = '' }: Writer): string {
  return JSON.stringify([operation, manager, subresource, operation === 'Apply' ? '' : apiVersion]);
}

/** The manager with an id; the version is that of an updater. */
export function managerNamed(id: string) {
  const [, name, subresource, version] = JSON.parse(id) as [string, string, string, string];
  return { name, subresource, version };
}

/** Reads entries that have no problems. Others, which only older programs could store, are left out. */
export function readEntries(entries: readonly ManagedFieldsEntry[]): Tracking {
  const managers = new Map<string, Manager>();
  const times = new Map<string, string>();
  for (const entry of entries) {
    const { operation, apiVersion = '', fieldsV1, time } = entry;
    const read = fieldsOrProblem(fieldsV1 ?? {});
    if (typeof read === 'string') continue;
    const id = managerId(entry);
    const before = managers.get(id);
    const fields = before === undefined ? read : union(before.fields, read);
    managers.set(id, { version: apiVersion, isApplier: operation === 'Apply', fields });
    if (time !== undefined) times.set(id, time);
  }
  return { managers, times };
}

function fieldsOrProblem(fieldsV1: unknown) {
  try {
    return parseFieldsV1(fieldsV1);
  } catch (error) {
    if (error instanceof FieldSetError) return error.message;
    throw error;
  }
}

/** The entries of managers: appliers first, then by time and name, as Kubernetes sorts them. */
export function writeEntries({ managers, times }: Tracking): ManagedFieldsEntry[] {
  const entries = [...managers].map(([id, { version, isApplier, fields }]): ManagedFieldsEntry => {
    const { name, subresource } = managerNamed(id);
    const time = times.get(id);
    return {
      manager: name,
      operation: isApplier ? 'Apply' : 'Update',
      apiVersion: version,
      ...(time === undefined ? {} : { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: writeFieldsV1(fields),
      ...(subresource === '' ? {} : { subresource }),
    };
  });
  const rank = (entry: ManagedFieldsEntry) =>
    [entry.operation, entry.time ?? '', entry.manager, entry.apiVersion, entry.subresource ?? ''].join('\0');
  return entries.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** At most ten updaters: the oldest of each version become one. */
export function joinOldUpdaters({ managers, times }: Tracking): Tracking {
  const updaters = [...managers.keys()].filter((id) => managers.get(id)?.isApplier === false);
  let surplus = updaters.length - MANAGER_LIMITS.updatersMax;
  if (surplus <= 0) return { managers, times };
  const rank = (id: string) => `${times.get(id) ?? ''}\0${id}`;
  const left = new Map(managers);
  const leftTimes = new Map(times);
  const firstOf = new Map<string, string>();
  for (const id of updaters.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1))) {
    if (surplus <= 0) break;
    const { version = '', fields } = left.get(id) ?? {};
    const first = firstOf.get(version);
    if (first === undefined || fields === undefined) {
      firstOf.set(version, id);
      continue;
    }
    const joined = managerId({ manager: JOINED_MANAGER, operation: 'Update', apiVersion: version });
    const before = left.get(joined) ?? left.get(first);
    for (const old of [first, id]) if (old !== joined) left.delete(old);
    left.set(joined, {
      version,
      isApplier: false,
      fields: before === undefined ? fields : union(before.fields, fields),
    });
    const time = leftTimes.get(id);
    if (time !== undefined) leftTimes.set(joined, time);
    firstOf.set(version, joined);
    surplus -= 1;
  }
  return { managers: left, times: leftTimes };
}

const ENTRIES_NODE: SchemaNode = {
  ...EMPTY,
  type: 'object',
  properties: new Map([['managedFields', OBJECT_META.properties.get('managedFields') ?? EMPTY]]),
};
const validateShape = compileValidate({ ...EMPTY, type: 'object', properties: new Map([['metadata', ENTRIES_NODE]]) });

/** The problems of entries that a client sends. */
export function entriesProblems(managedFields: unknown): readonly Problem[] {
  const shape = validateShape({ metadata: { managedFields } });
  if (shape.length > 0) return shape;
  const entries = managedFields as readonly ManagedFieldsEntry[];
  const path = ['metadata', 'managedFields'];
  const { managersMax } = MANAGER_LIMITS;
  if (entries.length > managersMax) {
    const detail = `Too many: ${entries.length}: must have at most ${managersMax} items`;
    return [{ path, reason: 'FieldValueTooMany', detail }];
  }
  return entries.flatMap((entry, index) => entryProblems(entry, [...path, index]));
}

function entryProblems(entry: ManagedFieldsEntry, path: readonly (string | number)[]): Problem[] {
  const { operation, fieldsType = '', manager = '', apiVersion = '', fieldsV1 } = entry;
  const problems: Problem[] = [];
  if (operation === undefined) problems.push(invalid([...path, 'operation'], '', 'must be `Apply` or `Update`'));
  if (fieldsType !== 'FieldsV1') {
    problems.push(invalid([...path, 'fieldsType'], fieldsType, 'must be `FieldsV1`'));
  }
  if (apiVersion === '') problems.push(requiredProblem([...path, 'apiVersion']));
  if (manager.length > MANAGER_LIMITS.nameCharsMax) {
    problems.push(tooLong([...path, 'manager'], `may not be more than ${MANAGER_LIMITS.nameCharsMax} bytes`));
  }
  const fields = fieldsOrProblem(fieldsV1 ?? {});
  if (typeof fields === 'string') {
    problems.push({ path: [...path, 'fieldsV1'], reason: 'FieldValueInvalid', detail: `Invalid value: ${fields}` });
  }
  return problems;
}

/** Whether a client asks to forget all managers: a list of one empty entry. */
export function isReset(managedFields: unknown): boolean {
  if (!Array.isArray(managedFields) || managedFields.length !== 1) return false;
  const [entry] = managedFields as unknown[];
  return typeof entry === 'object' && entry !== null && Object.keys(entry).length === 0;
}
