import { Type } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '../define-kind.ts';
import type { ResourceObject } from '../kind.ts';
import { qualifiedNameProblems } from '../schema/names.ts';
import { invalid } from '../schema/problems.ts';
import { immutableWhenAsked } from './immutable.ts';
import { keyProblems, sizeProblems } from './keyed-data.ts';

/** The namespace of events of objects without one. */
const NAMESPACES_OF_THE_REST: ReadonlySet<string> = new Set(['default', 'backline-system']);

const text = (description: string) => Type.Optional(Type.String({ description }));
const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));

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
        uid: text('UID of the object.'),
        resourceVersion: text('Version of the object.'),
        fieldPath: text('The part of the object.'),
      },
      { description: 'The object of the event.' },
    ),
    reason: text('A code for programs.'),
    message: text('A sentence for people.'),
    type: text('Normal or Warning.'),
    source: Type.Optional(
      Type.Object(
        { component: text('The program that reports.'), host: text('The machine it runs on.') },
        { description: 'Who reports.' },
      ),
    ),
    firstTimestamp: time('When it first happened.'),
    lastTimestamp: time('When it last happened.'),
    eventTime: Type.Optional(
      Type.String({ format: 'date-time', nullable: true, description: 'When it happened, to the microsecond.' }),
    ),
    count: Type.Optional(Type.Integer({ description: 'How often it happened.' })),
    action: text('The operation.'),
    reportingComponent: text('The controller that reports.'),
    reportingInstance: text('The instance of that controller.'),
    series: Type.Optional(
      Type.Object(
        { count: Type.Optional(Type.Integer()), lastObservedTime: time('When it last happened.') },
        { description: 'A run of the same event.' },
      ),
    ),
  },
  validateObject: involvedNamespaceProblems,
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
      description: 'When it last happened.',
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
      description: 'A code for programs.',
      value: ({ reason }) => reason as string | undefined,
    },
    {
      name: 'Object',
      type: 'string',
      description: 'The object of the event.',
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

/** Events are in the namespace of their object; those of objects without one are in the default namespace or in ours. */
function involvedNamespaceProblems({ metadata, involvedObject }: ResourceObject): Problem[] {
  const { namespace: involved = '' } = (involvedObject ?? {}) as { namespace?: string };
  const { namespace = '' } = metadata;
  const isRight = involved === '' ? NAMESPACES_OF_THE_REST.has(namespace) : involved === namespace;
  return isRight ? [] : [invalid(['involvedObject', 'namespace'], involved, 'does not match event.namespace')];
}
