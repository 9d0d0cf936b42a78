import type { Attributes, ResourceAttributes, SelectableObject, SelectedBy, User } from '#kernel/api/authority.ts';
import {
  allowsPath,
  allowsResource,
  compileRule,
  isAbout,
  selectorText,
  type CompiledRule,
  type PolicyRule,
} from './rules.ts';

/** A Role or ClusterRole. */
export interface RoleRules {
  readonly kind: 'Role' | 'ClusterRole';
  /** Empty for a ClusterRole. */
  readonly namespace: string;
  readonly name: string;
  readonly rules: readonly PolicyRule[];
}

export interface Subject {
  readonly kind: string;
  readonly name: string;
  /** Of a service account. */
  readonly namespace?: string;
}

/** A RoleBinding or ClusterRoleBinding. */
export interface Binding {
  /** Where it grants; empty means everywhere: a ClusterRoleBinding. */
  readonly namespace: string;
  readonly name: string;
  readonly role: { readonly kind: string; readonly name: string };
  readonly subjects: readonly Subject[];
}

interface Grant {
  readonly rules: readonly CompiledRule[];
  /** The reason, as kubectl shows it. */
  readonly because: string;
}

/** Rights of each user and group, by namespace; the empty one holds the rights granted everywhere. */
export interface RuleTable {
  readonly grants: ReadonlyMap<string, ReadonlyMap<string, readonly Grant[]>>;
  /** Resources, as `group/plural`, that only a grant everywhere opens. */
  readonly everywhereOnly: ReadonlySet<string>;
  readonly role: (kind: string, namespace: string, name: string) => readonly PolicyRule[] | undefined;
}

/** Members may do everything, whatever the rules are: the administrator cannot be locked out. */
const MASTERS = 'system:masters';

const EVERYWHERE = '';

export function isMaster(user: Pick<User, 'groups'>): boolean {
  return user.groups.includes(MASTERS);
}

/** Joins bindings to their roles. A binding to a role that does not exist grants nothing. */
export function compileRules(
  roles: Iterable<RoleRules>,
  bindings: Iterable<Binding>,
  everywhereOnly: ReadonlySet<string> = new Set(),
): RuleTable {
  const byName = new Map<string, { rules: readonly PolicyRule[]; compiled: readonly CompiledRule[] }>();
  for (const { kind, namespace, name, rules } of roles) {
    byName.set(roleKey(kind, namespace, name), { rules, compiled: rules.map(compileRule) });
  }
  const grants = new Map<string, Map<string, Grant[]>>();
  for (const binding of bindings) {
    const { namespace, role, subjects } = binding;
    const found = byName.get(roleKey(role.kind, role.kind === 'Role' ? namespace : '', role.name));
    if (found === undefined) continue;
    for (const subject of subjects) {
      const key = subjectKey(subject, namespace);
      const scopes = grants.get(key) ?? new Map<string, Grant[]>();
      grants.set(key, scopes);
      const scope = scopes.get(namespace) ?? [];
      scopes.set(namespace, scope);
      scope.push({ rules: found.compiled, because: reason(binding, subject) });
    }
  }
  return { grants, everywhereOnly, role: (kind, namespace, name) => byName.get(roleKey(kind, namespace, name))?.rules };
}

/** Whether the user may, by which binding, and the rules that allow it for some objects where none allows it for these. */
export interface Access {
  readonly allowed: boolean;
  readonly reason: string;
  readonly partly: readonly CompiledRule[];
}

/** Whether the user may, and by which binding. */
export function authorize(table: RuleTable, user: Pick<User, 'name' | 'groups'>, wanted: Attributes): Access {
  if (isMaster(user)) return { allowed: true, reason: `member of ${MASTERS}`, partly: [] };
  const resource = 'path' in wanted ? undefined : parsedOnce(wanted);
  const allows = (rule: CompiledRule) =>
    'path' in wanted ? allowsPath(rule, wanted) : allowsResource(rule, resource ?? wanted);
  const scope = 'path' in wanted || table.everywhereOnly.has(resourceKey(wanted)) ? EVERYWHERE : wanted.namespace;
  const partly: CompiledRule[] = [];
  for (const grant of grantsOf(table, user, scope)) {
    if (grant.rules.some(allows)) return { allowed: true, reason: grant.because, partly: [] };
    if ('path' in wanted) continue;
    for (const rule of grant.rules) if (rule.selector !== undefined && isAbout(rule, wanted)) partly.push(rule);
  }
  return { allowed: false, reason: '', partly };
}

/** The same request: its object is parsed once at most, however many rules look at it. */
function parsedOnce(wanted: ResourceAttributes): ResourceAttributes {
  const { object: found } = wanted;
  if (found === undefined) return wanted;
  const { kind, namespace, name, labels } = found;
  let parsed: ReturnType<SelectableObject['object']> | undefined;
  return { ...wanted, object: { kind, namespace, name, labels, object: () => (parsed ??= found.object()) } };
}

/** The selectors of rules, each once, by their text as a client would send it. */
export function selectorsOf(rules: readonly CompiledRule[]): ReadonlyMap<string, SelectedBy> {
  return new Map(
    rules.flatMap(({ rule, selector }) => (selector === undefined ? [] : [[selectorText(rule), selector] as const])),
  );
}

/** Whether there may be an object of one of these kinds, anywhere, that the user may create or update. */
export function mayWriteSomething(
  table: RuleTable,
  user: Pick<User, 'name' | 'groups'>,
  kinds: readonly { readonly group: string; readonly plural: string }[],
): boolean {
  if (isMaster(user)) return true;
  const writes = (rule: CompiledRule): boolean => {
    const [name = ''] = rule.resourceNames;
    return kinds.some(({ group, plural: resource }) =>
      ['create', 'update'].some((verb) =>
        isAbout(rule, { verb, group, resource, subresource: '', namespace: '', name }),
      ),
    );
  };
  return subjectsOf(user).some((subject) =>
    [...(table.grants.get(subject)?.values() ?? [])].some((grants) => grants.some(({ rules }) => rules.some(writes))),
  );
}

/**
 * Every rule that the user has in a namespace, those granted everywhere included; an empty one means only the latter.
 */
export function heldRules(table: RuleTable, user: Pick<User, 'name' | 'groups'>, namespace: string): PolicyRule[] {
  const found: PolicyRule[] = isMaster(user)
    ? [
        { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
        { verbs: ['*'], nonResourceURLs: ['*'] },
      ]
    : [];
  for (const grant of grantsOf(table, user, namespace)) found.push(...grant.rules.map(({ rule }) => rule));
  return [...new Set(found)];
}

function* grantsOf(table: RuleTable, { name, groups }: Pick<User, 'name' | 'groups'>, namespace: string) {
  for (const subject of subjectsOf({ name, groups })) {
    const scopes = table.grants.get(subject);
    if (scopes === undefined) continue;
    yield* scopes.get(EVERYWHERE) ?? [];
    if (namespace !== EVERYWHERE) yield* scopes.get(namespace) ?? [];
  }
}

function subjectsOf({ name, groups }: Pick<User, 'name' | 'groups'>): string[] {
  return [`User:${name}`, ...groups.map((group) => `Group:${group}`)];
}

/** The name of a resource in `everywhereOnly`. */
export function resourceKey({ group, resource }: { readonly group: string; readonly resource: string }): string {
  return `${group}/${resource}`;
}

function roleKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

/** Service accounts are users with a name of a certain form. */
function subjectKey({ kind, name, namespace }: Subject, bindingNamespace: string): string {
  if (kind !== 'ServiceAccount') return `${kind}:${name}`;
  return `User:${serviceAccountUser(namespace ?? bindingNamespace, name)}`;
}

export function serviceAccountUser(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** In the words of kube-apiserver. */
function reason({ namespace, name, role }: Binding, subject: Subject): string {
  const binding = namespace === EVERYWHERE ? `ClusterRoleBinding "${name}"` : `RoleBinding "${name}/${namespace}"`;
  const subjectName =
    subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace ?? namespace}` : subject.name;
  return `RBAC: allowed by ${binding} of ${role.kind} "${role.name}" to ${subject.kind} "${subjectName}"`;
}
