import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { readSchema } from '#kernel/kinds/schema/schema-node.ts';
import { openApiSchema } from '../openapi-schema.ts';

type Schema = Record<string, unknown>;

/**
 * A kind of this program as a CustomResourceDefinition, for a Kubernetes that shall store its objects: to keep them under GitOps
 * there, or to try manifests. Rules that are code (references, overlaps) and columns that are computed stay behind.
 */
export function definitionOfKind(kind: Kind): ResourceObject {
  const { group, version, plural, singular, shortNames, categories, namespaced, hasStatus } = kind;
  const schema = structural(openApiSchema(readSchema(kind.schema)));
  const fields = Object.values(kind.selectableFields ?? {}).map((path) => ({ jsonPath: `.${path.join('.')}` }));
  const served = {
    name: version,
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { ...schema, description: kind.description } },
    ...(hasStatus ? { subresources: { status: {} } } : {}),
    ...(fields.length === 0 ? {} : { selectableFields: fields }),
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular,
        ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
        ...(categories.length === 0 ? {} : { categories: [...categories] }),
      },
      scope: namespaced ? 'Namespaced' : 'Cluster',
      versions: [served],
    },
  };
}

/** Words that a structural schema has outside of `allOf`, `anyOf`, `oneOf` and `not` only. */
const OUTSIDE = ['description', 'type', 'default', 'additionalProperties', 'nullable'];

/** A schema in the form that CustomResourceDefinitions demand. Unknown fields are pruned there, not refused. */
function structural(schema: Schema): Schema {
  const { properties, items, additionalProperties, ...words } = schema;
  const kept: Schema = withoutUniqueness(words);
  for (const junctor of ['allOf', 'anyOf', 'oneOf']) {
    const branches = words[junctor];
    if (Array.isArray(branches) && kept['x-kubernetes-int-or-string'] !== true) kept[junctor] = branches.map(asRule);
  }
  if (words['not'] !== undefined) kept['not'] = asRule(words['not'] as Schema);
  return {
    ...kept,
    ...(properties === undefined ? {} : { properties: mapValues(properties as Record<string, Schema>, structural) }),
    ...(items === undefined ? {} : { items: structural(items as Schema) }),
    ...(typeof additionalProperties === 'object' && additionalProperties !== null
      ? { additionalProperties: structural(additionalProperties as Schema) }
      : {}),
  };
}

/** A branch says what must hold of fields that the schema around it declares. */
function asRule(branch: Schema): Schema {
  const { properties, items, ...words } = branch;
  const kept = Object.fromEntries(
    Object.entries(withoutUniqueness(words)).filter(([word]) => !OUTSIDE.includes(word) && !word.startsWith('x-')),
  );
  for (const junctor of ['allOf', 'anyOf', 'oneOf']) {
    const branches = kept[junctor];
    if (Array.isArray(branches)) kept[junctor] = branches.map(asRule);
  }
  return {
    ...kept,
    ...(properties === undefined ? {} : { properties: mapValues(properties as Record<string, Schema>, asRule) }),
    ...(items === undefined ? {} : { items: asRule(items as Schema) }),
  };
}

/** Kubernetes has no uniqueItems: it would cost the square of a list. */
function withoutUniqueness({ uniqueItems: _unique, ...words }: Schema): Schema {
  return words;
}

function mapValues(values: Record<string, Schema>, map: (value: Schema) => Schema): Record<string, Schema> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value)]));
}
