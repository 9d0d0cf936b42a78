import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { ChangeAnswerSchema } from './change-answer.ts';

/** One atomic change; more belongs in several. */
const OBJECTS_MAX = 10_000;

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

const ChangeSetSpec = Type.Object(
  {
    defaultNamespace: Type.String({ description: 'Where objects go that name no namespace.', default: 'default' }),
    objects: Type.Array(Type.Object({}, free), {
      description: 'Whole objects as they should be; their order does not matter.',
      minItems: 1,
      maxItems: OBJECTS_MAX,
    }),
  },
  { description: 'What should be declared.' },
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
  description: 'Several objects that are declared at once: all or none.',
  spec: ChangeSetSpec,
  status: ChangeAnswerSchema,
  verbs: ['create'],
  // Each object in it is asked about.
  postedBy: 'everyone',
  /** A whole business: the sample has 150 KB. */
  bodyBytesMax: 8 * 1024 * 1024,
  bodyValuesMax: 400_000,
  writesOthers: true,
});
