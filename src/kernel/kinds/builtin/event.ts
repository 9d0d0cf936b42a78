import { isDeepStrictEqual } from 'node:util';
import { Type } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '../define-kind.ts';
import type { Column, ResourceObject } from '../kind.ts';
import { qualifiedNameProblems } from '../schema/names.ts';
import { invalid, requiredProblem } from '../schema/problems.ts';
import { withTwin } from '../twins.ts';

/** The namespaces of events of objects without one. */
const NAMESPACES_OF_THE_REST: ReadonlySet<string> = new Set(['default', 'backline-system']);

/** As in Kubernetes. */
const LIMITS = { codeCharsMax: 128, noteCharsMax: 1_024, seriesCountMin: 2 } as const;

const text = (description: string) => Type.Optional(Type.String({ description }));
const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));
const microTime = (description: string) =>
  Type.Optional(Type.String({ format: 'date-time', nullable: true, description }));

const objectReference = (description: string) =>
  Type.Object(
    {
      apiVersion: text('Version of the kind.'),
      kind: text('Kind of the object.'),
      namespace: text('Namespace of the object.'),
      name: text('Name of the object.'),
      uid: text('UID of the object.'),
      resourceVersion: text('Version of the object.'),
      fieldPath: text('The part of the object.'),
    },
    { description },
  );

const source = Type.Optional(
  Type.Object(
    { component: text('The program that reports.'), host: text('The machine it runs on.') },
    { description: 'Who reports.' },
  ),
);
const count = Type.Optional(Type.Integer({ description: 'How often it happened.' }));

/** Fields that both groups have under one name. */
const SHARED = {
  reason: text('A code for programs.'),
  type: text('Normal or Warning.'),
  eventTime: microTime('When it happened, to the microsecond.'),
  action: text('The operation.'),
  reportingInstance: text('The instance of that controller.'),
  related: Type.Optional(objectReference('A second object of the event.')),
  series: Type.Optional(
    Type.Object(
      { count: Type.Optional(Type.Integer()), lastObservedTime: time('When it last happened.') },
      { description: 'A run of the same event.', nullable: true },
    ),
  ),
};

/** Names of fields in the core group, and in events.k8s.io. */
const RENAMED = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const;
const TO_GROUP: ReadonlyMap<string, string> = new Map(RENAMED);
const TO_CORE: ReadonlyMap<string, string> = new Map(RENAMED.map(([core, group]) => [group, core]));

const core = defineKind({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  scope: 'Namespaced',
  transient: true,
  description: 'A report that something happened to an object.',
  fields: {
    involvedObject: objectReference('The object of the event.'),
    message: text('A sentence for people.'),
    source,
    firstTimestamp: time('When it first happened.'),
    lastTimestamp: time('When it last happened.'),
    count,
    reportingComponent: text('The controller that reports.'),
    ...SHARED,
  },
  validateObject: (event) => eventProblems(event, 'core'),
  selectableFields: selectableOf('involvedObject', 'reportingComponent'),
  columns: columnsOf((event) => event),
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

const grouped = defineKind({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  scope: 'Namespaced',
  transient: true,
  description:
    'A report that something happened to an object: the Events of the core group, with newer names of fields.',
  fields: {
    // The core group requires it.
    regarding: Type.Optional({ ...objectReference('The object of the event.'), default: {} }),
    note: text('A sentence for people.'),
    reportingController: text('The controller that reports.'),
    deprecatedSource: source,
    deprecatedFirstTimestamp: time('When it first happened, in events of the core group.'),
    deprecatedLastTimestamp: time('When it last happened, in events of the core group.'),
    deprecatedCount: count,
    ...SHARED,
  },
  validateObject: (event, before) => [
    ...eventProblems(event, 'group'),
    ...(before === undefined ? newEventProblems(event) : changeProblems(event, before)),
  ],
  selectableFields: selectableOf('regarding', 'reportingController'),
  columns: columnsOf((event) => renameFields(event, TO_CORE)),
  example: {
    name: 'premium.1',
    fields: {
      regarding: { kind: 'Plan', name: 'premium' },
      eventTime: '2026-05-01T12:00:00.000000Z',
      reason: 'Released',
      action: 'Release',
      note: 'The plan went live.',
      type: 'Normal',
      reportingController: 'backline.dev/releases',
      reportingInstance: 'releases-0',
    },
  },
});

/** Events of objects, in the core group and in events.k8s.io. */
export const Event = withTwin(core, grouped, (event, { apiVersion }) => ({
  ...renameFields(event, apiVersion === grouped.apiVersion ? TO_GROUP : TO_CORE),
  apiVersion,
}));

function renameFields(event: ResourceObject, names: ReadonlyMap<string, string>): ResourceObject {
  const fields = Object.entries(event).map(([name, value]) => [names.get(name) ?? name, value] as const);
  return Object.fromEntries(fields) as ResourceObject;
}

function selectableOf(object: string, controller: string): Readonly<Record<string, readonly string[]>> {
  const parts = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];
  return {
    ...Object.fromEntries(parts.map((part) => [`${object}.${part}`, [object, part]])),
    reason: ['reason'],
    type: ['type'],
    [controller]: [controller],
  };
}

/** @param asCore the event with the names of the core group */
function columnsOf(asCore: (event: ResourceObject) => ResourceObject): readonly Column[] {
  return [
    {
      name: 'Last Seen',
      type: 'date',
      description: 'When it last happened.',
      value: (event) => {
        const { lastTimestamp, eventTime, metadata, series } = asCore(event);
        const { lastObservedTime } = (series ?? {}) as { lastObservedTime?: string };
        return (lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp) as string;
      },
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
      value: (event) => {
        const { kind = '', name = '' } = (asCore(event)['involvedObject'] ?? {}) as { kind?: string; name?: string };
        return `${kind.toLowerCase()}/${name}`;
      },
    },
    {
      name: 'Message',
      type: 'string',
      description: 'A sentence for people.',
      value: (event) => asCore(event)['message'] as string | undefined,
    },
  ];
}

/** Problems of every event. One with an eventTime is of the newer form, which has more fields that must be there. */
function eventProblems(given: ResourceObject, as: 'core' | 'group'): readonly Problem[] {
  const event = as === 'core' ? given : renameFields(given, TO_CORE);
  const nameOf = (field: string): string => (as === 'core' ? field : (TO_GROUP.get(field) ?? field));
  const { metadata, involvedObject, eventTime } = event;
  const { namespace: involved = '' } = (involvedObject ?? {}) as { namespace?: string };
  const { namespace = '' } = metadata;
  const isNewer = typeof eventTime === 'string';
  const isRight = involved === '' ? NAMESPACES_OF_THE_REST.has(namespace) : isNewer || involved === namespace;
  const problems = isRight
    ? []
    : [invalid([nameOf('involvedObject'), 'namespace'], involved, 'does not match event.namespace')];
  if (!isNewer) return problems;
  const codeProblems = (field: string): readonly Problem[] => {
    const value = textIn(event, field);
    if (value === '') return [requiredProblem([nameOf(field)])];
    if (value.length <= LIMITS.codeCharsMax) return [];
    return [invalid([nameOf(field)], '', `can have at most ${LIMITS.codeCharsMax} characters`)];
  };
  const controller = textIn(event, 'reportingComponent');
  const controllerPath = [nameOf('reportingComponent')];
  return [
    ...problems,
    ...(controller === ''
      ? [requiredProblem(controllerPath)]
      : qualifiedNameProblems(controller).map((detail) => invalid(controllerPath, controller, detail))),
    ...['reportingInstance', 'action', 'reason'].flatMap(codeProblems),
    ...(textIn(event, 'message').length > LIMITS.noteCharsMax
      ? [invalid([nameOf('message')], '', `can have at most ${LIMITS.noteCharsMax} characters`)]
      : []),
  ];
}

/** Events that are created in events.k8s.io are of the newer form. */
function newEventProblems(event: ResourceObject): readonly Problem[] {
  const { type } = event;
  const unset = ['deprecatedFirstTimestamp', 'deprecatedLastTimestamp', 'deprecatedCount', 'deprecatedSource'];
  return [
    ...seriesProblems(event),
    ...((event['eventTime'] ?? undefined) === undefined ? [requiredProblem(['eventTime'])] : []),
    ...(type === 'Normal' || type === 'Warning' ? [] : [invalid(['type'], type ?? '', 'must be Normal or Warning')]),
    ...unset.filter((field) => !isUnset(event[field])).map((field) => invalid([field], '', 'needs to be unset')),
  ];
}

/** A written event is a report: only its series goes on. */
function changeProblems(event: ResourceObject, before: ResourceObject): readonly Problem[] {
  const fields = Object.keys(grouped.fields ?? {}).filter((field) => field !== 'series');
  return [
    ...(isDeepStrictEqual(event['series'], before['series']) ? [] : seriesProblems(event)),
    ...fields
      .filter((field) => !isDeepStrictEqual(event[field], before[field]))
      .map((field) => invalid([field], event[field] ?? '', 'field is immutable')),
  ];
}

function seriesProblems({ series }: ResourceObject): readonly Problem[] {
  if ((series ?? undefined) === undefined) return [];
  const { count: times = 0, lastObservedTime } = series as { count?: number; lastObservedTime?: string };
  return [
    ...(times < LIMITS.seriesCountMin
      ? [invalid(['series', 'count'], times, `should be at least ${LIMITS.seriesCountMin}`)]
      : []),
    ...(lastObservedTime === undefined ? [requiredProblem(['series', 'lastObservedTime'])] : []),
  ];
}

function isUnset(value: unknown): boolean {
  return value === undefined || value === null || value === 0 || isDeepStrictEqual(value, {});
}

function textIn(event: ResourceObject, field: string): string {
  const value = event[field];
  return typeof value === 'string' ? value : '';
}
