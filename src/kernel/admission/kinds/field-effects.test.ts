import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { ConfigMap, Namespace } from '#kernel/kinds/builtin/core.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { fieldsWithoutEffect } from '#kernel/kinds/testing/field-effects.ts';
import type { Entry, Reader } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { policyAdmission } from '../policy-admission.ts';
import { ValidatingAdmissionPolicyBinding } from './binding.ts';
import { ValidatingAdmissionPolicy } from './policy.ts';

const NOW = Temporal.Instant.from('2026-05-01T12:00:00Z');
const RULE = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'], scope: '*' };
const SELECTED = {
  namespaceSelector: { matchLabels: { team: 'a' }, matchExpressions: [{ key: 'team', operator: 'In', values: ['a'] }] },
  objectSelector: { matchLabels: { tier: 'x' }, matchExpressions: [{ key: 'tier', operator: 'In', values: ['x'] }] },
  resourceRules: [{ ...RULE, resourceNames: ['one'] }],
  excludeResourceRules: [{ ...RULE, resources: ['configmaps'], resourceNames: ['two'] }],
  matchPolicy: 'Exact',
};
const POLICY = {
  failurePolicy: 'Fail',
  paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
  matchConstraints: SELECTED,
  matchConditions: [{ name: 'data', expression: 'has(object.data)' }],
  variables: [{ name: 'most', expression: 'int(params.data.most)' }],
  validations: [
    {
      expression: 'object.data.size() < variables.most',
      messageExpression: "'at most ' + params.data.most",
      reason: 'Forbidden',
    },
    { expression: 'object.data.nosuch == 1', message: 'It has none.' },
    { expression: "object.metadata.name == 'other'", message: 'Another name.' },
  ],
  auditAnnotations: [{ key: 'size', valueExpression: "string(size(object.data)) + ' of ' + params.data.most" }],
};
const BINDING = {
  policyName: 'p',
  paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' },
  matchResources: SELECTED,
  validationActions: ['Deny'],
};

const PARAMS_BY_LABEL = {
  selector: { matchLabels: { for: 'a' }, matchExpressions: [{ key: 'for', operator: 'In', values: ['a'] }] },
  namespace: 'default',
  parameterNotFoundAction: 'Deny',
};

function entryOf(kind: Kind, name: string, more: object): Entry {
  const { apiVersion } = kind;
  const metadata = {
    name,
    ...(kind.namespaced ? { namespace: 'default' } : {}),
    ...(more as { metadata?: object }).metadata,
  };
  return textEntry(kind, { apiVersion, kind: kind.kind, ...more, metadata }, 1);
}

/** The results of two writes under a policy and its binding: warnings, or the refusal. */
function results(policy: object, binding: object, params: 'given' | 'missing' = 'given'): unknown {
  const entries = [
    entryOf(Namespace, 'default', { metadata: { labels: { team: 'a' } } }),
    entryOf(ValidatingAdmissionPolicy, 'p', { spec: policy }),
    ...(params === 'given'
      ? [entryOf(ConfigMap, 'limits', { metadata: { labels: { for: 'a' } }, data: { most: '1' } })]
      : []),
  ];
  const read: Reader = {
    get: (kind, namespace, name) =>
      entries.find((one) => one.kind === kind && one.namespace === namespace && one.name === name),
    find: () => [entryOf(ValidatingAdmissionPolicyBinding, 'b', { spec: binding })],
    list: (kind, { namespace } = {}) =>
      entries.filter((one) => one.kind === kind && (namespace ?? one.namespace) === one.namespace),
  };
  const { mayChange } = policyAdmission(kindRegistry([ConfigMap, Namespace]), () => ({ allowed: true, reason: '' }));
  return ['one', 'two', 'other'].map((name) => {
    const { metadata } = entryOf(ConfigMap, name, { metadata: { labels: { tier: 'x' } } }).object();
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '1' } } as unknown as ResourceObject;
    const place = { kind: ConfigMap.id, namespace: 'default', name };
    const operation: Operation = { verb: 'create', ...place, object, uid: 'u', fieldValidation: 'Strict' };
    const caller = { groups: [], address: '', userAgent: '', verb: 'create' };
    const author = { user: 'ann', requestId: 'r', caller };
    const mutation = { do: 'put', kind: ConfigMap, object } as const;
    try {
      return mayChange?.({ operation, kind: ConfigMap, current: undefined, author, read, now: NOW, mutation });
    } catch (error) {
      assert.ok(error instanceof Refusal);
      return [error.code, error.message];
    }
  });
}

const problemsOf = (kind: Kind, spec: unknown) => kind.validate?.(spec, { now: NOW, find: () => [], name: 'p' });

/** Only Events, which two groups show, tell them apart: tests/conformance/events.process.test.ts. */
const WITHOUT_CHOICE = ['matchPolicy'];

const selectors = (at: string) => ({
  [`${at}.resourceRules[].operations[]`]: ['DELETE'],
  [`${at}.excludeResourceRules[].resourceNames[]`]: ['one'],
  [`${at}.namespaceSelector.matchExpressions[].operator`]: ['NotIn'],
  [`${at}.objectSelector.matchExpressions[].operator`]: ['NotIn'],
  [`${at}.resourceRules[].scope`]: ['Cluster'],
});
/** The same rules, and held there. */
const exclusions = (at: string) =>
  ['apiGroups', 'apiVersions', 'operations', 'resources', 'scope'].map(
    (field) => `${at}.excludeResourceRules[].${field}`,
  );

test('no field of policies without an effect', async () => {
  const without = await fieldsWithoutEffect({
    kind: ValidatingAdmissionPolicy,
    bases: [
      POLICY,
      { ...POLICY, validations: POLICY.validations.slice(1, 2) },
      { ...POLICY, validations: POLICY.validations.slice(2) },
      { ...POLICY, validations: undefined },
    ],
    informational: WITHOUT_CHOICE.map((field) => `matchConstraints.${field}`),
    values: {
      ...selectors('matchConstraints'),
      'matchConditions[].name': ['renamed'],
      'matchConditions[].expression': ['1 / 0 == 1', 'false'],
      'variables[].expression': ['10'],
      'validations[].expression': ['true'],
      'auditAnnotations[].key': ['other'],
      'auditAnnotations[].valueExpression': ["'fixed'"],
    },
    shared: exclusions('matchConstraints'),
    observe: (spec) => [problemsOf(ValidatingAdmissionPolicy, spec), results(spec as object, BINDING)],
  });
  // A name of a condition is in the message of its failure alone.
  assert.deepEqual(
    without.filter((field) => !field.includes('excludeResourceRules') && field !== 'matchConditions[].name'),
    [],
  );
});

test('no field of bindings without an effect', async () => {
  const without = await fieldsWithoutEffect({
    kind: ValidatingAdmissionPolicyBinding,
    bases: [BINDING, { ...BINDING, paramRef: PARAMS_BY_LABEL }],
    informational: WITHOUT_CHOICE.map((field) => `matchResources.${field}`),
    values: {
      ...selectors('matchResources'),
      'validationActions[]': ['Warn'],
      'paramRef.selector.matchExpressions[].operator': ['NotIn'],
    },
    shared: exclusions('matchResources'),
    observe: (spec) => (['given', 'missing'] as const).map((params) => results(POLICY, spec as object, params)),
  });
  assert.deepEqual(
    without.filter((field) => !field.includes('excludeResourceRules')),
    [],
  );
});
