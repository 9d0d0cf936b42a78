import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';

/** Windows in one answer: the newest. All of them are judged. */
export const JUDGEMENT_WINDOWS_MAX = 10_000;
/** The same where each window has its own verdict. */
export const JUDGEMENT_REPLAYED_MAX = 1_000;

const chance = (description: string) => Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 0.5, description }));

const JudgementSchema = Type.Object(
  {
    guardrail: Type.Optional(
      Type.String({ minLength: 1, maxLength: 63, description: 'Only this guardrail; absent: all.' }),
    ),
    judging: Type.Optional(
      Type.Object(
        {
          alpha: chance('Replaces the value of the policy.'),
          beta: chance('Replaces the value of the policy.'),
        },
        { description: 'Error rates; absent: those of the policy.' },
      ),
    ),
    margin: Type.Optional(
      Type.Number({
        exclusiveMinimum: 1,
        maximum: 20,
        description: 'Margin of every noWorse guardrail; absent: that of the policy.',
      }),
    ),
    replay: Type.Optional(
      Type.Boolean({
        description: 'Adds to each window the verdict at its end: the newest 1,000 windows instead of 10,000.',
      }),
    ),
  },
  { description: 'What to judge again, and how.' },
);

export type JudgementSpec = Static<typeof JudgementSchema>;

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

/** Posted below a Release: verdicts of the present judge on the stored measurements. Changes nothing. */
export const Judgement = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Judgement',
  plural: 'judgements',
  scope: 'Cluster',
  description:
    'Judges the stored measurements of a release again, also long after its end; the answer has the numbers.',
  spec: Type.Optional(JudgementSchema),
  status: Type.Object(
    {
      judgeVersion: Type.Integer({ description: 'Version of the judge; verdicts of another version may differ.' }),
      verdicts: Type.Array(Type.Object({}, free), {
        description: 'Verdict on each guardrail, with figures.',
      }),
      windows: Type.Array(Type.Object({}, free), {
        maxItems: JUDGEMENT_WINDOWS_MAX,
        description: 'Measurements, in the order of time.',
      }),
      windowsLeftOut: Type.Integer({ description: 'Earlier windows that were judged and are not listed.' }),
    },
    { description: 'The result.' },
  ),
  verbs: ['create'],
});
