import { Type } from 'typebox';
import { defineKind } from '../define-kind.ts';
import type { Kind, LiveObject, ResourceObject } from '../kind.ts';
import { LIVE_NAME_DESCRIPTION, readLiveName } from '../live-name.ts';

const HeadSpec = Type.Object(
  {
    object: Type.Object(
      {
        kind: Type.String({ description: 'Group and kind, e.g. products.backline.dev/Plan.' }),
        namespace: Type.String({ description: 'Its namespace.' }),
        name: Type.String({ description: LIVE_NAME_DESCRIPTION }),
      },
      { description: 'The object whose live state this is.' },
    ),
    labels: Type.Record(Type.String(), Type.String(), { description: 'The labels that went live with it.' }),
    live: Type.Array(
      Type.Object({
        release: Type.Optional(
          Type.String({
            description: 'The Release whose cohort gets this entry instead of the live one.',
          }),
        ),
        revision: Type.String({ description: 'Content hash of the spec; empty where the object is absent.' }),
        generation: Type.Integer({ description: 'The generation of the object that declared it.' }),
        stage: Type.Optional(
          Type.Integer({ description: 'The stage of the release that this is for: 0 is the first.' }),
        ),
        where: Type.Optional(
          Type.Unknown({
            description: 'The cohort or places that get it, in the form of the target of the kind.',
            'x-kubernetes-preserve-unknown-fields': true,
          }),
        ),
        absent: Type.Optional(Type.Literal(true, { description: 'The cohort gets nothing under this name.' })),
        namespace: Type.Optional(
          Type.String({ description: 'Its namespace, if it differs from that of the live object.' }),
        ),
        labels: Type.Optional(
          Type.Record(Type.String(), Type.String(), { description: 'The labels of the object that the cohort gets.' }),
        ),
        spec: Type.Optional(
          Type.Unknown({ description: 'The spec itself.', 'x-kubernetes-preserve-unknown-fields': true }),
        ),
        allotment: Type.Optional(
          Type.Unknown({
            description: 'Its allotment, such as the buckets of an experiment.',
            'x-kubernetes-preserve-unknown-fields': true,
          }),
        ),
      }),
      {
        description:
          'At most two entries: the spec that is live for everybody, and one that names a release, for its cohort.',
      },
    ),
  },
  { description: 'The live state of an object.' },
);

/**
 * The live state of one object, as opposed to its declared state. It contains the specs it names, so that a decision node
 * follows one kind only. Written by the kernel.
 */
export const Head = defineKind({
  group: 'releases.backline.dev',
  version: 'v1',
  kind: 'Head',
  plural: 'heads',
  scope: 'Cluster',
  description: 'The live state of one object. The decision plane and the controllers use it, not the declared state.',
  spec: HeadSpec,
  status: Type.Object(
    { held: Type.Optional(Type.String({ description: 'Why something that was deleted is still live.' })) },
    { description: 'The state of the head.' },
  ),
  verbs: ['get', 'list', 'watch'],
  // A name has the group of the kind: a program that follows some kinds does not read the Heads of all others.
  mayHave: (field, value, name) =>
    field !== 'spec.object.kind' || !value.includes('/') || name.includes(`.${value.slice(0, value.indexOf('/'))}.`),
  selectableFields: {
    'spec.object.kind': ['spec', 'object', 'kind'],
    'spec.object.namespace': ['spec', 'object', 'namespace'],
  },
  columns: [
    {
      name: 'Object',
      type: 'string',
      description: 'Kind and name.',
      value: ({ spec }) => `${spec.object.kind.split('/').at(-1) ?? ''}/${spec.object.name}`,
    },
    {
      name: 'Namespace',
      type: 'string',
      description: 'Its namespace.',
      value: ({ spec }) => spec.object.namespace,
    },
    {
      name: 'Revision',
      type: 'string',
      description: 'Content hash of the live spec.',
      value: ({ spec }) => spec.live.find(({ release }) => release === undefined)?.revision.slice(0, 12),
    },
    {
      name: 'Release',
      type: 'string',
      description: 'The release whose cohort gets another entry.',
      value: ({ spec }) => spec.live.find(({ release }) => release !== undefined)?.release,
    },
    {
      name: 'Held',
      type: 'string',
      description: 'Why something that was deleted is still live.',
      priority: 1,
      value: ({ status }) => status?.held,
    },
  ],
});

/**
 * The name of the Head of an object, by its live name. Heads of two objects never collide: a namespace has no dots, and no
 * prefix of a kind begins with that of another (`kindRegistry`).
 */
export function headName(kind: Pick<Kind, 'plural' | 'group' | 'names'>, live: string): string {
  const { namespace, name } = readLiveName(kind, live);
  return `${kind.plural}.${kind.group}.${namespace === undefined ? '' : `${namespace}.`}${name}`;
}

/** The object that the cohort of a release gets under a name; undefined: none. */
export interface LiveCandidate {
  readonly release: string;
  readonly object: LiveObject | undefined;
  readonly generation: number;
  /** The stage of the release, and its cohort or places, in the form of the target of the kind. */
  readonly stage: number;
  readonly where: unknown;
}

/** The Head of an object that is live as `everyone`, and as `candidate` for the cohort of a release. */
export function headOf(
  kind: Pick<Kind, 'id' | 'plural' | 'group' | 'names'>,
  name: string,
  everyone: { readonly object: LiveObject; readonly generation: number } | undefined,
  candidate?: LiveCandidate,
): ResourceObject {
  const { namespace = '', labels = {} } = everyone?.object ?? candidate?.object ?? {};
  const live = [
    ...(everyone === undefined ? [] : [{ ...entryOf(everyone.object), generation: everyone.generation }]),
    ...(candidate === undefined
      ? []
      : [
          {
            release: candidate.release,
            generation: candidate.generation,
            stage: candidate.stage,
            where: candidate.where,
            ...(candidate.object === undefined
              ? { revision: '', absent: true }
              : {
                  ...entryOf(candidate.object),
                  namespace: candidate.object.namespace,
                  labels: candidate.object.labels,
                }),
          },
        ]),
  ];
  return {
    apiVersion: Head.apiVersion,
    kind: Head.kind,
    metadata: { name: headName(kind, name) },
    spec: { object: { kind: kind.id, namespace, name }, labels, live },
  };
}

function entryOf({ revision, spec, allotment }: LiveObject) {
  return { revision, spec, ...(allotment === undefined ? {} : { allotment }) };
}

/** The object of a Head. */
export function placeIn(head: ResourceObject): {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
} {
  return Head.spec(head).object;
}

/** The object that is live for everybody, from its Head. */
export function liveObjectOf(head: ResourceObject): LiveObject | undefined {
  return everyoneOf(head)?.object;
}

/** The object that is live for everybody, with the generation that declared it. */
export function everyoneOf(head: ResourceObject): { object: LiveObject; generation: number } | undefined {
  const { object, labels, live } = Head.spec(head);
  const found = live.find(({ release }) => release === undefined);
  if (found === undefined) return undefined;
  const { revision, spec, allotment, generation } = found;
  const everyone = { ...object, labels, revision, spec, ...(allotment === undefined ? {} : { allotment }) };
  return { object: everyone, generation };
}

/** The candidate for the cohort of a release, from a Head. */
export function candidateOf(head: ResourceObject): LiveCandidate | undefined {
  const { object, live } = Head.spec(head);
  const found = live.find(({ release }) => release !== undefined);
  if (found?.release === undefined) return undefined;
  const { release, generation, stage = 0, where } = found;
  const intent = { release, generation, stage, where };
  const { absent, namespace = object.namespace, labels = {}, revision, spec, allotment } = found;
  if (absent === true) return { ...intent, object: undefined };
  const candidate = { ...object, namespace, labels, revision, spec, ...(allotment === undefined ? {} : { allotment }) };
  return { ...intent, object: candidate };
}
