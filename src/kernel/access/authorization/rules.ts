import type { PathAttributes, ResourceAttributes } from '#kernel/resources/api/authority.ts';

/** A rule of rbac.authorization.k8s.io/v1: what may be done, with resources or with paths. */
export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  /** Empty or absent means all names. */
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
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
  /** What paths may begin with: entries that end in `*`. */
  readonly pathPrefixes: readonly string[];
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
  };
}

export function allowsResource(rule: CompiledRule, wanted: ResourceAttributes): boolean {
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
