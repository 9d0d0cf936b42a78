import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { Problem } from '#kernel/base/failures.ts';
import { LabelSelectorSchema } from '#kernel/kinds/schema/label-selector.ts';
import { forbiddenProblem, requiredProblem } from '#kernel/kinds/schema/problems.ts';
import { ADMISSION_GROUP, MatchResources } from './match.ts';

/** The index under which all bindings are found. */
export const EVERY_BINDING = { index: 'every', value: 'binding' } as const;

const BindingSpec = Type.Object(
  {
    policyName: Type.String({ minLength: 1, maxLength: 253, description: 'The ValidatingAdmissionPolicy.' }),
    paramRef: Type.Optional(
      Type.Object(
        {
          name: Type.Optional(Type.String({ minLength: 1, maxLength: 253, description: 'The name of one object.' })),
          selector: Type.Optional({
            ...LabelSelectorSchema,
            description: 'Or labels of several: the policy must hold with each of them.',
          }),
          namespace: Type.Optional(
            Type.String({ minLength: 1, maxLength: 63, description: 'Absent: the namespace of the written object.' }),
          ),
          parameterNotFoundAction: Type.Enum(['Allow', 'Deny'], {
            default: 'Deny',
            description: 'Where it is not there: the policy does not count, or it fails (see failurePolicy).',
          }),
        },
        { description: 'The object that expressions know as `params`; with a selector several, one after the other.' },
      ),
    ),
    matchResources: Type.Optional({
      ...MatchResources,
      description: 'Of the writes that the policy is for, those that this binding is for. Absent: all.',
    }),
    validationActions: Type.Array(Type.Enum(['Deny', 'Warn', 'Audit']), {
      minItems: 1,
      maxItems: 2,
      uniqueItems: true,
      description:
        'Deny: the write is refused. Warn: it is done, and its author is warned. Audit: it is done, and the audit record says so.',
    }),
  },
  { description: 'Puts a policy in force.' },
);

export type BindingSpec = Static<typeof BindingSpec>;

/** Where a policy is in force, with which parameters, and what follows where it does not hold. */
export const ValidatingAdmissionPolicyBinding = defineKind({
  group: ADMISSION_GROUP,
  version: 'v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  scope: 'Cluster',
  actsEverywhere: true,
  description: 'Puts a ValidatingAdmissionPolicy in force for some writes.',
  spec: BindingSpec,
  validate: bindingProblems,
  indexes: { [EVERY_BINDING.index]: () => [EVERY_BINDING.value] },
  columns: [
    { name: 'PolicyName', type: 'string', description: 'The policy.', value: ({ spec }) => spec.policyName },
    { name: 'ParamRef', type: 'string', description: 'Its parameters.', value: ({ spec }) => spec.paramRef?.name },
  ],
  example: {
    name: 'few-slots',
    spec: { policyName: 'few-slots', validationActions: ['Deny'] },
  },
});

function bindingProblems({ validationActions, paramRef }: BindingSpec): readonly Problem[] {
  const problems = paramRef === undefined ? [] : paramRefProblems(paramRef);
  if (!validationActions.includes('Deny') || !validationActions.includes('Warn')) return problems;
  const detail = 'Deny and Warn exclude each other: the refusal says the same';
  return [...problems, { path: ['spec', 'validationActions'], reason: 'FieldValueInvalid', detail }];
}

function paramRefProblems({ name, selector }: NonNullable<BindingSpec['paramRef']>): readonly Problem[] {
  const path = ['spec', 'paramRef', 'name'];
  if (name === undefined && selector === undefined)
    return [requiredProblem(path, 'one of name or selector must be specified')];
  if (name !== undefined && selector !== undefined)
    return [forbiddenProblem(path, 'name and selector are mutually exclusive')];
  return [];
}
