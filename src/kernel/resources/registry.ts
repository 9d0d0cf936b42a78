import type { Kind } from './kind.ts';

/** The kinds that this program knows, found by each of their names. */
export interface KindRegistry {
  readonly all: readonly Kind[];
  /** By `Kind.id`; asking for a kind that was never registered is a bug. */
  readonly byId: (id: string) => Kind;
  readonly byPlural: (group: string, version: string, plural: string) => Kind | undefined;
  readonly byApiVersion: (apiVersion: string, kind: string) => Kind | undefined;
}

export function kindRegistry(all: readonly Kind[]): KindRegistry {
  const ids = new Map<string, Kind>();
  const plurals = new Map<string, Kind>();
  const types = new Map<string, Kind>();
  for (const kind of all) {
    if (ids.has(kind.id)) throw new Error(`kind ${kind.id} is declared twice`);
    ids.set(kind.id, kind);
    plurals.set(`${kind.group}/${kind.version}/${kind.plural}`, kind);
    types.set(`${kind.apiVersion}/${kind.kind}`, kind);
  }
  return {
    all,
    byId: (id) => {
      const kind = ids.get(id);
      if (kind === undefined) throw new Error(`kind ${id} is not registered`);
      return kind;
    },
    byPlural: (group, version, plural) => plurals.get(`${group}/${version}/${plural}`),
    byApiVersion: (apiVersion, kind) => types.get(`${apiVersion}/${kind}`),
  };
}
