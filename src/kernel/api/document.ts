import { contentHash } from '#kernel/base/ids.ts';

/** A document that is the same for every caller until the program changes. */
export interface ApiDocument {
  readonly contentType: string;
  readonly body: string;
  /** Of the body, quoted as the header wants it. */
  readonly etag: string;
}

export function apiDocument(content: object, contentType = 'application/json'): ApiDocument {
  return { contentType, body: JSON.stringify(content), etag: `"${contentHash(content)}"` };
}

/** Kinds by their group and version, in the order they were declared; the core group has an empty name. */
export function byGroupVersion<Item extends { readonly group: string; readonly version: string }>(
  kinds: readonly Item[],
): ReadonlyMap<string, ReadonlyMap<string, readonly Item[]>> {
  const groups = new Map<string, Map<string, Item[]>>();
  for (const kind of kinds) {
    const versions = groups.get(kind.group) ?? new Map<string, Item[]>();
    groups.set(kind.group, versions);
    const members = versions.get(kind.version) ?? [];
    versions.set(kind.version, members);
    members.push(kind);
  }
  return groups;
}

/** Where a group and version is served: `api/v1`, `apis/G/V`. */
export function groupVersionPath(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}
