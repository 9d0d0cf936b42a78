import type { Kind } from '#kernel/kinds/kind.ts';

const METADATA = {
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string' },
    namespace: { type: 'string' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    annotations: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

const DRAFT = 'http://json-schema.org/draft-07/schema#';

/** Kinds whose objects people write: those of Backline, and those that definitions define. */
export function writtenByPeople({ group, verbs, definition }: Kind): boolean {
  return verbs.includes('update') && (group.endsWith('.backline.dev') || definition !== undefined);
}

/** JSON Schema of all manifests that people write, for editors that check YAML as one types. A line for each kind. */
export function manifestSchema(kinds: readonly Kind[]): string {
  const lines = kinds.filter(writtenByPeople).map((kind) => `    ${JSON.stringify(manifestOf(kind))}`);
  return `{
  "$schema": "${DRAFT}",
  "title": "Backline manifests",
  "oneOf": [
${lines.join(',\n')}
  ]
}
`;
}

/** JSON Schema of the manifests of one kind. */
export function kindManifestSchema(kind: Kind): object {
  return { $schema: DRAFT, ...manifestOf(kind) };
}

function manifestOf({ apiVersion, kind, description, schema }: Kind): object {
  const { properties, required } = schema as { properties: Record<string, unknown>; required?: readonly string[] };
  const { status: _status, ...written } = properties;
  return {
    title: kind,
    description,
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', ...(required ?? []).filter((field) => field !== 'status')],
    properties: { apiVersion: { const: apiVersion }, kind: { const: kind }, metadata: METADATA, ...plain(written) },
    additionalProperties: false,
  };
}

/** Without the words that only Kubernetes knows. A field with a default may be absent. */
function plain(schema: Record<string, unknown>): Record<string, unknown> {
  const fields = schema['properties'] as Readonly<Record<string, { readonly default?: unknown }>> | undefined;
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]) => {
      if (key === 'x-kubernetes-int-or-string') return [['type', ['integer', 'string']]];
      if (key.startsWith('x-kubernetes-')) return [];
      if (key === 'required' && Array.isArray(value)) {
        return [[key, value.filter((name: string) => fields?.[name]?.default === undefined)]];
      }
      return [[key, plainValue(value)]];
    }),
  );
}

function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue);
  return typeof value === 'object' && value !== null ? plain(value as Record<string, unknown>) : value;
}
