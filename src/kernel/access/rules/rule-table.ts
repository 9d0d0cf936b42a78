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

/** The place of a role, which bindings hold: its rules come and go. */
interface RolePlace {
  /** Undefined where there is no such role: it grants nothing. */
  rules: readonly PolicyRule[] | undefined;
  compiled: readonly CompiledRule[];
  /** How many subjects of bindings hold it. */
  holders: number;
}

interface Grant {
  readonly role: RolePlace;
  /** The reason, as kubectl shows it. */
  readonly because: string;
}

/** Rights of each user and group, by namespace and binding; the empty namespace holds the rights granted everywhere. */
type Grants = Map<string, Map<string, Map<string, Grant>>>;

/** The rules in force. */
export interface RuleTable {
  readonly grants: ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, Grant>>>;
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

/** Joins bindings to their roles. */
export function compileRules(
  roles: Iterable<RoleRules>,
  bindings: Iterable<Binding>,
  everywhereOnly: ReadonlySet<string> = new Set(),
): RuleTable {
  const table = new ChangingRules();
  table.everywhereOnly = everywhereOnly;
  for (const role of roles) table.putRole(role);
  for (const binding of bindings) table.putBinding(binding);
  return table;
}

/** A table whose roles and bindings change one by one: a change costs the same, however many there are. */
export class ChangingRules implements RuleTable {
  readonly grants: Grants = new Map();
  everywhereOnly: ReadonlySet<string> = new Set();
  readonly #places = new Map<string, RolePlace>();
  readonly #bindings = new Map<string, Binding>();

  role(kind: string, namespace: string, name: string): readonly PolicyRule[] | undefined {
    return this.#places.get(roleKey(kind, namespace, name))?.rules;
  }

  putRole({ kind, namespace, name, rules }: RoleRules): void {
    const place = this.#placeOf(roleKey(kind, namespace, name));
    place.rules = rules;
    place.compiled = rules.map(compileRule);
  }

  removeRole({ kind, namespace, name }: Omit<RoleRules, 'rules'>): void {
    const key = roleKey(kind, namespace, name);
    const place = this.#placeOf(key);
    place.rules = undefined;
    place.compiled = [];
    this.#tidy(key, place);
  }

  putBinding(binding: Binding): void {
    this.removeBinding(binding);
    const { namespace, subjects } = binding;
    const key = bindingKey(binding);
    this.#bindings.set(key, binding);
    const role = this.#placeOf(heldRoleKey(binding));
    for (const subject of subjects) {
      const scopes = this.grants.getOrInsertComputed(subjectKey(subject, namespace), () => new Map());
      const scope = scopes.getOrInsertComputed(namespace, () => new Map());
      scope.set(key, { role, because: reason(binding, subject) });
    }
    role.holders += 1;
  }

  removeBinding(named: Pick<Binding, 'namespace' | 'name'>): void {
    const key = bindingKey(named);
    const binding = this.#bindings.get(key);
    if (binding === undefined) return;
    this.#bindings.delete(key);
    const { namespace, subjects } = binding;
    for (const subject of subjects) {
      const holder = subjectKey(subject, namespace);
      const scopes = this.grants.get(holder);
      scopes?.get(namespace)?.delete(key);
      if (scopes?.get(namespace)?.size === 0) scopes.delete(namespace);
      if (scopes?.size === 0) this.grants.delete(holder);
    }
    const role = heldRoleKey(binding);
    const place = this.#placeOf(role);
    place.holders -= 1;
    this.#tidy(role, place);
  }

  #placeOf(key: string): RolePlace {
    return this.#places.getOrInsertComputed(key, () => ({ rules: undefined, compiled: [], holders: 0 }));
  }

  #tidy(key: string, { rules, holders }: RolePlace): void {
    if (rules === undefined && holders === 0) this.#places.delete(key);
  }
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
    const { compiled } = grant.role;
    if (compiled.some(allows)) return { allowed: true, reason: grant.because, partly: [] };
    if ('path' in wanted) continue;
    for (const rule of compiled) if (rule.selector !== undefined && isAbout(rule, wanted)) partly.push(rule);
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
    [...(table.grants.get(subject)?.values() ?? [])].some((scope) =>
      [...scope.values()].some(({ role }) => role.compiled.some(writes)),
    ),
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
  for (const grant of grantsOf(table, user, namespace)) found.push(...grant.role.compiled.map(({ rule }) => rule));
  return [...new Set(found)];
}

function* grantsOf(table: RuleTable, { name, groups }: Pick<User, 'name' | 'groups'>, namespace: string) {
  for (const subject of subjectsOf({ name, groups })) {
    const scopes = table.grants.get(subject);
    if (scopes === undefined) continue;
    yield* scopes.get(EVERYWHERE)?.values() ?? [];
    if (namespace !== EVERYWHERE) yield* scopes.get(namespace)?.values() ?? [];
  }
}

function subjectsOf({ name, groups }: Pick<User, 'name' | 'groups'>): string[] {
  return [`User:${name}`, ...groups.map((group) => `Group:${group}`)];
}

/** The name of a resource in `everywhereOnly`. */
export function resourceKey({ group, resource }: { readonly group: string; readonly resource: string }): string {
  return `${group}/${resource}`;
}

function bindingKey({ namespace, name }: Pick<Binding, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/** The role that a binding holds: of its own namespace, or of all. */
function heldRoleKey({ namespace, role }: Binding): string {
  return roleKey(role.kind, role.kind === 'Role' ? namespace : '', role.name);
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
