import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Kind, ManagedFieldsEntry, ResourceObject } from '#kernel/kinds/kind.ts';
import { conflictRefusal } from '#kernel/managed-fields/conflict-refusal.ts';
import { entriesProblems, isReset, MANAGER_LIMITS } from '#kernel/managed-fields/entries.ts';
import { lastAppliedAnnotation, trackApply, trackUpdate } from '#kernel/managed-fields/track.ts';
import type { Author } from '../contract.ts';
import type { Part } from './operation.ts';

/** Who writes which part of an object, and when. */
export interface FieldWrite {
  readonly kind: Kind;
  readonly part: Part;
  readonly author: Author;
  /** As Kubernetes writes it. */
  readonly time: string;
}

type Entries = readonly ManagedFieldsEntry[];

const NONE: Entries = [];

/**
 * The managers that an update starts from: those that it sends, or those that there are. A client that does not know of
 * managers sends none, and loses none. Throws the problems of those that it sends.
 */
export function entriesSent(sent: unknown, stored: Entries, refuse: (problems: readonly Problem[]) => void): Entries {
  if (sent === undefined || sent === null || isDeepStrictEqual(sent, stored)) return stored;
  if (isReset(sent)) return NONE;
  refuse(entriesProblems(sent));
  const entries = sent as Entries;
  return entries.length === 0 ? stored : entries;
}

/**
 * The managers after an update or a creation. Objects without managers stay without until they are first applied: those of parts
 * of this program, of kinds that programs write all the time, and those that are older than managers.
 */
export function entriesAfter(
  { kind, part, author, time }: FieldWrite,
  before: ResourceObject | undefined,
  object: ResourceObject,
  entries: Entries,
): Entries {
  const isTracked = before === undefined ? author.caller !== undefined && kind.transient !== true : entries.length > 0;
  if (!isTracked || part === 'finalize') return entries;
  // Controllers of this program write statuses all the time, and share them with nobody.
  const isOwnStatus = part === 'status' && author.caller === undefined;
  if (isOwnStatus && !entries.some(({ subresource }) => subresource === 'status')) return entries;
  return requireFew(trackUpdate({ kind, part, time, manager: managerOf(author), before, entries }, object));
}

/** The name under which an author owns fields. */
function managerOf({ caller, user }: Author): string {
  return caller === undefined ? user : (caller.manager ?? 'unknown');
}

/** The object and its managers after a server-side apply. Throws the conflicts that refuse it. */
export function applyOver(
  { kind, part, author, time }: FieldWrite,
  before: ResourceObject | undefined,
  applied: ResourceObject,
  force: boolean,
): { readonly object: ResourceObject; readonly entries: Entries } {
  if (part === 'finalize' || part === 'scale') throw new Error(`${part} is not applied`);
  const manager = managerOf(author);
  const entries = before?.metadata.managedFields ?? NONE;
  const result = trackApply({ kind, part, time, manager, before, entries }, applied, force);
  if ('conflicts' in result) throw conflictRefusal(result.conflicts);
  requireFew(result.entries);
  const { metadata: owned, ...fields } = result.fields;
  if (part === 'status') return { object: { ...(before ?? applied), ...fields }, entries: result.entries };
  const { apiVersion, kind: name, metadata, status } = before ?? applied;
  const { labels: _l, annotations: _a, finalizers: _f, ownerReferences: _o, generateName: _g, ...identity } = metadata;
  const named = { ...identity, ...(owned as Partial<ResourceObject['metadata']>) };
  const annotation = lastAppliedAnnotation(manager, applied, named.annotations);
  const whole = annotation === undefined ? named : { ...named, annotations: { ...named.annotations, ...annotation } };
  const object = { apiVersion, kind: name, metadata: whole, ...fields };
  const isKept = status !== undefined && kind.hasPlainStatus !== true;
  return { object: isKept ? { ...object, status } : object, entries: result.entries };
}

function requireFew(entries: Entries): Entries {
  const { managersMax } = MANAGER_LIMITS;
  if (entries.length <= managersMax) return entries;
  throw resourceRefusal(
    'too-many-managers',
    `${entries.length} managers would own fields, and at most ${managersMax} may`,
  );
}

/** Whether two lists of managers differ in more than the times at which they wrote. */
export function areSameOwners(a: Entries, b: Entries): boolean {
  return a === b || isDeepStrictEqual(withoutTimes(a), withoutTimes(b));
}

function withoutTimes(entries: Entries): Entries {
  return entries.map(({ time: _time, ...entry }) => entry);
}
