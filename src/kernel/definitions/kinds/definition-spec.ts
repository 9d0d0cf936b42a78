import { Type, type Static, type TSchema } from 'typebox';

export const DEFINITION_LIMITS = {
  /** Definitions of an installation. */
  definitionsMax: 1_000,
  /** Of one kind. */
  versionsMax: 10,
  /** Of one version. */
  columnsMax: 50,
  /** As in Kubernetes. */
  selectableFieldsMax: 8,
  /** Values in the JSON of a definition: the largest ones in public have some 40,000. */
  valuesMax: 65_536,
  /** Characters of an expression or a path. */
  pathCharsMax: 1_024,
} as const;

const Text = (description: string, more: object = {}) =>
  Type.String({ minLength: 1, maxLength: DEFINITION_LIMITS.pathCharsMax, description, ...more });
const Name = (description: string) => Type.String({ minLength: 1, maxLength: 63, description });
const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(schema);

const Names = {
  plural: Name('The name in paths: `widgets`. The object is named PLURAL.GROUP.'),
  singular: optional(Name('What people type for one; default the kind in lower case.')),
  kind: Name('The kind in CamelCase.'),
  listKind: optional(Name('The kind of lists; default the kind with List behind it.')),
  shortNames: optional(Type.Array(Name('A name to type.'), { maxItems: 20, description: 'Short names to type.' })),
  categories: optional(
    Type.Array(Name('A category.'), {
      maxItems: 20,
      description: 'Groups of kinds that `kubectl get` knows, like `all`.',
    }),
  ),
};

const Column = Type.Object({
  name: Text('The heading.'),
  type: Type.Enum(['integer', 'number', 'string', 'boolean', 'date'], { description: 'The type of the cells.' }),
  format: optional(Text('Informational for clients.')),
  description: optional(Type.String({ maxLength: 4_096, description: 'What the column shows.' })),
  priority: optional(
    Type.Integer({ minimum: 0, maximum: 100, description: 'Above 0 the column shows only with `-o wide`.' }),
  ),
  jsonPath: Text('Where the value is: `.spec.size`.'),
});

const Version = Type.Object({
  name: Name('The version: `v1`, `v1beta1`.'),
  served: Type.Boolean({ description: 'Whether clients may use it.' }),
  storage: Type.Boolean({ description: 'Whether objects are stored in it; true for one version.' }),
  deprecated: optional(Type.Boolean({ description: 'Whether those who use it are warned.' })),
  deprecationWarning: optional(Type.String({ minLength: 1, maxLength: 256, description: 'The text of that warning.' })),
  schema: Type.Object(
    {
      openAPIV3Schema: Type.Unsafe<Readonly<Record<string, unknown>>>({
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        description: 'A structural schema: every field has its type, and rules stand beside it.',
      }),
    },
    { description: 'The fields of objects.' },
  ),
  subresources: optional(
    Type.Object(
      {
        status: optional(
          Type.Object(
            {},
            { description: 'Whether the status is written through `/status` alone, and the rest without it.' },
          ),
        ),
        scale: optional(
          Type.Object(
            {
              specReplicasPath: Text('Where the wanted number of replicas is: `.spec.replicas`.'),
              statusReplicasPath: Text('Where the number of replicas is: `.status.replicas`.'),
              labelSelectorPath: optional(Text('Where the label selector of the replicas is, as text.')),
            },
            { description: 'The `/scale` subresource, for `kubectl scale` and autoscalers.' },
          ),
        ),
      },
      { description: 'Parts of objects that have a path of their own.' },
    ),
  ),
  additionalPrinterColumns: optional(
    Type.Array(Column, {
      maxItems: DEFINITION_LIMITS.columnsMax,
      description: 'The columns of `kubectl get` behind the name; default the age.',
    }),
  ),
  selectableFields: optional(
    Type.Array(Type.Object({ jsonPath: Text('Where the field is: `.spec.color`.') }), {
      maxItems: DEFINITION_LIMITS.selectableFieldsMax,
      description: 'Fields that field selectors may name.',
    }),
  ),
});

export const DefinitionSpec = Type.Object(
  {
    group: Type.String({ minLength: 1, maxLength: 253, description: 'The group of the kind: a domain.' }),
    names: Type.Object(Names, { description: 'How the kind is called.' }),
    scope: Type.Enum(['Cluster', 'Namespaced'], { description: 'Whether objects are in namespaces.' }),
    versions: Type.Array(Version, {
      minItems: 1,
      maxItems: DEFINITION_LIMITS.versionsMax,
      description: 'The versions of the kind.',
    }),
    conversion: optional(
      Type.Object(
        {
          strategy: Type.Enum(['None', 'Webhook'], {
            description: 'None: only the apiVersion changes. Webhook: a server of yours converts.',
          }),
          webhook: optional(
            Type.Object(
              {
                clientConfig: Type.Object(
                  {
                    url: optional(
                      Type.String({ minLength: 1, maxLength: 2_048, description: 'Where it is asked: https only.' }),
                    ),
                    caBundle: optional(
                      Type.String({
                        format: 'byte',
                        maxLength: 256 * 1024,
                        description:
                          'PEM of the authority behind its certificate, in base64; default those of the system.',
                      }),
                    ),
                    service: optional(
                      Type.Unsafe<Readonly<Record<string, unknown>>>({
                        type: 'object',
                        'x-kubernetes-preserve-unknown-fields': true,
                        description: 'Refused: there are no Services here. Use url.',
                      }),
                    ),
                  },
                  { description: 'How the webhook is reached.' },
                ),
                conversionReviewVersions: Type.Array(Type.String({ maxLength: 63 }), {
                  minItems: 1,
                  maxItems: 10,
                  description: 'Versions of ConversionReview that it understands; v1 is sent.',
                }),
              },
              { description: 'The server that converts.' },
            ),
          ),
        },
        { description: 'How objects of one version become those of another one.' },
      ),
    ),
    preserveUnknownFields: optional(
      Type.Boolean({ description: 'Must be false; schemas say which unknown fields are kept.' }),
    ),
  },
  { description: 'A kind that users define.' },
);

export type DefinitionSpec = Static<typeof DefinitionSpec>;
export type VersionSpec = DefinitionSpec['versions'][number];

const Condition = Type.Object({
  type: Type.String({ description: 'NamesAccepted, Established, Released or Terminating.' }),
  status: Type.Enum(['True', 'False', 'Unknown'], { description: 'Whether it is so.' }),
  lastTransitionTime: optional(Type.String({ format: 'date-time', description: 'Since when.' })),
  reason: optional(Type.String({ description: 'A word for programs.' })),
  message: optional(Type.String({ description: 'A sentence for people.' })),
});

export const DefinitionStatus = Type.Object({
  conditions: optional(
    Type.Array(Condition, {
      description: 'Whether the kind is served.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  ),
  acceptedNames: optional(
    Type.Object(
      { ...Names, plural: optional(Names.plural), kind: optional(Names.kind) },
      { description: 'The names that are in use.' },
    ),
  ),
  storedVersions: optional(
    Type.Array(Type.String(), { description: 'Versions in which objects may be stored. None of them may be removed.' }),
  ),
});

export type DefinitionStatus = Static<typeof DefinitionStatus>;
export type DefinitionCondition = Static<typeof Condition>;
