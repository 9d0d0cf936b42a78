import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';

/** Windows that an answer holds: the newest. All of them are judged. */
export const JUDGEMENT_WINDOWS_MAX = 10_000;
/** The same where each is answered with what the judge says of it. */
export const JUDGEMENT_REPLAYED_MAX = 1_000;

const chance = (description: string) => Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 0.5, description }));

const JudgementSchema = Type.Object(
  {
    guardrail: Type.Optional(Type.String({ minLength: 1, maxLength: 63, description: 'Only this one; absent: all.' })),
    judging: Type.Optional(
      Type.Object(
        {
          alpha: chance('Instead of what the policy says.'),
          beta: chance('Instead of what the policy says.'),
        },
        { description: 'How sure the judge must be; absent: as the policy says.' },
      ),
    ),
    margin: Type.Optional(
      Type.Number({
        exclusiveMinimum: 1,
        maximum: 20,
        description: 'Of every guardrail that compares; absent: as the policy says.',
      }),
    ),
    replay: Type.Optional(
      Type.Boolean({
        description:
          'Each window with what the judge says at its end, by it and those before: the newest 1,000 instead of 10,000.',
      }),
    ),
  },
  { description: 'What is judged anew, and how.' },
);

export type JudgementSpec = Static<typeof JudgementSchema>;

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

/** Posted below a Release: what the judge of today says of what was measured then. Changes nothing. */
export const Judgement = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Judgement',
  plural: 'judgements',
  scope: 'Cluster',
  description: 'Judges anew what was measured of a release, also long after its end; answered with the numbers.',
  spec: Type.Optional(JudgementSchema),
  status: Type.Object(
    {
      judgeVersion: Type.Integer({ description: 'Of the judge that says this; verdicts of others may differ.' }),
      verdicts: Type.Array(Type.Object({}, free), {
        description: 'What the judge says of each guardrail, with figures.',
      }),
      windows: Type.Array(Type.Object({}, free), {
        maxItems: JUDGEMENT_WINDOWS_MAX,
        description: 'What was measured, in the order of time.',
      }),
      windowsLeftOut: Type.Integer({ description: 'Earlier windows that were judged and are not listed.' }),
    },
    { description: 'What it comes to.' },
  ),
  verbs: ['create'],
});
