import { Type } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '../define-kind.ts';
import type { ResourceObject } from '../kind.ts';
import { qualifiedNameProblems } from '../schema/names.ts';
import { invalid } from '../schema/problems.ts';
import { immutableWhenAsked } from './immutable.ts';
import { keyProblems, sizeProblems } from './keyed-data.ts';

export const Namespace = defineKind({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  scope: 'Cluster',
  description: 'A scope for names and access rules.',
  spec: Type.Optional(
    Type.Object(
      {
        finalizers: Type.Optional(
          Type.Array(Type.String(), { description: 'Controllers that have to clean up before it is removed.' }),
        ),
      },
      { description: 'How the namespace behaves.' },
    ),
  ),
  status: Type.Object(
    {
      phase: Type.Optional(Type.Enum(['Active', 'Terminating'], { description: 'Active, or being deleted.' })),
      conditions: Type.Optional(
        Type.Array(
          Type.Object({
            type: Type.String({ description: 'Type of the condition.' }),
            status: Type.Enum(['True', 'False', 'Unknown']),
            reason: Type.Optional(Type.String({ description: 'A code for programs.' })),
            message: Type.Optional(Type.String({ description: 'A sentence for people.' })),
            lastTransitionTime: Type.Optional(Type.String({ format: 'date-time' })),
          }),
          {
            description: 'Why a namespace that is being deleted still exists.',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['type'],
          },
        ),
      ),
    },
    { description: 'The phase of the namespace.' },
  ),
  validate: (spec) =>
    (spec?.finalizers ?? []).flatMap((finalizer, index) =>
      finalizer === 'kubernetes' || (finalizer.includes('/') && qualifiedNameProblems(finalizer).length === 0)
        ? []
        : [
            {
              path: ['spec', 'finalizers', index],
              reason: 'FieldValueInvalid' as const,
              detail: `Invalid value: ${JSON.stringify(finalizer)}: name is neither a standard finalizer name nor is it fully qualified`,
            },
          ],
    ),
  selectableFields: { 'status.phase': ['status', 'phase'] },
  columns: [
    {
      name: 'Status',
      type: 'string',
      description: 'Active, or being deleted.',
      value: (object) => (object.metadata.deletionTimestamp === undefined ? 'Active' : 'Terminating'),
    },
  ],
  example: { name: 'catalogue', spec: {} },
});

const staysAsItIs = immutableWhenAsked(['data', 'binaryData', 'immutable']);

export const ConfigMap = defineKind({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  scope: 'Namespaced',
  description: 'Configuration as named texts, for programs to read.',
  fields: {
    data: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Texts by key.' })),
    binaryData: Type.Optional(
      Type.Record(Type.String(), Type.String({ format: 'byte' }), { description: 'Bytes by key, in base64.' }),
    ),
    immutable: Type.Optional(Type.Boolean({ description: 'When true, data and binaryData can no longer change.' })),
  },
  validateObject: (object, before) => [...configMapProblems(object), ...staysAsItIs(object, before)],
  columns: [
    {
      name: 'Data',
      type: 'integer',
      description: 'How many keys it has.',
      value: ({ data, binaryData }) => Object.keys({ ...(data as object), ...(binaryData as object) }).length,
    },
  ],
  example: { name: 'greeting', fields: { data: { text: 'hello' } } },
});

function configMapProblems(object: ResourceObject): Problem[] {
  const data = (object['data'] ?? {}) as Readonly<Record<string, string>>;
  const binaryData = (object['binaryData'] ?? {}) as Readonly<Record<string, string>>;
  const bytes =
    Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value), 0) +
    Object.values(binaryData).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
  const inBoth = Object.keys(data).filter((key) => Object.hasOwn(binaryData, key));
  return [
    ...keyProblems('data', data),
    ...keyProblems('binaryData', binaryData),
    ...inBoth.map((key) => invalid(['data', key], key, 'duplicate of key present in binaryData')),
    // As in Kubernetes the size is of the object, not of one of its fields.
    ...sizeProblems([], bytes),
  ];
}
