import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { SelectorSchema } from '#kernel/releases/kinds/policy-spec.ts';
import { compileRules } from './compile-rules.ts';

const EXPRESSION_CHARS_MAX = 10_000;

/** The index under which all policies are found. */
export const EVERY_CHANGE_POLICY = { index: 'every', value: 'policy' } as const;

const names = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { minItems: 1, maxItems: 100, description }));

const PeopleSchema = {
  groups: names('Groups.'),
  users: names('Users.'),
};

const ChangePolicySpec = Type.Object(
  {
    selector: Type.Object(
      {
        ...SelectorSchema.properties,
        kinds: names('Kinds, like Price or products.backline.dev/Price; absent: all.'),
      },
      { description: 'The changes that rules are for, by the object before or after; all conditions must match.' },
    ),
    rules: Type.Array(
      Type.Object({
        name: Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', description: 'Name of the rule.' }),
        expression: Type.String({
          minLength: 1,
          maxLength: EXPRESSION_CHARS_MAX,
          description: 'A bool that must be true, of each selected `change`, or without it of the write.',
        }),
        message: Type.Optional(
          Type.String({ minLength: 1, maxLength: 2_000, description: 'The text where it is false.' }),
        ),
        messageExpression: Type.Optional(
          Type.String({
            minLength: 1,
            maxLength: EXPRESSION_CHARS_MAX,
            description: 'The same as a string that is made from the change.',
          }),
        ),
        allowedBy: Type.Optional(
          Type.Object(PeopleSchema, { description: 'People whose writes the rule lets through. Refusals name them.' }),
        ),
      }),
      { minItems: 1, maxItems: 50, description: 'What must be true of a write.' },
    ),
    breakGlass: Type.Optional(
      Type.Object(PeopleSchema, {
        description: 'People who pass every rule. The audit record and a warning name the rules that they broke.',
      }),
    ),
    action: Type.Enum(['Deny', 'Warn', 'Audit'], {
      default: 'Deny',
      description: 'What follows: the write is refused, its author is warned, or only the audit record has it.',
    }),
    failurePolicy: Type.Enum(['Fail', 'Ignore'], {
      default: 'Fail',
      description: 'What an expression that fails means: the rule is broken, or does not count.',
    }),
  },
  { description: 'Rules for the changes of a write.' },
);

export type ChangePolicySpec = Static<typeof ChangePolicySpec>;

/** Rules of a business for a write as a whole: what it declares, what is live, and the sentences of its plan. */
export const ChangePolicy = defineKind({
  group: 'admission.backline.dev',
  version: 'v1',
  kind: 'ChangePolicy',
  plural: 'changepolicies',
  scope: 'Cluster',
  actsEverywhere: true,
  description: 'Rules for a write as a whole, by what it declares, what is live and the sentences of its plan.',
  spec: ChangePolicySpec,
  indexes: { [EVERY_CHANGE_POLICY.index]: () => [EVERY_CHANGE_POLICY.value] },
  columns: [
    {
      name: 'Kinds',
      type: 'string',
      description: 'The kinds that it is for.',
      value: ({ spec }) => spec.selector.kinds?.join(',') ?? '*',
    },
    {
      name: 'Rules',
      type: 'string',
      description: 'Their names.',
      value: ({ spec }) => spec.rules.map(({ name }) => name).join(','),
    },
    { name: 'Action', type: 'string', description: 'What follows.', value: ({ spec }) => spec.action },
  ],
  validate: (spec) => compileRules(spec.rules).problems,
  example: {
    name: 'price-rises',
    spec: {
      selector: { kinds: ['Price'] },
      rules: [
        {
          name: 'ten-per-cent',
          expression:
            'change.live == null || change.object == null || double(change.object.spec.amount) <= double(change.live.spec.amount) * 1.1',
          message: 'A price rises by ten per cent at most.',
          allowedBy: { groups: ['legal'] },
        },
      ],
      breakGlass: { groups: ['on-call'] },
      action: 'Deny',
      failurePolicy: 'Fail',
    },
  },
});
