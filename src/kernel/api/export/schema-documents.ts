import type { Kind } from '#kernel/kinds/kind.ts';
import { servedVersions } from '#kernel/kinds/registry.ts';
import { apiDocument, once, textDocument, type ApiDocument } from '../document.ts';
import { definitionOfKind } from './definition-of-kind.ts';
import { kindManifestSchema, manifestSchema, writtenByPeople } from './manifest-schema.ts';

/** The paths of documents for editors and for other servers. */
const SCHEMA_PATHS = {
  index: '/schemas',
  /** JSON Schema of all manifests. */
  manifest: '/schemas/manifest.json',
  /** The kinds of this program as CustomResourceDefinitions. */
  definitions: '/schemas/definitions.json',
} as const;

/** JSON Schemas of manifests and exported definitions, by path. Each is made when it is first asked for. */
export function schemaDocuments(stored: readonly Kind[]): ReadonlyMap<string, () => ApiDocument> {
  const kinds = stored.flatMap(servedVersions).filter(writtenByPeople);
  const exported = kinds.filter(({ definition }) => definition === undefined);
  const pathOf = ({ apiVersion, kind }: Kind): string => `/schemas/${apiVersion}/${kind}.json`;
  const index = () => ({
    manifest: SCHEMA_PATHS.manifest,
    definitions: SCHEMA_PATHS.definitions,
    kinds: kinds.map((kind) => ({ apiVersion: kind.apiVersion, kind: kind.kind, schema: pathOf(kind) })),
  });
  const definitions = () => ({ apiVersion: 'v1', kind: 'List', items: exported.map(definitionOfKind) });
  return new Map<string, () => ApiDocument>([
    [SCHEMA_PATHS.index, once(() => apiDocument(index()))],
    [SCHEMA_PATHS.manifest, once(() => textDocument(manifestSchema(kinds), 'application/schema+json'))],
    [SCHEMA_PATHS.definitions, once(() => apiDocument(definitions()))],
    ...kinds.map((kind) => {
      const make = () => apiDocument(kindManifestSchema(kind), 'application/schema+json');
      return [pathOf(kind), once(make)] as const;
    }),
  ]);
}
