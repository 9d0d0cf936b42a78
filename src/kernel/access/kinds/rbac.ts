import { isDeepStrictEqual } from 'node:util';
import { Type } from 'typebox';
import { Refusal, type Problem } from '#kernel/base/failures.ts';
import { parseFieldRequirements, parseLabelSelector } from '#kernel/api/codec/selectors.ts';
import type { ObjectSelector } from '#kernel/api/codec/requirements.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { Column, ResourceObject } from '#kernel/kinds/kind.ts';
import { LabelSelectorSchema } from '#kernel/kinds/schema/label-selector.ts';
import type { Binding, Subject } from '../rules/rule-table.ts';
import type { PolicyRule } from '../rules/rules.ts';

export const RBAC_GROUP = 'rbac.authorization.k8s.io';

const texts = (description: string) => Type.Optional(Type.Array(Type.String(), { description }));

const Rule = Type.Object({
  verbs: Type.Array(Type.String(), { description: 'The allowed verbs: get, list, create, …; * means all.' }),
  apiGroups: texts('The groups of the resources; the core group is empty, * means all.'),
  resources: texts('Plurals, plural/subresource, */subresource, or * for all.'),
  resourceNames: texts('Only objects with these names; empty means all.'),
  nonResourceURLs: texts('Paths that are no resources; they may end in *.'),
  fieldSelector: Type.Optional(
    Type.String({
      description:
        'Only objects with these fields, like spec.market=de. Lists, watches and deletions of collections must select no others; a write is checked against the object before and after it.',
    }),
  ),
  labelSelector: Type.Optional(Type.String({ description: 'Only objects with these labels, like team=growth.' })),
});

const rules = Type.Optional(Type.Array(Rule, { nullable: true, description: 'The rules.' }));

const subjects = Type.Optional(
  Type.Array(
    Type.Object({
      kind: Type.Enum(['User', 'Group', 'ServiceAccount'], { description: 'The kind of subject.' }),
      apiGroup: Type.Optional(
        Type.String({ description: 'Empty for service accounts, else rbac.authorization.k8s.io.' }),
      ),
      name: Type.String({ minLength: 1, description: 'Its name.' }),
      namespace: Type.Optional(Type.String({ description: 'Of a service account.' })),
    }),
    { nullable: true, description: 'The subjects that get the role.' },
  ),
);

const roleRef = Type.Object(
  {
    apiGroup: Type.Optional(Type.String({ description: 'rbac.authorization.k8s.io.' })),
    kind: Type.Enum(['Role', 'ClusterRole'], { description: 'Role or ClusterRole.' }),
    name: Type.String({ minLength: 1, description: 'Its name.' }),
  },
  { description: 'The role that is granted. Cannot be changed.' },
);

const CREATED: Column = {
  name: 'Created At',
  type: 'string',
  description: 'The time of creation.',
  value: ({ metadata }) => metadata.creationTimestamp,
};

const namesOf = (kind: string) => (object: ResourceObject) =>
  subjectsOf(object)
    .filter((subject) => subject.kind === kind)
    .map(({ name, namespace }) => (namespace === undefined ? name : `${namespace}/${name}`))
    .join(', ');

const BINDING_COLUMNS: readonly Column[] = [
  {
    name: 'Role',
    type: 'string',
    description: 'The role that is granted.',
    value: (object) => `${roleRefOf(object).kind}/${roleRefOf(object).name}`,
  },
  { name: 'Users', type: 'string', description: 'Users who get it.', priority: 1, value: namesOf('User') },
  { name: 'Groups', type: 'string', description: 'Groups that get it.', priority: 1, value: namesOf('Group') },
  {
    name: 'ServiceAccounts',
    type: 'string',
    description: 'Service accounts that get it.',
    priority: 1,
    value: namesOf('ServiceAccount'),
  },
];

export const Role = defineKind({
  group: RBAC_GROUP,
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  scope: 'Namespaced',
  description: 'Rules for the resources of one namespace. A RoleBinding grants them.',
  fields: { rules },
  validateObject: (object) => rulesOf(object).flatMap((rule, index) => ruleProblems(rule, index, true)),
  columns: [CREATED],
  example: {
    name: 'price-editor',
    fields: {
      rules: [{ apiGroups: ['products.backline.dev'], resources: ['prices'], verbs: ['get', 'list', 'patch'] }],
    },
  },
});

export const ClusterRole = defineKind({
  group: RBAC_GROUP,
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  scope: 'Cluster',
  description: 'Rules for the namespace of each RoleBinding to it, or for everywhere with a ClusterRoleBinding.',
  fields: {
    rules,
    aggregationRule: Type.Optional(
      Type.Object(
        {
          clusterRoleSelectors: Type.Optional(
            Type.Array(LabelSelectorSchema, { description: 'Each chooses ClusterRoles by their labels.' }),
          ),
        },
        { nullable: true, description: 'The rules are those of other ClusterRoles, kept up to date by the server.' },
      ),
    ),
  },
  validateObject: (object) => rulesOf(object).flatMap((rule, index) => ruleProblems(rule, index, false)),
  columns: [CREATED],
  example: {
    name: 'plan-reader',
    fields: {
      rules: [{ apiGroups: ['products.backline.dev'], resources: ['plans'], verbs: ['get', 'list', 'watch'] }],
    },
  },
});

export const RoleBinding = defineKind({
  group: RBAC_GROUP,
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  scope: 'Namespaced',
  description: 'Gives a role to users, groups and service accounts, in one namespace.',
  fields: { subjects, roleRef },
  prepare: withApiGroups,
  validateObject: (object, before) => bindingProblems(object, before),
  columns: BINDING_COLUMNS,
  example: {
    name: 'growth-edits',
    fields: { subjects: [{ kind: 'Group', name: 'growth' }], roleRef: { kind: 'ClusterRole', name: 'edit' } },
  },
});

export const ClusterRoleBinding = defineKind({
  group: RBAC_GROUP,
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  scope: 'Cluster',
  description: 'Gives a ClusterRole to users, groups and service accounts, in all namespaces.',
  fields: { subjects, roleRef },
  prepare: withApiGroups,
  validateObject: (object, before) => [
    ...bindingProblems(object, before),
    ...(roleRefOf(object).kind === 'ClusterRole'
      ? []
      : [unsupportedProblem(['roleRef', 'kind'], roleRefOf(object).kind, 'ClusterRole')]),
  ],
  columns: BINDING_COLUMNS,
  example: {
    name: 'everybody-views',
    fields: {
      subjects: [{ kind: 'Group', name: 'system:authenticated' }],
      roleRef: { kind: 'ClusterRole', name: 'view' },
    },
  },
});

/** The readers below are for objects that passed their schema. */
export function rulesOf(object: ResourceObject): readonly PolicyRule[] {
  return (object['rules'] ?? []) as readonly PolicyRule[];
}

function subjectsOf(object: ResourceObject): readonly Subject[] {
  return (object['subjects'] ?? []) as readonly Subject[];
}

export function roleRefOf(object: ResourceObject): { readonly kind: string; readonly name: string } {
  return object['roleRef'] as { readonly kind: string; readonly name: string };
}

/** The selectors of a collecting ClusterRole; undefined when its rules are its own. */
export function aggregatesOf(object: ResourceObject): readonly ObjectSelector[] | undefined {
  const rule = object['aggregationRule'] as
    | { readonly clusterRoleSelectors?: readonly ObjectSelector[] }
    | undefined
    | null;
  return rule === undefined || rule === null ? undefined : (rule.clusterRoleSelectors ?? []);
}

export function bindingOf(object: ResourceObject): Binding {
  const { name, namespace = '' } = object.metadata;
  return { name, namespace, role: roleRefOf(object), subjects: subjectsOf(object) };
}

/** Fills in the groups that the kinds imply, as kube-apiserver does. */
function withApiGroups(object: ResourceObject): ResourceObject {
  const { roleRef: ref, subjects: list } = object;
  const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
  const fillGroup = (value: unknown) => {
    if (!isObject(value) || !('kind' in value) || value.kind === 'ServiceAccount') return value;
    return 'apiGroup' in value && value.apiGroup !== '' ? value : { ...value, apiGroup: RBAC_GROUP };
  };
  return {
    ...object,
    ...(isObject(ref) ? { roleRef: fillGroup(ref) } : {}),
    ...(Array.isArray(list) ? { subjects: list.map(fillGroup) } : {}),
  };
}

function ruleProblems(rule: PolicyRule, index: number, namespaced: boolean): Problem[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const at = (field: string) => ['rules', index, field];
  const requiredProblem = (field: string, what: string): Problem => ({
    path: at(field),
    reason: 'FieldValueRequired',
    detail: `Required value: ${what}`,
  });
  const problems = verbs.length === 0 ? [requiredProblem('verbs', 'verbs must contain at least one value')] : [];
  for (const field of ['fieldSelector', 'labelSelector'] as const) {
    const text = rule[field] ?? '';
    if (text === '') continue;
    const fault = faultOf(() => SELECTORS[field](text));
    const detail = fault ?? selectorFault(field, rule);
    if (detail !== undefined) problems.push({ path: at(field), reason: 'FieldValueInvalid', detail });
    if (nonResourceURLs.length > 0)
      problems.push({ path: at(field), reason: 'FieldValueForbidden', detail: 'Paths have no fields and labels.' });
  }
  if (nonResourceURLs.length > 0) {
    const why = namespaced
      ? 'namespaced rules cannot apply to non-resource URLs'
      : 'rules cannot apply to both regular resources and non-resource URLs';
    const mixed = apiGroups.length + resources.length + resourceNames.length > 0;
    if (!namespaced && !mixed) return problems;
    return [
      ...problems,
      {
        path: at('nonResourceURLs'),
        reason: 'FieldValueInvalid',
        detail: `Invalid value: ${JSON.stringify(nonResourceURLs)}: ${why}`,
      },
    ];
  }
  if (apiGroups.length === 0)
    problems.push(requiredProblem('apiGroups', 'resource rules must supply at least one api group'));
  if (resources.length === 0)
    problems.push(requiredProblem('resources', 'resource rules must supply at least one resource'));
  return problems;
}

const SELECTORS = {
  fieldSelector: parseFieldRequirements,
  labelSelector: (text: string) => parseLabelSelector(text).requirements,
} as const;

/** Verbs that are checked without an object, so that a selector would never match. */
const ASKED_OF_ALL: readonly string[] = ['refer', 'bind', 'escalate'];

/** Why a valid selector is useless in its rule: it would select all objects, or none. */
function selectorFault(field: keyof typeof SELECTORS, rule: PolicyRule): string | undefined {
  if (SELECTORS[field](rule[field] ?? '').length === 0)
    return `It selects every object. Select some, like ${field === 'fieldSelector' ? 'spec.market=de' : 'team=growth'}, or leave it out.`;
  const verbs = rule.verbs.filter((verb) => ASKED_OF_ALL.includes(verb));
  if (verbs.length > 0)
    return `${verbs.join(', ')} cannot be limited to selected objects. Put it into a rule of its own, with resourceNames to limit it.`;
  const histories = (rule.resources ?? []).filter((resource) => resource.endsWith('/history'));
  if (histories.length > 0)
    return `${histories.join(', ')} cannot be limited to selected objects: earlier versions may have other fields and labels. Put it into a rule of its own, with resourceNames to limit it.`;
  return undefined;
}

function faultOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.message;
  }
}

function unsupportedProblem(path: Problem['path'], value: unknown, supported: string): Problem {
  return {
    path,
    reason: 'FieldValueNotSupported',
    detail: `Unsupported value: ${JSON.stringify(value)}: supported values: "${supported}"`,
  };
}

function bindingProblems(object: ResourceObject, before: ResourceObject | undefined): Problem[] {
  const problems: Problem[] = [];
  const { apiGroup } = object['roleRef'] as { apiGroup?: string };
  if (apiGroup !== RBAC_GROUP) problems.push(unsupportedProblem(['roleRef', 'apiGroup'], apiGroup, RBAC_GROUP));
  if (before !== undefined && !isDeepStrictEqual(before['roleRef'], object['roleRef'])) {
    problems.push({
      path: ['roleRef'],
      reason: 'FieldValueInvalid',
      detail: `Invalid value: ${JSON.stringify(object['roleRef'])}: cannot change roleRef`,
    });
  }
  for (const [index, subject] of subjectsOf(object).entries()) {
    const { kind, namespace, apiGroup: group = '' } = subject as Subject & { apiGroup?: string };
    const at = ['subjects', index];
    const expected = kind === 'ServiceAccount' ? '' : RBAC_GROUP;
    if (group !== expected) problems.push(unsupportedProblem([...at, 'apiGroup'], group, expected));
    if (kind === 'ServiceAccount' && (namespace ?? '') === '') {
      problems.push({ path: [...at, 'namespace'], reason: 'FieldValueRequired', detail: 'Required value' });
    }
  }
  return problems;
}
