import type { Clock } from '#kernel/base/clock.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';

/** The source of the statuses of a kind with `computedStatus`. */
export interface StatusReader {
  readonly kind: Kind;
  /** The status of an object now, from what is live. Pure, and cheap: lists call it for each object. */
  readonly read: (object: ResourceObject, now: Temporal.Instant) => object;
}

/** By `Kind.id`. */
export type StatusReaders = ReadonlyMap<string, StatusReader>;

/** An object as clients see it: with its status, where that is computed. */
export function withComputedStatus(entry: Entry, readers: StatusReaders, clock: Clock): Entry {
  const reader = readers.get(entry.kind.id);
  if (reader === undefined) return entry;
  const object = entry.object();
  return textEntry(entry.kind, { ...object, status: reader.read(object, clock()) }, entry.version);
}
