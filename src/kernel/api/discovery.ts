import type { AcceptedForm } from './codec/accept.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { servedVersions } from '#kernel/kinds/registry.ts';
import { Scale } from '#kernel/kinds/builtin/scale.ts';
import { apiDocument, byGroupVersion, groupVersionPath, once, type ApiDocument } from './document.ts';

const PART_VERBS = ['get', 'patch', 'update'];

/** The version of Kubernetes whose API this is; clients compare theirs with it. */
const KUBERNETES = { major: '1', minor: '33' } as const;

/** The documents that say which kinds there are, by path; those at /api and /apis also in aggregated form. */
export interface DiscoveryDocuments {
  readonly plain: LazyDocuments;
  readonly v2: LazyDocuments;
  readonly v2beta1: LazyDocuments;
}

/** Each is made when it is first asked for: there are hundreds of groups, and kinds come and go. */
type LazyDocuments = ReadonlyMap<string, () => ApiDocument>;

/** The discovery documents of some kinds. `version` is that of this program. */
export function discoveryDocuments(stored: readonly Kind[], version: string): DiscoveryDocuments {
  const groups = byGroupVersion(stored.flatMap(servedVersions));
  const named = [...groups].filter(([group]) => group !== '');
  const plain = new Map<string, () => ApiDocument>();
  const add = (path: string, make: () => object): void => {
    plain.set(
      path,
      once(() => apiDocument(make())),
    );
  };
  add('/version', () => versionDocument(version));
  add('/api', () => coreVersions([...(groups.get('')?.keys() ?? [])]));
  const apiGroups = named.map(([group, versions]) => apiGroup(group, [...versions.keys()]));
  add('/apis', () => ({ kind: 'APIGroupList', apiVersion: 'v1', groups: apiGroups }));
  for (const group of apiGroups) {
    add(`/apis/${group.name}`, () => ({ kind: 'APIGroup', apiVersion: 'v1', ...group }));
  }
  for (const [group, versions] of groups) {
    for (const [groupVersion, members] of versions) {
      add(`/${groupVersionPath(group, groupVersion)}`, () => resourceList(members));
    }
  }
  add('', () => ({ paths: ['/openapi/v2', '/openapi/v3', ...plain.keys()].sort() }));
  return { plain, v2: aggregateGroups(groups, 'v2'), v2beta1: aggregateGroups(groups, 'v2beta1') };
}

/** The discovery document at a path, in the form the client takes. `undefined` for every other path. */
export function discoveryAnswer(
  documents: DiscoveryDocuments,
  path: string,
  accepted: AcceptedForm,
): ApiDocument | undefined {
  const plainPath = path.replace(/\/$/, '');
  const aggregate = accepted.discovery === undefined ? undefined : documents[accepted.discovery].get(plainPath);
  return (aggregate ?? documents.plain.get(plainPath))?.();
}

function versionDocument(version: string): object {
  const { major, minor } = KUBERNETES;
  return {
    major,
    minor,
    gitVersion: `v${major}.${minor}.0+backline-${version}`,
    gitCommit: '',
    gitTreeState: '',
    buildDate: '',
    goVersion: '',
    compiler: '',
    platform: `${process.platform}/${process.arch}`,
  };
}

function coreVersions(versions: readonly string[]): object {
  return {
    kind: 'APIVersions',
    versions,
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '' }],
  };
}

function apiGroup(name: string, versions: readonly string[]) {
  const list = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: list, preferredVersion: list[0] };
}

/** The resources of one group and version, in the form that every client reads. */
function resourceList(kinds: readonly Kind[]): object {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: kinds[0]?.apiVersion,
    resources: kinds.flatMap((kind) => [
      {
        name: kind.plural,
        singularName: kind.singular,
        namespaced: kind.namespaced,
        kind: kind.kind,
        verbs: kind.verbs,
        ...namesOf(kind),
      },
      ...Object.entries(kind.subresources ?? {}).map(([part, asked]) => ({
        name: `${kind.plural}/${part}`,
        singularName: '',
        namespaced: kind.namespaced,
        group: asked.group,
        version: asked.version,
        kind: asked.kind,
        verbs: asked.verbs,
      })),
      ...(kind.scale === undefined
        ? []
        : [
            {
              name: `${kind.plural}/scale`,
              singularName: '',
              namespaced: kind.namespaced,
              ...kindName(Scale),
              verbs: PART_VERBS,
            },
          ]),
      ...(kind.hasStatus
        ? [
            {
              name: `${kind.plural}/status`,
              singularName: '',
              namespaced: kind.namespaced,
              kind: kind.kind,
              verbs: PART_VERBS,
            },
          ]
        : []),
    ]),
  };
}

function namesOf({ shortNames, categories }: Kind): object {
  return { ...(shortNames.length > 0 && { shortNames }), ...(categories.length > 0 && { categories }) };
}

function aggregateGroups(groups: ReturnType<typeof byGroupVersion<Kind>>, version: 'v2' | 'v2beta1'): LazyDocuments {
  const all = once(() => [...groups].map(([group, versions]) => groupItem(group, versions)));
  const list = (isCore: boolean): ApiDocument =>
    apiDocument(
      {
        kind: 'APIGroupDiscoveryList',
        apiVersion: `apidiscovery.k8s.io/${version}`,
        metadata: {},
        items: all().filter(({ metadata }) => (metadata.name === '') === isCore),
      },
      // Clients take the answer for the plain form unless its type says what it is.
      `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    );
  return new Map([
    ['/api', once(() => list(true))],
    ['/apis', once(() => list(false))],
  ]);
}

function groupItem(group: string, versions: ReadonlyMap<string, readonly Kind[]>) {
  return {
    metadata: { name: group, creationTimestamp: null },
    versions: [...versions].map(([groupVersion, members]) => ({
      version: groupVersion,
      resources: members.map(aggregatedResource),
      freshness: 'Current',
    })),
  };
}

function kindName({ group, version, kind }: Kind): object {
  return { group, version, kind };
}

function aggregatedResource(kind: Kind): object {
  const responseKind = kindName(kind);
  const subresources = [
    ...(kind.hasStatus ? [{ subresource: 'status', responseKind, verbs: PART_VERBS }] : []),
    ...(kind.scale === undefined ? [] : [{ subresource: 'scale', responseKind: kindName(Scale), verbs: PART_VERBS }]),
    ...Object.entries(kind.subresources ?? {}).map(([subresource, asked]) => ({
      subresource,
      responseKind: kindName(asked),
      verbs: asked.verbs,
    })),
  ];
  return {
    resource: kind.plural,
    responseKind,
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: kind.verbs,
    ...namesOf(kind),
    ...(subresources.length > 0 && { subresources }),
  };
}
