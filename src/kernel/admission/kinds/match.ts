import { Type, type Static } from 'typebox';
import { LabelSelectorSchema } from '#kernel/kinds/schema/label-selector.ts';

export const ADMISSION_GROUP = 'admissionregistration.k8s.io';

const texts = (description: string) => Type.Array(Type.String({ maxLength: 253 }), { maxItems: 100, description });

const ResourceRule = Type.Object(
  {
    apiGroups: texts('Groups; the core group is empty, * means all.'),
    apiVersions: texts('Versions; * means all.'),
    operations: Type.Array(Type.Enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT', '*']), {
      minItems: 1,
      maxItems: 5,
      description: 'CREATE, UPDATE, DELETE, or * for all. Nothing here is a CONNECT.',
    }),
    resources: texts('Plurals, plural/subresource, */subresource, plural/*, * for all resources, */* for all of all.'),
    resourceNames: Type.Optional(texts('Only objects with these names; absent means all.')),
    scope: Type.Enum(['Cluster', 'Namespaced', '*'], { default: '*', description: 'Which kinds, by their scope.' }),
  },
  { description: 'Writes of some resources.' },
);

const rules = (description: string) => Type.Optional(Type.Array(ResourceRule, { maxItems: 100, description }));

/** Writes that a policy or a binding is for. */
export const MatchResources = Type.Object(
  {
    namespaceSelector: Type.Optional({
      ...LabelSelectorSchema,
      description: 'Labels of the namespace. Kinds without one are in.',
    }),
    objectSelector: Type.Optional({
      ...LabelSelectorSchema,
      description: 'Labels of the object, before or after the write.',
    }),
    resourceRules: rules('One of them must match; absent means all writes.'),
    excludeResourceRules: rules('None of them may match.'),
    matchPolicy: Type.Enum(['Exact', 'Equivalent'], {
      default: 'Equivalent',
      description:
        'Equivalent: rules for one version of a kind, or one group of Events, are for writes in all. Exact: only in that one.',
    }),
  },
  { description: 'The writes that it is for.' },
);

export type MatchSpec = Static<typeof MatchResources>;
