import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { ChangeAnswerSchema } from './change-answer.ts';
import { GROUP, VERSION } from './identity.ts';

const DraftProblemSchema = Type.Object({
  position: Type.Integer({ description: 'Of the object in spec.objects of the draft.' }),
  apiVersion: Type.String(),
  kind: Type.String(),
  namespace: Type.Optional(Type.String()),
  name: Type.String(),
  field: Type.String({ description: 'Path in the object; empty where it is the object as a whole.' }),
  message: Type.String({ description: 'What is wrong.' }),
  remedy: Type.Optional(Type.String({ description: 'What would be right.' })),
  outdated: Type.Optional(
    Type.Literal(true, { description: 'The object is not, or no longer, the version that the draft builds on.' }),
  ),
});

/** One thing that keeps a draft from being published. */
export type DraftProblem = Static<typeof DraftProblemSchema>;

const DraftValidationAnswer = Type.Object({
  valid: Type.Boolean({ description: 'Whether it could be published at this moment, by this user.' }),
  problems: Type.Array(DraftProblemSchema, { description: 'Everything that keeps it from that.' }),
  pending: Type.Optional(
    Type.String({ description: 'Checks that wait until what is wrong has been repaired; absent: none.' }),
  ),
  policy: ChangeAnswerSchema.properties.policy,
  results: Type.Array(ChangeAnswerSchema.properties.results.items, {
    description: 'What publishing would change, of each object that could be written.',
  }),
});

export type DraftValidationStatus = Static<typeof DraftValidationAnswer>;

/** Posted below a Draft: finds everything that keeps it from being published. Writes nothing. */
export const DraftValidation = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'DraftValidation',
  plural: 'draftvalidations',
  scope: 'Namespaced',
  description: 'Finds everything that keeps a Draft from being published, and what publishing would change.',
  status: DraftValidationAnswer,
  verbs: ['create'],
});

const PublicationSpec = Type.Object(
  {
    uid: Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'metadata.uid of the draft: a repeated request never publishes another draft of the same name.',
    }),
    resourceVersion: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,20}$',
        description: 'metadata.resourceVersion of the draft that was looked at; another one is refused.',
      }),
    ),
  },
  { description: 'The draft that is meant.' },
);

const PublishedObject = Type.Object({
  apiVersion: Type.String(),
  kind: Type.String(),
  namespace: Type.Optional(Type.String()),
  name: Type.String(),
  action: ChangeAnswerSchema.properties.results.items.properties.action,
});

/** The record of a publication, in the last state of the draft. */
export const PublishedSchema = Type.Object({
  by: Type.String({ description: 'Who published it.' }),
  results: Type.Array(PublishedObject, { description: 'What the write did, in the order of spec.objects.' }),
});

export type PublicationRecord = Static<typeof PublishedSchema>;

const DraftPublicationAnswer = Type.Object({
  ...PublishedSchema.properties,
  at: Type.String({ description: 'When.' }),
  version: Type.String({ description: 'The version of the write.' }),
  release: Type.Optional(
    Type.String({ description: 'The Release of this change; absent where nothing goes live by one.' }),
  ),
});

export type DraftPublicationStatus = Static<typeof DraftPublicationAnswer>;

/** Posted below a Draft: writes all of its objects, and deletes it, in one write. */
export const DraftPublication = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'DraftPublication',
  plural: 'draftpublications',
  scope: 'Namespaced',
  description:
    'Publishes a Draft: one write declares all of its objects and deletes it. Repeating it gives the same answer.',
  spec: PublicationSpec,
  status: DraftPublicationAnswer,
  verbs: ['create'],
  isForGone: true,
});
