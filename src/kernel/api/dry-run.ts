import type { Entry } from '#kernel/store/contract.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';

/**
 * The result of a dry run, as Kubernetes shows it: nothing was written, so an object keeps the version that it has, and one
 * that would be new has none. Else `kubectl diff` would show the version as a difference.
 */
export function asDryRun(entry: Entry, current: Entry | undefined): Entry {
  const version = current?.version ?? entry.version;
  const copy = entry.object();
  if (current === undefined) delete copy.metadata.resourceVersion;
  else copy.metadata.resourceVersion = String(version);
  return textEntry(entry.kind, copy, version);
}
