import { requirementsOf, type ObjectSelector } from '#kernel/api/codec/requirements.ts';
import { labelsMeet, type Labels } from '#kernel/api/codec/selectors.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { MatchSpec } from '../kinds/match.ts';

/** A write, as rules name it. */
export interface WriteFacts {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  /** The kind in each version, and Events in each group; the one that is written first. */
  readonly kinds: readonly Kind[];
  readonly subresource: string;
  /** Empty for kinds without one. */
  readonly namespace: string;
  readonly name: string;
  /** Labels of the object before and after the write, as far as there are both. */
  readonly labels: readonly Labels[];
  /** Of the namespace; of a Namespace its own. Undefined for other kinds without one. */
  readonly namespaceLabels: Labels | undefined;
}

/**
 * The kind in the version in which a policy or a binding is for a write; undefined where it is for other writes. Unless it says
 * `Exact`, a rule for one version is for writes in each of them, as they write the same objects.
 */
export function kindMatched(match: MatchSpec | undefined, write: WriteFacts): Kind | undefined {
  const [written] = write.kinds;
  if (match === undefined) return written;
  const { resourceRules, excludeResourceRules = [], namespaceSelector, objectSelector, matchPolicy } = match;
  if (write.namespaceLabels !== undefined && !selects(namespaceSelector, write.namespaceLabels)) return undefined;
  if (objectSelector !== undefined && !write.labels.some((labels) => selects(objectSelector, labels))) return undefined;
  const kinds = matchPolicy === 'Exact' ? write.kinds.slice(0, 1) : write.kinds;
  const isNamed = (rules: readonly Rule[], kind: Kind) => rules.some((rule) => matchesRule(rule, kind, write));
  if (kinds.some((kind) => isNamed(excludeResourceRules, kind))) return undefined;
  return resourceRules === undefined ? written : kinds.find((kind) => isNamed(resourceRules, kind));
}

function selects(selector: ObjectSelector | undefined, labels: Labels): boolean {
  return selector === undefined || labelsMeet(requirementsOf(selector), labels);
}

type Rule = NonNullable<MatchSpec['resourceRules']>[number];

function matchesRule(rule: Rule, kind: Kind, write: WriteFacts): boolean {
  const { apiGroups, apiVersions, operations, resources, resourceNames = [], scope } = rule;
  return (
    has(apiGroups, kind.group) &&
    has(apiVersions, kind.version) &&
    has(operations, write.operation) &&
    resources.some((resource) => matchesResource(resource, kind, write)) &&
    (resourceNames.length === 0 || resourceNames.includes(write.name)) &&
    (scope === '*' || (scope === 'Namespaced') === (write.namespace !== ''))
  );
}

function has(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value);
}

/** `*` is all resources and none of their subresources, as Kubernetes has it. */
function matchesResource(pattern: string, { plural }: Kind, { subresource }: WriteFacts): boolean {
  const [of = '', sub = ''] = pattern.split('/');
  return (of === '*' || of === plural) && (sub === subresource || (sub === '*' && pattern.includes('/')));
}
