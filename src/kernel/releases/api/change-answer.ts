import { Type, type Static } from 'typebox';

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

const ChangeResultSchema = Type.Object({
  apiVersion: Type.String(),
  kind: Type.String(),
  namespace: Type.Optional(Type.String()),
  name: Type.String(),
  action: Type.Enum(['created', 'configured', 'unchanged'], { description: 'What became of it.' }),
  fields: Type.Array(
    Type.Object({
      path: Type.String(),
      before: Type.Optional(Type.Unknown(free)),
      after: Type.Optional(Type.Unknown(free)),
    }),
    {
      description: 'How what is declared differs from what was live.',
    },
  ),
  sentences: Type.Array(Type.String(), { description: 'The same for people who are not engineers.' }),
  problems: Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
    description: 'What keeps it from going live.',
  }),
  warnings: Type.Array(Type.String(), {
    description: 'What is accepted and will surprise: names of what is not there, selectors that select nothing.',
  }),
  release: Type.Optional(Type.String({ description: 'The Release that carries it now.' })),
});

/** What became of one object of a change set, or what would. */
export type ChangeResult = Static<typeof ChangeResultSchema>;

export const ChangeAnswerSchema = Type.Object({
  version: Type.String({ description: 'The version at which all of it is declared.' }),
  release: Type.Optional(
    Type.String({ description: 'The Release that was made of it; absent where nothing goes live by it.' }),
  ),
  policy: Type.Optional(
    Type.Object(
      {
        name: Type.String({ description: 'The ReleasePolicy.' }),
        stages: Type.String({ description: 'The steps, for people.' }),
        approvals: Type.Integer({ description: 'How many people have to agree.' }),
        others: Type.Array(Type.Object({ name: Type.String(), approvals: Type.Integer() }), {
          description: 'Further policies that select something in it, whose approvals are needed as well.',
        }),
        conflicts: Type.Array(Type.String(), { description: 'Why these policies cannot be met together.' }),
        warnings: Type.Array(Type.String(), { description: 'Stages that are too small for what they wait for.' }),
      },
      { description: 'How it spreads; absent: to everybody at once.' },
    ),
  ),
  results: Type.Array(ChangeResultSchema, { description: 'In the order of the objects that were sent.' }),
});

/** What a change set is answered. */
export type ChangeAnswer = Static<typeof ChangeAnswerSchema>;
