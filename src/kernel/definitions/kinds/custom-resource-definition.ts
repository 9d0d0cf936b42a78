import type { Problem } from '#kernel/base/failures.ts';
import { invalid } from '#kernel/kinds/schema/problems.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { definitionProblems, storedVersionProblems } from './check-definition.ts';
import { DEFINITION_LIMITS, DefinitionSpec, DefinitionStatus } from './definition-spec.ts';

/** Holds a definition until its objects are gone. */
export const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';

/** A kind that users define: its names, its versions and their schemas. The server serves it as it serves its own. */
export const CustomResourceDefinition = defineKind({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  scope: 'Cluster',
  actsEverywhere: true,
  description: 'A kind that users define. The server serves it as it serves its own kinds.',
  bodyValuesMax: DEFINITION_LIMITS.valuesMax,
  spec: DefinitionSpec,
  status: DefinitionStatus,
  columns: [
    { name: 'Kind', type: 'string', description: 'The kind.', priority: 1, value: ({ spec }) => spec.names.kind },
    {
      name: 'Established',
      type: 'string',
      description: 'Whether it is served.',
      priority: 1,
      value: ({ status }) => status?.conditions?.find(({ type }) => type === 'Established')?.status,
    },
  ],
  indexes: { plural: ({ names }) => [names.plural] },
  validate: definitionProblems,
  validateObject: (object, before) => (before === undefined ? [] : versionProblems(object, before)),
  prepare: withCleanup,
  example: {
    name: 'widgets.stock.example',
    spec: {
      group: 'stock.example',
      names: { plural: 'widgets', kind: 'Widget' },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', properties: { size: { type: 'integer', minimum: 1 } } } },
            },
          },
        },
      ],
    },
  },
});

/** Versions in which objects are stored, or may have been a moment ago, stay. */
function versionProblems(object: ResourceObject, before: ResourceObject): readonly Problem[] {
  const { storedVersions = [] } = CustomResourceDefinition.status(object) ?? {};
  const storage = CustomResourceDefinition.spec(before).versions.find((version) => version.storage)?.name ?? '';
  const stored = [...storedVersions, ...(storedVersions.includes(storage) ? [] : [storage])];
  return [
    ...storedVersionProblems(CustomResourceDefinition.spec(object), stored),
    ...droppedStorageProblems(object, before),
  ];
}

/** The version in which objects are stored now is not taken out of the status: it could be removed after another write. */
function droppedStorageProblems(object: ResourceObject, before: ResourceObject): readonly Problem[] {
  const [after = [], earlier = []] = [object, before].map(
    (one) => CustomResourceDefinition.status(one)?.storedVersions,
  );
  const storage = CustomResourceDefinition.spec(object).versions.find((version) => version.storage)?.name ?? '';
  if (after.includes(storage) || !earlier.includes(storage)) return [];
  return [invalid(['status', 'storedVersions'], after, `must have the storage version ${storage}`)];
}

/** A definition is held from its first moment on. */
function withCleanup(object: ResourceObject): ResourceObject {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  if (deletionTimestamp !== undefined || finalizers.includes(CLEANUP)) return object;
  return { ...object, metadata: { ...object.metadata, finalizers: [...finalizers, CLEANUP] } };
}
