import { contentHash } from '#kernel/base/ids.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Reader } from '#kernel/store/contract.ts';
import { AuditRecord } from '../kinds/audit-record.ts';
import { ClusterRole, ClusterRoleBinding, RBAC_GROUP } from '../kinds/rbac.ts';
import { verbOfPath, type DeclaredPath, type PathAccess } from './path-access.ts';
import type { PolicyRule } from '../rules/rules.ts';

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];

/** Hash of the content that an object was created with: shows whether a user has changed it since. */
const MADE_AS = 'access.backline.dev/made-as';
const AGGREGATE = `${RBAC_GROUP}/aggregate-to-`;
const BOOTSTRAP = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };

/** As in Kubernetes nobody but administrators may reach objects of a defined kind, unless a rule names it. */
function isOfProgram({ definition }: Kind): boolean {
  return definition === undefined;
}

/** The resources that a reader of a kind may read. */
function readParts({ plural, hasStatus, scale }: Kind): readonly string[] {
  const parts = [plural, `${plural}/history`];
  if (hasStatus) parts.push(`${plural}/status`);
  if (scale !== undefined) parts.push(`${plural}/scale`);
  return parts;
}

/** The resources that a writer of a kind may write. */
function writeParts({ plural, scale }: Kind): readonly string[] {
  return scale === undefined ? [plural] : [plural, `${plural}/scale`];
}

function core(verbs: readonly string[], ...resources: string[]): PolicyRule {
  return { verbs, apiGroups: [''], resources };
}

/**
 * The ClusterRoles and bindings that every installation has, as in Kubernetes. `edit` and `view` include the kinds of
 * every group that is not Kubernetes' own, in all domains. The paths beside the resource API are in roles of their own,
 * which no user has by default.
 */
export function defaultObjects(served: readonly Kind[], declared: readonly DeclaredPath[]): readonly ResourceObject[] {
  const all = served.filter(isOfProgram);
  const kinds = all.filter(({ actsEverywhere }) => actsEverywhere !== true);
  const everything: PolicyRule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
  const groups = [...new Set(kinds.map(({ group }) => group))].filter(
    (group) => group !== '' && group !== AuditRecord.group && !group.endsWith('.k8s.io'),
  );
  const ofGroups = (verbs: readonly string[], partsOf: (kind: Kind) => readonly string[]): PolicyRule[] =>
    groups.flatMap((group) => {
      const can = (kind: Kind) => kind.group === group && kind.verbs.some((verb) => verbs.includes(verb));
      const resources = kinds.filter((kind) => can(kind) && kind.verbs.includes('get')).flatMap(partsOf);
      return resources.length === 0 ? [] : [{ verbs, apiGroups: [group], resources }];
    });
  /** The namespaced kinds; a holder of this rule may let others refer to them. */
  const refer = kinds
    .filter(({ released }) => released)
    .map(({ group, plural }): PolicyRule => ({ verbs: ['refer'], apiGroups: [group], resources: [plural] }));
  const everywhere = all
    .filter(({ actsEverywhere }) => actsEverywhere === true)
    .map((kind): PolicyRule => ({ verbs: [...READ, ...WRITE], apiGroups: [kind.group], resources: readParts(kind) }));
  const questions = (group: string, ...resources: string[]): PolicyRule => ({
    verbs: ['create'],
    apiGroups: [group],
    resources,
  });
  const postingRules = (by: Kind['postedBy']) =>
    kinds.filter(({ postedBy }) => by === postedBy).map((kind) => questions(kind.group, kind.plural));
  const isForAdministrators = ({ writtenBy }: Kind) => writtenBy === 'administrators';
  const commands = groups.flatMap((group) =>
    kinds
      .filter((kind) => kind.group === group && kind.subresources !== undefined)
      .map(({ plural, subresources = {} }) =>
        questions(group, ...Object.keys(subresources).map((part) => `${plural}/${part}`)),
      ),
  );
  /** Posted kinds that change nothing are for readers. */
  const changes = kinds
    .filter(({ subresources = {} }) => 'changes' in subresources)
    .map(({ group, plural }) => questions(group, `${plural}/changes`));
  /** An approver has to read the approved object. */
  const approver = kinds
    .filter(({ subresources = {} }) => 'approve' in subresources)
    .flatMap((kind): PolicyRule[] => [
      { verbs: READ, apiGroups: [kind.group], resources: readParts(kind) },
      questions(kind.group, `${kind.plural}/approve`),
    ])
    .concat(changes);
  const paths = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ['get'], nonResourceURLs });
  const pathsOf = (...accesses: PathAccess[]): PolicyRule[] =>
    accesses.flatMap((access) => {
      const nonResourceURLs = declared.filter((path) => path.access === access).map(({ path }) => path);
      return nonResourceURLs.length === 0 ? [] : [{ verbs: [verbOfPath(access)], nonResourceURLs }];
    });
  const roles = [
    role('cluster-admin', [everything, { verbs: ['*'], nonResourceURLs: ['*'] }]),
    collectingRole('admin', 'admin'),
    collectingRole('edit', 'edit', 'admin'),
    collectingRole('view', 'view', 'edit'),
    role(
      'system:aggregate-to-admin',
      [
        { verbs: [...READ, ...WRITE], apiGroups: [RBAC_GROUP], resources: ['roles', 'rolebindings'] },
        questions('authorization.k8s.io', 'localsubjectaccessreviews'),
        ...ofGroups(WRITE, (kind) => (isForAdministrators(kind) ? writeParts(kind) : [])),
      ],
      'admin',
    ),
    role(
      'system:aggregate-to-edit',
      [
        core([...READ, ...WRITE], 'secrets'),
        core(WRITE, 'configmaps', 'events', 'serviceaccounts'),
        { verbs: WRITE, apiGroups: ['events.k8s.io'], resources: ['events'] },
        core(['create'], 'serviceaccounts/token'),
        ...ofGroups(WRITE, (kind) => (isForAdministrators(kind) ? [] : writeParts(kind))),
        ...refer,
        ...commands,
        ...postingRules('editors'),
      ],
      'edit',
    ),
    role(
      'system:aggregate-to-view',
      [
        core(READ, 'configmaps', 'configmaps/history', 'events', 'namespaces', 'serviceaccounts'),
        { verbs: READ, apiGroups: ['events.k8s.io'], resources: ['events'] },
        ...ofGroups(READ, readParts),
        ...changes,
      ],
      'view',
    ),
    role('client-admin', everywhere),
    role('release-approver', approver),
    role('decision-reader', pathsOf('catalogue', 'insight')),
    role('records-reader', pathsOf('records')),
    role('records-editor', pathsOf('records', 'write')),
    role('event-writer', pathsOf('ingest')),
    role('system:basic-user', [
      questions('authorization.k8s.io', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews'),
      questions('authentication.k8s.io', 'selfsubjectreviews'),
      ...postingRules('everyone'),
    ]),
    role('system:discovery', [
      paths('/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*', '/readyz'),
      paths('/schemas', '/schemas/*', '/version', '/version/'),
    ]),
    role('system:service-account-issuer-discovery', [paths('/.well-known/openid-configuration', '/openid/v1/jwks')]),
    role('system:public-info-viewer', [paths('/healthz', '/livez', '/readyz', '/version', '/version/')]),
  ];
  return [...roles, ...defaultBindings()].map(markObject);
}

function defaultBindings(): readonly ResourceObject[] {
  return [
    binding('cluster-admin', 'system:masters'),
    binding('system:basic-user', 'system:authenticated'),
    binding('system:discovery', 'system:authenticated'),
    binding('system:service-account-issuer-discovery', 'system:serviceaccounts'),
    binding('system:public-info-viewer', 'system:authenticated', 'system:unauthenticated'),
  ];
}

/**
 * Writes for the default objects: missing ones, and those that still are as an earlier version of this program created
 * them. Objects that a user has changed stay.
 */
export function missingDefaults(defaults: readonly ResourceObject[], read: Pick<Reader, 'get'>): Operation[] {
  return defaults.flatMap((object): Operation[] => {
    const kind = object.kind === ClusterRole.kind ? ClusterRole : ClusterRoleBinding;
    const { name } = object.metadata;
    const current = read.get(kind, '', name)?.object();
    const write: Operation = {
      verb: 'apply',
      kind: kind.id,
      namespace: '',
      name,
      object,
      uid: crypto.randomUUID(),
    };
    if (current === undefined) return [write];
    const untouched = current.metadata.annotations?.[MADE_AS] === contentOf(current);
    return untouched && contentOf(current) !== contentOf(object) ? [write] : [];
  });
}

/** Hash of the content of an object. It leaves out the rules of a collecting role, which are not its own. */
function contentOf({ metadata, roleRef, subjects, aggregationRule, rules }: ResourceObject): string {
  const labels = metadata.labels ?? {};
  return contentHash({ labels, roleRef, subjects, aggregationRule, rules: aggregationRule === undefined ? rules : [] });
}

function markObject(object: ResourceObject): ResourceObject {
  const annotations = { [MADE_AS]: contentOf(object) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function role(name: string, rules: readonly PolicyRule[], ...aggregatedTo: string[]): ResourceObject {
  const labels = Object.fromEntries(aggregatedTo.map((to) => [`${AGGREGATE}${to}`, 'true']));
  const metadata = { name, labels: { ...BOOTSTRAP, ...labels } };
  return { apiVersion: ClusterRole.apiVersion, kind: ClusterRole.kind, metadata, rules };
}

/** A role that collects the rules of roles with a label. */
function collectingRole(name: string, from: string, ...aggregatedTo: string[]): ResourceObject {
  const clusterRoleSelectors = [{ matchLabels: { [`${AGGREGATE}${from}`]: 'true' } }];
  return { ...role(name, [], ...aggregatedTo), aggregationRule: { clusterRoleSelectors } };
}

function binding(name: string, ...groups: string[]): ResourceObject {
  return {
    apiVersion: ClusterRoleBinding.apiVersion,
    kind: ClusterRoleBinding.kind,
    metadata: { name, labels: BOOTSTRAP },
    subjects: groups.map((group) => ({ kind: 'Group', apiGroup: RBAC_GROUP, name: group })),
    roleRef: { kind: 'ClusterRole', apiGroup: RBAC_GROUP, name },
  };
}
