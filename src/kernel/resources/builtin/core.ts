import { Type } from 'typebox';
import { defineKind } from '../define-kind.ts';
import { qualifiedNameProblems } from '../schema/names.ts';
import { immutableWhenAsked } from './immutable.ts';

const text = (description: string) => Type.Optional(Type.String({ description }));
const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));

export const Namespace = defineKind({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  scope: 'Cluster',
  description: 'A namespace says who owns the resources in it.',
  spec: Type.Optional(
    Type.Object(
      {
        finalizers: Type.Optional(Type.Array(Type.String(), { description: 'Who must let go before it is removed.' })),
      },
      { description: 'How the namespace behaves.' },
    ),
  ),
  status: Type.Object(
    {
      phase: Type.Optional(Type.Enum(['Active', 'Terminating'], { description: 'Active, or being removed.' })),
      conditions: Type.Optional(
        Type.Array(
          Type.Object({
            type: Type.String({ description: 'What is said.' }),
            status: Type.Enum(['True', 'False', 'Unknown']),
            reason: Type.Optional(Type.String({ description: 'One word for programs.' })),
            message: Type.Optional(Type.String({ description: 'A sentence for people.' })),
            lastTransitionTime: Type.Optional(Type.String({ format: 'date-time' })),
          }),
          {
            description: 'What keeps a namespace that is being removed.',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['type'],
          },
        ),
      ),
    },
    { description: 'Where the namespace is in its life.' },
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
  columns: [
    {
      name: 'Status',
      type: 'string',
      description: 'Active, or being removed.',
      value: (object) => (object.metadata.deletionTimestamp === undefined ? 'Active' : 'Terminating'),
    },
  ],
  example: { name: 'catalogue', spec: {} },
});

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
  validateObject: immutableWhenAsked(['data', 'binaryData', 'immutable']),
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

export const Event = defineKind({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  scope: 'Namespaced',
  transient: true,
  description: 'A report that something happened to an object.',
  fields: {
    involvedObject: Type.Object(
      {
        apiVersion: text('Version of the kind.'),
        kind: text('Kind of the object.'),
        namespace: text('Namespace of the object.'),
        name: text('Name of the object.'),
        uid: text('The one object with that name that is meant.'),
        resourceVersion: text('The version of the object that was seen.'),
        fieldPath: text('The part of the object that is meant.'),
      },
      { description: 'What the event is about.' },
    ),
    reason: text('One word for programs.'),
    message: text('A sentence for people.'),
    type: text('Normal or Warning.'),
    source: Type.Optional(
      Type.Object(
        { component: text('The program that reports.'), host: text('The machine it runs on.') },
        { description: 'Who reports.' },
      ),
    ),
    firstTimestamp: time('When it was first seen.'),
    lastTimestamp: time('When it was last seen.'),
    eventTime: Type.Optional(
      Type.String({ format: 'date-time', nullable: true, description: 'When it happened, to the microsecond.' }),
    ),
    count: Type.Optional(Type.Integer({ description: 'How often it was seen.' })),
    action: text('What was done.'),
    reportingComponent: text('The controller that reports.'),
    reportingInstance: text('The instance of that controller.'),
    series: Type.Optional(
      Type.Object(
        { count: Type.Optional(Type.Integer()), lastObservedTime: time('When it was last seen.') },
        { description: 'A run of the same event.' },
      ),
    ),
  },
  selectableFields: {
    'involvedObject.kind': ['involvedObject', 'kind'],
    'involvedObject.namespace': ['involvedObject', 'namespace'],
    'involvedObject.name': ['involvedObject', 'name'],
    'involvedObject.uid': ['involvedObject', 'uid'],
    'involvedObject.apiVersion': ['involvedObject', 'apiVersion'],
    'involvedObject.resourceVersion': ['involvedObject', 'resourceVersion'],
    'involvedObject.fieldPath': ['involvedObject', 'fieldPath'],
    reason: ['reason'],
    type: ['type'],
    reportingComponent: ['reportingComponent'],
  },
  columns: [
    {
      name: 'Last Seen',
      type: 'date',
      description: 'When it was last seen.',
      value: ({ lastTimestamp, eventTime, metadata }) =>
        (lastTimestamp ?? eventTime ?? metadata.creationTimestamp) as string,
    },
    {
      name: 'Type',
      type: 'string',
      description: 'Normal or Warning.',
      value: ({ type }) => type as string | undefined,
    },
    {
      name: 'Reason',
      type: 'string',
      description: 'One word for programs.',
      value: ({ reason }) => reason as string | undefined,
    },
    {
      name: 'Object',
      type: 'string',
      description: 'What the event is about.',
      value: ({ involvedObject }) => {
        const { kind = '', name = '' } = involvedObject as { kind?: string; name?: string };
        return `${kind.toLowerCase()}/${name}`;
      },
    },
    {
      name: 'Message',
      type: 'string',
      description: 'A sentence for people.',
      value: ({ message }) => message as string | undefined,
    },
  ],
  example: {
    name: 'premium.1',
    fields: {
      involvedObject: { kind: 'Plan', name: 'premium' },
      reason: 'Released',
      message: 'The plan went live.',
      type: 'Normal',
    },
  },
});
