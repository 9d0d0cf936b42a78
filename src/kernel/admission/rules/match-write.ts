import { requirementsOf, type ObjectSelector } from '#kernel/api/codec/requirements.ts';
import { labelsMeet, type Labels } from '#kernel/api/codec/selectors.ts';
import type { MatchSpec } from '../kinds/match.ts';

/** A write, as rules name it. */
export interface WriteFacts {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** Empty for kinds without one. */
  readonly namespace: string;
  readonly name: string;
  /** Labels of the object before and after the write, as far as there are both. */
  readonly labels: readonly Labels[];
  /** Of the namespace; of a Namespace its own. Undefined for other kinds without one. */
  readonly namespaceLabels: Labels | undefined;
}

/** Whether a policy or a binding is for a write. */
export function matchesWrite(match: MatchSpec | undefined, write: WriteFacts): boolean {
  if (match === undefined) return true;
  const { resourceRules, excludeResourceRules = [], namespaceSelector, objectSelector } = match;
  if (resourceRules !== undefined && !resourceRules.some((rule) => matchesRule(rule, write))) return false;
  if (excludeResourceRules.some((rule) => matchesRule(rule, write))) return false;
  if (write.namespaceLabels !== undefined && !selects(namespaceSelector, write.namespaceLabels)) return false;
  return objectSelector === undefined || write.labels.some((labels) => selects(objectSelector, labels));
}

function selects(selector: ObjectSelector | undefined, labels: Labels): boolean {
  return selector === undefined || labelsMeet(requirementsOf(selector), labels);
}

type Rule = NonNullable<MatchSpec['resourceRules']>[number];

function matchesRule(rule: Rule, write: WriteFacts): boolean {
  const { apiGroups, apiVersions, operations, resources, resourceNames = [], scope } = rule;
  return (
    has(apiGroups, write.group) &&
    has(apiVersions, write.version) &&
    has(operations, write.operation) &&
    resources.some((resource) => matchesResource(resource, write)) &&
    (resourceNames.length === 0 || resourceNames.includes(write.name)) &&
    (scope === '*' || (scope === 'Namespaced') === (write.namespace !== ''))
  );
}

function has(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value);
}

/** `*` is all resources and none of their subresources, as Kubernetes has it. */
function matchesResource(pattern: string, { resource, subresource }: WriteFacts): boolean {
  const [of = '', sub = ''] = pattern.split('/');
  return (of === '*' || of === resource) && (sub === subresource || (sub === '*' && pattern.includes('/')));
}
