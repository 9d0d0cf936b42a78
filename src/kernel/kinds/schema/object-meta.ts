import { Type } from 'typebox';
import { readSchema } from './schema-node.ts';

const Time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));
const Texts = (description: string) => Type.Optional(Type.Record(Type.String(), Type.String(), { description }));

/** The schema of `metadata`, the same for every kind. */
const ObjectMetaSchema = Type.Object(
  {
    name: Type.Optional(
      Type.String({ description: 'Unique among the objects of this kind in the namespace. Cannot be changed.' }),
    ),
    generateName: Type.Optional(
      Type.String({ description: 'Start of the name that the server makes up when `name` is absent.' }),
    ),
    namespace: Type.Optional(
      Type.String({ description: 'The namespace that the object belongs to. Cannot be changed.' }),
    ),
    uid: Type.Optional(
      Type.String({ description: 'Unique id of this object, never reused for another of the same name. Read-only.' }),
    ),
    resourceVersion: Type.Optional(
      Type.String({
        description: 'The write that made this state. An update that sends an older one is refused.',
      }),
    ),
    generation: Type.Optional(
      Type.Integer({ format: 'int64', description: 'Grows when the spec changes. Read-only.' }),
    ),
    creationTimestamp: Type.Optional(
      Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
        description: 'When it was created. Read-only.',
      }),
    ),
    deletionTimestamp: Time('When its deletion was requested; it is removed when its finalizers are gone. Read-only.'),
    deletionGracePeriodSeconds: Type.Optional(Type.Integer({ format: 'int64', description: 'Read-only.' })),
    labels: Texts('Keys and values to select objects by.'),
    annotations: Texts('Keys and values for people and tools. Not selectable.'),
    finalizers: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Controllers that have to clean up before the object is removed.',
        'x-kubernetes-list-type': 'set',
      }),
    ),
    ownerReferences: Type.Optional(
      Type.Array(
        Type.Object(
          {
            apiVersion: Type.String({ description: 'API version of the owner.' }),
            kind: Type.String({ description: 'Kind of the owner.' }),
            name: Type.String({ description: 'Name of the owner.' }),
            uid: Type.String({ description: 'UID of the owner.' }),
            controller: Type.Optional(
              Type.Boolean({ description: 'The owner manages this object; one owner at most.' }),
            ),
            blockOwnerDeletion: Type.Optional(
              Type.Boolean({ description: 'With foreground deletion, the owner stays until this object is gone.' }),
            ),
          },
          { 'x-kubernetes-map-type': 'atomic' },
        ),
        {
          description: 'Objects that this one depends on. It is deleted when all of them are gone.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['uid'],
        },
      ),
    ),
    managedFields: Type.Optional(
      Type.Array(
        Type.Object({
          manager: Type.Optional(Type.String({ description: 'The manager of the fields.' })),
          operation: Type.Optional(
            Type.Enum(['Apply', 'Update'], { description: 'The operation that made it their manager.' }),
          ),
          apiVersion: Type.Optional(Type.String({ description: 'API version of the fields.' })),
          time: Time('When the entry last changed.'),
          fieldsType: Type.Optional(Type.String({ description: 'Always `FieldsV1`.' })),
          fieldsV1: Type.Optional(
            Type.Unsafe({
              type: 'object',
              'x-kubernetes-preserve-unknown-fields': true,
              description: 'The set of fields, as a tree.',
            }),
          ),
          subresource: Type.Optional(Type.String({ description: 'The subresource that was written, e.g. `status`.' })),
        }),
        { description: 'Managers of fields. Maintained by the server.', 'x-kubernetes-list-type': 'atomic' },
      ),
    ),
    selfLink: Type.Optional(Type.String({ description: 'Deprecated and not used.' })),
  },
  { description: 'Metadata of every object: name, labels, versions, owners.' },
);

export const OBJECT_META = readSchema(ObjectMetaSchema);
