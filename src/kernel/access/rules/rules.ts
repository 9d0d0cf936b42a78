import type { PathAttributes, ResourceAttributes, SelectedBy } from '#kernel/api/authority.ts';
import { implies } from '#kernel/api/codec/requirements.ts';
import { parseFieldRequirements, parseLabelSelector } from '#kernel/api/codec/selectors.ts';
import { isSelectedBy } from '#kernel/api/selection.ts';

/** A rule of rbac.authorization.k8s.io/v1: verbs on resources or on paths. */
export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  /** Empty or absent means all names. */
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  /** Only objects that these select; absent means all. As in the query of a list. */
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

const ALL = '*';

/** A rule with its lists as sets. */
export interface CompiledRule {
  readonly rule: PolicyRule;
  readonly verbs: ReadonlySet<string>;
  readonly apiGroups: ReadonlySet<string>;
  readonly resources: ReadonlySet<string>;
  readonly resourceNames: ReadonlySet<string>;
  readonly paths: ReadonlySet<string>;
  /** Prefixes of paths: entries that end in `*`. */
  readonly pathPrefixes: readonly string[];
  /** Absent: all objects. */
  readonly selector?: SelectedBy;
}

export function compileRule(rule: PolicyRule): CompiledRule {
  const urls = rule.nonResourceURLs ?? [];
  return {
    rule,
    verbs: new Set(rule.verbs),
    apiGroups: new Set(rule.apiGroups),
    resources: new Set(rule.resources),
    resourceNames: new Set(rule.resourceNames),
    paths: new Set(urls),
    pathPrefixes: urls.filter((url) => url.endsWith(ALL)).map((url) => url.replace(/\*+$/, '')),
    ...(isForSome(rule) ? { selector: selectorOf(rule) } : {}),
  };
}

/** Whether a rule is for some objects only. */
export function isForSome({ fieldSelector = '', labelSelector = '' }: PolicyRule): boolean {
  return fieldSelector !== '' || labelSelector !== '';
}

export function selectorOf({ fieldSelector = '', labelSelector = '' }: PolicyRule): SelectedBy {
  return {
    labels: parseLabelSelector(labelSelector).requirements,
    fields: parseFieldRequirements(fieldSelector),
  };
}

/** The selectors of a rule, as a client would send them. */
export function selectorText({ fieldSelector = '', labelSelector = '' }: PolicyRule): string {
  const parts = { fieldSelector, labelSelector };
  return Object.entries(parts)
    .flatMap(([name, text]) => (text === '' ? [] : [`${name}=${text}`]))
    .join(' and ');
}

export function allowsResource(rule: CompiledRule, wanted: ResourceAttributes): boolean {
  return isAbout(rule, wanted) && (rule.selector === undefined || isSelected(rule.selector, wanted));
}

/** Whether a selector allows the request: it implies the request's own selector, or selects the object. */
function isSelected(selector: SelectedBy, { selection, object }: ResourceAttributes): boolean {
  if (selection !== undefined) return selectorImplies(selection, selector);
  return object !== undefined && isSelectedBy(selector, object);
}

export function selectorImplies(given: SelectedBy, wanted: SelectedBy): boolean {
  return implies(given.labels, wanted.labels) && implies(given.fields, wanted.fields);
}

/** The same without regard to the selector of the rule. */
export function isAbout(rule: CompiledRule, wanted: ResourceAttributes): boolean {
  const { verb, group, resource, subresource, name } = wanted;
  return (
    (rule.verbs.has(ALL) || rule.verbs.has(verb)) &&
    (rule.apiGroups.has(ALL) || rule.apiGroups.has(group)) &&
    namesResource(rule.resources, resource, subresource) &&
    (rule.resourceNames.size === 0 || rule.resourceNames.has(name))
  );
}

/** A resource is named by itself, by `*`, or its subresource by `resource/subresource` and by `*` + `/subresource`. */
function namesResource(named: ReadonlySet<string>, resource: string, subresource: string): boolean {
  if (named.has(ALL)) return true;
  if (subresource === '') return named.has(resource);
  return named.has(`${resource}/${subresource}`) || named.has(`*/${subresource}`);
}

export function allowsPath(rule: CompiledRule, { verb, path }: PathAttributes): boolean {
  return (
    (rule.verbs.has(ALL) || rule.verbs.has(verb)) &&
    (rule.paths.has(path) || rule.pathPrefixes.some((prefix) => path.startsWith(prefix)))
  );
}
