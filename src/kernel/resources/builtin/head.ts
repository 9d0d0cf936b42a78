import { Type, type Static } from 'typebox';
import { defineKind } from '../define-kind.ts';
import type { LiveObject, ResourceObject } from '../kind.ts';

const HeadSpec = Type.Object(
  {
    object: Type.Object(
      {
        kind: Type.String({ description: 'Group and kind, e.g. products.backline.dev/Plan.' }),
        namespace: Type.String({ description: 'Its namespace.' }),
        name: Type.String({ description: 'Its name.' }),
      },
      { description: 'The object whose live state this is.' },
    ),
    labels: Type.Record(Type.String(), Type.String(), { description: 'The labels that went live with it.' }),
    live: Type.Array(
      Type.Object({
        revision: Type.String({ description: 'Content hash of the spec.' }),
        generation: Type.Integer({ description: 'The generation of the object that declared it.' }),
        spec: Type.Unknown({ description: 'The spec itself.', 'x-kubernetes-preserve-unknown-fields': true }),
        allotment: Type.Optional(
          Type.Unknown({
            description: 'What was allotted to it as it went live, like the buckets of an experiment.',
            'x-kubernetes-preserve-unknown-fields': true,
          }),
        ),
      }),
      { description: 'What is live. One entry: the same for everybody.' },
    ),
  },
  { description: 'What of an object is live.' },
);

type HeadSpec = Static<typeof HeadSpec>;

/**
 * What is live for one object, as opposed to what is declared. It carries the specs it names, so that a decision node
 * needs to follow one kind only. Written by the kernel, read by everybody.
 */
export const Head = defineKind({
  group: 'releases.backline.dev',
  version: 'v1',
  kind: 'Head',
  plural: 'heads',
  scope: 'Cluster',
  description:
    'What is live for one object: the decision plane and the controllers go by this, not by what is declared.',
  spec: HeadSpec,
  status: Type.Object(
    { held: Type.Optional(Type.String({ description: 'Why something that was deleted is still live.' })) },
    { description: 'What keeps the head as it is.' },
  ),
  verbs: ['get', 'list', 'watch'],
  columns: [
    {
      name: 'Object',
      type: 'string',
      description: 'Kind and name.',
      value: ({ spec }) => `${kindName(spec)}/${(spec as HeadSpec).object.name}`,
    },
    {
      name: 'Namespace',
      type: 'string',
      description: 'Its namespace.',
      value: ({ spec }) => (spec as HeadSpec).object.namespace,
    },
    {
      name: 'Revision',
      type: 'string',
      description: 'Content hash of the live spec.',
      value: ({ spec }) => (spec as HeadSpec).live[0]?.revision.slice(0, 12),
    },
    {
      name: 'Held',
      type: 'string',
      description: 'Why something that was deleted is still live.',
      priority: 1,
      value: ({ status }) => (status as { held?: string } | undefined)?.held,
    },
  ],
});

function kindName(spec: unknown): string {
  return (spec as HeadSpec).object.kind.split('/').at(-1) ?? '';
}

/** The name of the Head of an object. */
export function headName(kind: { readonly plural: string; readonly group: string }, name: string): string {
  return `${kind.plural}.${kind.group}.${name}`;
}

export function headOf(
  object: LiveObject,
  kind: { readonly plural: string; readonly group: string },
  generation: number,
): ResourceObject {
  const { namespace, name, labels, revision, spec, allotment } = object;
  const live = [{ revision, generation, spec, ...(allotment === undefined ? {} : { allotment }) }];
  return {
    apiVersion: Head.apiVersion,
    kind: Head.kind,
    metadata: { name: headName(kind, name) },
    spec: { object: { kind: object.kind, namespace, name }, labels, live },
  };
}

/** What a Head says is live for everybody. */
export function liveObjectOf(head: ResourceObject): LiveObject | undefined {
  const { object, labels, live } = head.spec as HeadSpec;
  const [first] = live;
  if (first === undefined) return undefined;
  const { revision, spec, allotment } = first;
  return { ...object, labels, revision, spec, ...(allotment === undefined ? {} : { allotment }) };
}
