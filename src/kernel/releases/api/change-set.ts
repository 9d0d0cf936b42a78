import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { ChangeAnswerSchema } from '../kinds/change-answer.ts';

/** Objects of one atomic change; larger changes need several. */
const OBJECTS_MAX = 10_000;

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

const ChangeSetSpec = Type.Object(
  {
    defaultNamespace: Type.String({ description: 'Namespace of objects that name none.', default: 'default' }),
    objects: Type.Array(Type.Object({}, free), {
      description: 'Complete objects; their order does not matter.',
      minItems: 1,
      maxItems: OBJECTS_MAX,
    }),
  },
  { description: 'The objects to declare.' },
);

/**
 * Several objects declared at once: all or none. Posting one applies it and answers what changed; with `dryRun=All` it
 * answers what would change. Not stored.
 */
export const ChangeSet = defineKind({
  group: 'releases.backline.dev',
  version: 'v1',
  kind: 'ChangeSet',
  plural: 'changesets',
  scope: 'Cluster',
  description: 'Several objects that are declared atomically.',
  spec: ChangeSetSpec,
  status: ChangeAnswerSchema,
  verbs: ['create'],
  // Each object in it is authorized by itself.
  postedBy: 'everyone',
  /** A whole business: the sample has 150 KB. */
  bodyBytesMax: 8 * 1024 * 1024,
  bodyValuesMax: 400_000,
  writesOthers: true,
});
