import { contentHash } from '#kernel/base/ids.ts';
import { comparePriority } from '#kernel/kinds/version-priority.ts';

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

/** The same of a text. */
export function textDocument(body: string, contentType: string): ApiDocument {
  return { contentType, body, etag: `"${contentHash(body)}"` };
}

/** The same of a text that is JSON already: large documents are made of pieces. */
export function documentOfText(body: string): ApiDocument {
  return { contentType: 'application/json', body, etag: `"${contentHash(body)}"` };
}

/** An object as JSON, of the texts of its members. */
export function objectText(members: ReadonlyMap<string, string>): string {
  return `{${Array.from(members, ([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
}

/** Makes a value when it is first asked for, and keeps it. */
export function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

/**
 * Kinds by their group and version; the core group has an empty name. Groups are in the order in which they were declared,
 * versions of a group the most preferred first.
 */
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
  for (const [group, versions] of groups) {
    if (versions.size > 1) groups.set(group, new Map([...versions].sort(([a], [b]) => comparePriority(a, b))));
  }
  return groups;
}

/** Where a group and version is served: `api/v1`, `apis/G/V`. */
export function groupVersionPath(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}
