import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { compilePolicy } from './compile-policy.ts';
import { ADMISSION_GROUP, MatchResources } from './match.ts';

const EXPRESSION_CHARS_MAX = 10_000;
const NAME_PATTERN = '^[A-Za-z_][A-Za-z0-9_]*$';

const expression = (description: string) => Type.String({ minLength: 1, maxLength: EXPRESSION_CHARS_MAX, description });

const PolicySpec = Type.Object(
  {
    failurePolicy: Type.Enum(['Fail', 'Ignore'], {
      default: 'Fail',
      description: 'What an expression that fails means: the write is denied, or the policy does not count.',
    }),
    paramKind: Type.Optional(
      Type.Object(
        {
          apiVersion: Type.String({ minLength: 1, maxLength: 300, description: 'Its apiVersion.' }),
          kind: Type.String({ minLength: 1, maxLength: 63, description: 'Its kind.' }),
        },
        { description: 'The kind of the object that bindings give as `params`.' },
      ),
    ),
    matchConstraints: MatchResources,
    matchConditions: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String({ minLength: 1, maxLength: 317, description: 'Its name, for messages.' }),
          expression: expression('A bool. The policy counts where all of them are true.'),
        }),
        { maxItems: 64, description: 'Further conditions for the writes that it is for.' },
      ),
    ),
    variables: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String({ pattern: NAME_PATTERN, maxLength: 100, description: 'Known as variables.NAME.' }),
          expression: expression('Its value, made when it is first asked for. It knows the variables before it.'),
        }),
        { maxItems: 50, description: 'Values that several expressions use.' },
      ),
    ),
    validations: Type.Optional(
      Type.Array(
        Type.Object({
          expression: expression('A bool: what must be true.'),
          message: Type.Optional(
            Type.String({ minLength: 1, maxLength: 2_000, description: 'The text where it is false.' }),
          ),
          messageExpression: Type.Optional(expression('The same as a string that is made from the write.')),
          reason: Type.Optional(
            Type.Enum(['Unauthorized', 'Forbidden', 'Invalid', 'RequestEntityTooLarge'], {
              description: 'The class of the refusal; default Invalid.',
            }),
          ),
        }),
        { minItems: 1, maxItems: 50, description: 'What must be true of each write.' },
      ),
    ),
    auditAnnotations: Type.Optional(
      Type.Array(
        Type.Object({
          key: Type.String({
            pattern: '^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$',
            description: 'Its name: the audit record of a write has it as POLICY/KEY.',
          }),
          valueExpression: expression('A string for the audit record, or null for none.'),
        }),
        { minItems: 1, maxItems: 20, description: 'Notes on each write that the policy is for.' },
      ),
    ),
  },
  { description: 'Expressions of CEL about a write.' },
);

export type PolicySpec = Static<typeof PolicySpec>;

const PolicyStatus = Type.Object({
  observedGeneration: Type.Optional(Type.Integer({ description: 'The generation of the spec that was checked.' })),
  typeChecking: Type.Optional(
    Type.Object(
      {
        expressionWarnings: Type.Optional(
          Type.Array(
            Type.Object({
              fieldRef: Type.String({ description: 'The path of the expression.' }),
              warning: Type.String({ description: 'Why it does not fit the kinds that the policy names.' }),
            }),
            { description: 'Expressions that do not fit.' },
          ),
        ),
      },
      { description: 'The result of checking expressions with the schemas of the kinds that the policy names.' },
    ),
  ),
});

/** Expressions that writes must keep to, over the object before and after. A binding puts it in force. */
export const ValidatingAdmissionPolicy = defineKind({
  group: ADMISSION_GROUP,
  version: 'v1',
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  scope: 'Cluster',
  actsEverywhere: true,
  description: 'A rule for writes, as expressions of CEL. ValidatingAdmissionPolicyBindings put it in force.',
  spec: PolicySpec,
  status: PolicyStatus,
  computedStatus: true,
  columns: [
    {
      name: 'Validations',
      type: 'integer',
      description: 'How many.',
      value: ({ spec }) => spec.validations?.length ?? 0,
    },
    {
      name: 'ParamKind',
      type: 'string',
      description: 'The kind of its params.',
      value: ({ spec }) => spec.paramKind?.kind,
    },
  ],
  validate: policyProblems,
  example: {
    name: 'few-slots',
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        matchPolicy: 'Equivalent',
        resourceRules: [
          {
            apiGroups: ['ads.backline.dev'],
            apiVersions: ['*'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['placements'],
            scope: '*',
          },
        ],
      },
      validations: [{ expression: 'object.spec.slots <= 4', message: 'A break has four slots at most.' }],
    },
  },
});

function policyProblems(spec: PolicySpec): readonly Problem[] {
  const { problems } = compilePolicy(spec);
  const { variables = [], auditAnnotations = [], validations = [] } = spec;
  const isEmpty = validations.length === 0 && auditAnnotations.length === 0;
  return [
    ...(isEmpty ? [NO_EXPRESSION] : []),
    ...repeatedIn(
      variables.map(({ name }) => name),
      (index) => ['spec', 'variables', index, 'name'],
    ),
    ...repeatedIn(
      auditAnnotations.map(({ key }) => key),
      (index) => ['spec', 'auditAnnotations', index, 'key'],
    ),
    ...problems,
  ];
}

const NO_EXPRESSION: Problem = {
  path: ['spec', 'validations'],
  reason: 'FieldValueRequired',
  detail: 'validations or auditAnnotations must be there',
};

function repeatedIn(names: readonly string[], pathOf: (index: number) => Problem['path']): readonly Problem[] {
  const repeated = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (repeated === -1) return [];
  const detail = `there is "${names[repeated] ?? ''}" already`;
  return [{ path: pathOf(repeated), reason: 'FieldValueDuplicate', detail }];
}
