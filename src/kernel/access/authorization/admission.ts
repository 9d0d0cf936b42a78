import { isDeepStrictEqual } from 'node:util';
import type { Problem, Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { ResourceAttributes, SelectableObject, User } from '#kernel/api/authority.ts';
import { selectable } from '#kernel/api/selection.ts';
import { isSelectable, parseFieldRequirements } from '#kernel/api/codec/selectors.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Entry, Reader } from '#kernel/store/contract.ts';
import { invalid, notFoundRefusal, resourceName, type Admission } from '#kernel/store/rules/write.ts';
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding, aggregatesOf, roleRefOf, rulesOf } from '../kinds/rbac.ts';
import { forbiddenRefusal, notAmongRefusal } from './forbidden-refusal.ts';
import { reachesEverywhere, requireMayRefer } from './references.ts';
import { authorize, heldRules, isMaster, type Access, type RuleTable } from '../rules/rule-table.ts';
import type { PolicyRule } from '../rules/rules.ts';
import { uncoveredRules } from './uncovered-rules.ts';

/** As a namespace: all of them. */
const EVERYWHERE = '';
/** As many missing rules as a person reads. */
const SHOWN_RULES_MAX = 20;

const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

type Holder = Pick<User, 'name' | 'groups'>;

/** A user, and the rules of their rights. */
interface HeldRights {
  readonly table: RuleTable;
  readonly user: Holder;
}

/** A write to be authorized. */
interface WriteCheck {
  readonly kind: Kind;
  readonly operation: Operation;
  readonly current: Entry | undefined;
}

/**
 * Authorizes writes where they are decided: each object of a change set, grants of rights, and references to other
 * namespaces. Components of this program may write everything.
 */
export function admission(table: () => RuleTable, kinds: KindRegistry): Admission {
  const rightsOf = (user: Holder): HeldRights => ({ table: table(), user });
  const mayDo = (user: Holder, verb: string, object: SelectableObject): boolean =>
    authorize(table(), user, { verb, ...namedIn(object), object }).allowed;
  // `refer` cannot be limited to selected objects.
  const mayRefer = (user: Holder, object: Pick<SelectableObject, 'kind' | 'namespace' | 'name'>): boolean =>
    authorize(table(), user, { verb: 'refer', ...namedIn(object) }).allowed;
  const require = (user: Holder, kind: Kind, wish: Pick<ResourceAttributes, 'verb' | 'namespace' | 'name'>) => {
    const wanted = { ...wish, group: kind.group, resource: kind.plural, subresource: '' };
    if (!authorize(table(), user, wanted).allowed) throw forbiddenRefusal(user, wanted);
  };
  /**
   * Whether nothing may depend on that the object is there: the user may neither read nor update it. Who may create any
   * object learns of it all the same.
   */
  const hides = (user: Holder, { kind, operation, current }: WriteCheck): boolean =>
    operation.verb === 'apply' &&
    current !== undefined &&
    !accessTo(rightsOf(user), { kind, operation, current }, current).allowed &&
    !accessTo(rightsOf(user), { kind, operation, current: undefined }, undefined).allowed &&
    !mayDo(user, 'get', current);
  return {
    mayRead: (author, object) =>
      author.caller === undefined || mayDo({ name: author.user, groups: author.caller.groups }, 'get', object),
    hides: ({ operation, kind, current, author }) =>
      author.caller !== undefined &&
      hides({ name: author.user, groups: author.caller.groups }, { operation, kind, current }),
    mayAsk: ({ operation, kind, current: stored, author }) => {
      if (author.caller === undefined) return;
      const user = { name: author.user, groups: author.caller.groups };
      const current = hides(user, { kind, operation, current: stored }) ? undefined : stored;
      const isCreate = operation.verb !== 'delete' && verbOf(operation, current) === 'create';
      // These are authorized here alone: as objects of a change set, or once more when a command is carried out.
      const isDecidedHere =
        operation.verb === 'apply' ||
        (operation.verb === 'serverSideApply' && isCreate) ||
        (operation.verb === 'delete' && operation.by !== undefined);
      const access = accessTo(rightsOf(user), { kind, operation, current }, isCreate ? undefined : current);
      // Whether a rule with a selector allows a create depends on the object that would be stored.
      const isOpen = access.partly.length > 0 && isCreate;
      if (!access.allowed && !isOpen && (isDecidedHere || access.partly.length > 0)) {
        if (operation.verb === 'serverSideApply' && isCreate)
          throw applyRefusal(rightsOf(user), { kind, operation }, access);
        const isKnown = operation.verb === 'apply' || (current !== undefined && mayDo(user, 'get', current));
        throw refusalOf(user, access, isKnown);
      }
      if (operation.verb === 'delete' && reachesEverywhere(kind, current?.object()))
        require(user, kind, { verb: 'delete', namespace: EVERYWHERE, name: operation.name });
    },
    mayBecome: ({ operation, kind, current, author, object }) => {
      if (author.caller === undefined) return;
      const user = { name: author.user, groups: author.caller.groups };
      const after = selectable(kind, object);
      const access = accessTo(rightsOf(user), { kind, operation, current }, after);
      if (!access.allowed && access.partly.length > 0) throw forbiddenRefusal(user, access.wanted, access.partly);
      if (operation.verb === 'serverSideApply' && current === undefined) requirePatch(rightsOf(user), after);
    },
    mayStore: ({ kind, current, author, object, read }) => {
      if (author.caller === undefined) return;
      const user = { name: author.user, groups: author.caller.groups };
      if (kind === Role || kind === ClusterRole) requireSelectableFields(kinds, kind, object);
      if (isMaster(user)) return;
      requireMayRefer({ kind, object, current, read }, kinds, {
        do: (verb, entry) => mayDo(user, verb, entry),
        refer: (named) => mayRefer(user, named),
      });
      const before = current?.object();
      const isChanged = !isDeepStrictEqual(before?.spec, object.spec);
      if (isChanged && (reachesEverywhere(kind, object) || reachesEverywhere(kind, before))) {
        const verb = before === undefined ? 'create' : 'update';
        require(user, kind, { verb, namespace: EVERYWHERE, name: object.metadata.name });
      }
      for (const { verb, kind: other } of isChanged ? (kind.requires ?? []) : []) {
        require(user, kinds.byId(other), { verb, namespace: EVERYWHERE, name: '' });
      }
      if (kind === Role || kind === ClusterRole) roleMayHold({ table: table(), user }, kind, object, before);
      if (kind === RoleBinding || kind === ClusterRoleBinding)
        bindingMayGrant({ table: table(), user }, object, before, { kind, read });
    },
  };
}

/** An access that is not allowed. */
type Denial = Pick<Access, 'partly'> & { readonly wanted: ResourceAttributes };

/** Whether a write is allowed with the object as it is, or as it would be. */
function accessTo(
  { table, user }: HeldRights,
  { kind, operation, current }: WriteCheck,
  object: SelectableObject | undefined,
): Access & { readonly wanted: ResourceAttributes } {
  const verb = verbOf(operation, current);
  const wanted = {
    verb,
    group: kind.group,
    resource: kind.plural,
    subresource: partOf(operation),
    namespace: operation.namespace,
    // As in Kubernetes, a name that does not exist yet is no ground to create.
    name: verb === 'create' && operation.verb !== 'delete' ? '' : operation.name,
    ...(object === undefined ? {} : { object }),
  };
  return { ...authorize(table, user, wanted), wanted };
}

/** The refusal of a write; whether there is an object learns only who may know of it. */
function refusalOf(user: Holder, { wanted, partly }: Denial, isKnown: boolean): Refusal {
  return isKnown ? forbiddenRefusal(user, wanted, partly) : notAmongRefusal(wanted, partly);
}

/** An apply that creates is a patch too, as in Kubernetes. */
function requirePatch({ table, user }: HeldRights, object: SelectableObject): void {
  const wanted = { verb: 'patch', ...namedIn(object), object };
  const { allowed, partly } = authorize(table, user, wanted);
  if (!allowed) throw forbiddenRefusal(user, wanted, partly);
}

/** The refusal of an apply that may not create. Who may patch some objects only must not learn that there is none. */
function applyRefusal(
  { table, user }: HeldRights,
  { kind, operation: { namespace, name } }: Pick<WriteCheck, 'kind' | 'operation'>,
  create: Denial,
): Refusal {
  const wanted = { verb: 'patch', ...namedIn({ kind, namespace, name }) };
  const patch = authorize(table, user, wanted);
  return patch.allowed ? forbiddenRefusal(user, create.wanted, create.partly) : notAmongRefusal(wanted, patch.partly);
}

/** The verb of a write in rules. */
function verbOf(operation: Operation, current: Entry | undefined): string {
  if (operation.verb === 'apply') return current === undefined || operation.isNew === true ? 'create' : 'update';
  if (operation.verb === 'delete' && operation.by !== undefined) return 'create';
  if (operation.verb === 'serverSideApply') return current === undefined ? 'create' : 'patch';
  return operation.verb === 'delete' && operation.isOfMany === true ? 'deletecollection' : operation.verb;
}

/** The subresource of a write in rules; empty for the object itself. */
function partOf(operation: Operation): string {
  if (operation.verb === 'delete') return operation.by?.part ?? '';
  return 'part' in operation && operation.part !== 'main' ? operation.part : '';
}

function namedIn({ kind, namespace, name }: Pick<SelectableObject, 'kind' | 'namespace' | 'name'>) {
  return { group: kind.group, resource: kind.plural, subresource: '', namespace, name };
}

/** Refuses a rule that selects by a field which its resources do not have: it would allow nothing. */
function requireSelectableFields(kinds: KindRegistry, roleKind: Kind, role: ResourceObject): void {
  const problems = rulesOf(role).flatMap((rule, index): Problem[] => {
    const { fieldSelector = '', apiGroups = [], resources = [] } = rule;
    if (fieldSelector === '') return [];
    const path = ['rules', index, 'fieldSelector'];
    // A subresource is selected by the fields of its object.
    const plurals = new Set(resources.map((resource) => resource.split('/')[0]));
    const meant = kinds.all.filter(({ group, plural }) => apiGroups.includes(group) && plurals.has(plural));
    if (meant.length === 0) {
      const detail = 'A rule with a field selector must name the groups and resources that have the field.';
      return [{ path, reason: 'FieldValueInvalid', detail }];
    }
    return meant.flatMap(({ plural, selectableFields = {} }) =>
      parseFieldRequirements(fieldSelector).flatMap(({ key }): Problem[] => {
        if (isSelectable(key, selectableFields)) return [];
        const known = ['metadata.name', 'metadata.namespace', ...Object.keys(selectableFields)].join(', ');
        return [
          { path, reason: 'FieldValueInvalid', detail: `${plural} are not selected by ${key}, but by ${known}.` },
        ];
      }),
    );
  });
  if (problems.length > 0) throw invalid(roleKind, role.metadata.name, problems);
}

/** Refuses a role with rules that its author does not hold, unless they may `escalate` it. */
function roleMayHold(held: HeldRights, kind: Kind, object: ResourceObject, before: ResourceObject | undefined): void {
  const collects = aggregatesOf(object);
  const sameRules = before !== undefined && isDeepStrictEqual(rulesOf(before), rulesOf(object));
  const sameSources = collects === undefined || isDeepStrictEqual(before && aggregatesOf(before), collects);
  if (sameRules && sameSources && (kind === Role || sameLabels(before, object))) return;
  if (mayEscalate(held, kind, object)) return;
  const { namespace = '' } = object.metadata;
  // The future rules of a collecting role are unknown: only an author with all rights may create one.
  const wanted = sameSources ? rulesOf(object) : EVERYTHING;
  requireHeld(held, namespace, wanted, `${resourceName(kind)} "${object.metadata.name}"`);
}

/** Labels decide which ClusterRoles collect the rules of this one. */
function sameLabels(before: ResourceObject, after: ResourceObject): boolean {
  return isDeepStrictEqual(before.metadata.labels ?? {}, after.metadata.labels ?? {});
}

/** Refuses a binding to a role whose rules its author does not hold, unless they may `bind` it. */
function bindingMayGrant(
  held: HeldRights,
  object: ResourceObject,
  before: ResourceObject | undefined,
  { kind, read }: { readonly kind: Kind; readonly read: Reader },
): void {
  const { namespace = '', name } = object.metadata;
  if (before !== undefined && isDeepStrictEqual(before['subjects'], object['subjects'])) return;
  const ref = roleRefOf(object);
  const roleKind = ref.kind === 'Role' ? Role : ClusterRole;
  const wanted = { group: roleKind.group, resource: roleKind.plural, subresource: '', namespace, name: ref.name };
  if (authorize(held.table, held.user, { ...wanted, verb: 'bind' }).allowed) return;
  const role = read.get(roleKind, roleKind === Role ? namespace : '', ref.name);
  if (role === undefined) throw notFoundRefusal(roleKind, ref.name);
  requireHeld(held, namespace, rulesOf(role.object()), `${resourceName(kind)} "${name}"`);
}

function mayEscalate({ table, user }: HeldRights, { group, plural }: Kind, { metadata }: ResourceObject): boolean {
  const { namespace = '', name } = metadata;
  return authorize(table, user, { verb: 'escalate', group, resource: plural, subresource: '', namespace, name })
    .allowed;
}

function requireHeld(
  { table, user }: HeldRights,
  namespace: string,
  wanted: readonly PolicyRule[],
  what: string,
): void {
  const missing = uncoveredRules(heldRules(table, user, namespace), wanted);
  if (missing.length === 0) return;
  const shown = missing.slice(0, SHOWN_RULES_MAX).map(inWords);
  if (missing.length > shown.length) shown.push(`… and ${missing.length - shown.length} more`);
  throw accessRefusal(
    'escalation',
    `${what} is forbidden: user "${user.name}" (groups=${JSON.stringify(user.groups)}) is attempting to grant RBAC ` +
      `permissions not currently held:\n${shown.join('\n')}`,
  );
}

/** In the words of kube-apiserver. */
function inWords(rule: PolicyRule): string {
  const { apiGroups, resources, resourceNames, nonResourceURLs, verbs, fieldSelector, labelSelector } = rule;
  const parts = {
    APIGroups: apiGroups,
    Resources: resources,
    ResourceNames: resourceNames,
    NonResourceURLs: nonResourceURLs,
    FieldSelector: fieldSelector,
    LabelSelector: labelSelector,
    Verbs: verbs,
  };
  const lists = Object.entries(parts).filter(([, list]) => list !== undefined && list.length > 0);
  return `{${lists.map(([name, list]) => `${name}:${JSON.stringify(list)}`).join(', ')}}`;
}
