import { Type, type Static } from 'typebox';

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

const ChangeResultSchema = Type.Object({
  apiVersion: Type.String(),
  kind: Type.String(),
  namespace: Type.Optional(Type.String()),
  name: Type.String(),
  action: Type.Enum(['created', 'configured', 'unchanged'], { description: 'Effect of the write.' }),
  fields: Type.Array(
    Type.Object({
      path: Type.String(),
      before: Type.Optional(Type.Unknown(free)),
      after: Type.Optional(Type.Unknown(free)),
    }),
    {
      description: 'Differences between the declared and the live state.',
    },
  ),
  sentences: Type.Array(Type.String(), { description: 'The same in sentences.' }),
  problems: Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
    description: 'Reasons that keep it from going live.',
  }),
  warnings: Type.Array(Type.String(), {
    description: 'Warnings: names that do not exist, selectors that select nothing.',
  }),
  release: Type.Optional(Type.String({ description: 'The Release that includes it.' })),
});

/** Result for one object of a change set, or the forecast of a dry run. */
export type ChangeResult = Static<typeof ChangeResultSchema>;

export const ChangeAnswerSchema = Type.Object({
  version: Type.String({ description: 'The version after the write.' }),
  release: Type.Optional(Type.String({ description: 'The Release of this change; absent where nothing goes live.' })),
  policy: Type.Optional(
    Type.Object(
      {
        name: Type.String({ description: 'The ReleasePolicy.' }),
        stages: Type.String({ description: 'The stages, for people.' }),
        approvals: Type.Integer({ description: 'Number of required approvals.' }),
        others: Type.Array(Type.Object({ name: Type.String(), approvals: Type.Integer() }), {
          description: 'Further policies that select part of it; their approvals are needed too.',
        }),
        conflicts: Type.Array(Type.String(), { description: 'Why these policies conflict.' }),
        warnings: Type.Array(Type.String(), { description: 'Stages with too few units for their guardrails.' }),
      },
      { description: 'How it is released; absent: live for everyone at once.' },
    ),
  ),
  results: Type.Array(ChangeResultSchema, { description: 'In the order of the request.' }),
});

/** Answer to a change set. */
export type ChangeAnswer = Static<typeof ChangeAnswerSchema>;
