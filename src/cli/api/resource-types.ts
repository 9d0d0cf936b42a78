import type { Connection } from '#kernel/api/client/http.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { call } from './call.ts';
import { CliFailure } from '../terminal/failure.ts';

/** A kind that a server has. */
export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

interface DiscoveryGroupList {
  readonly items: readonly {
    readonly metadata: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly resources: readonly {
        readonly resource: string;
        readonly singularResource: string;
        readonly scope: string;
        readonly shortNames?: readonly string[];
        readonly verbs: readonly string[];
        readonly responseKind: { readonly kind: string };
      }[];
    }[];
  }[];
}

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** The kinds of a server whose objects can be listed. */
export async function resourceTypes(connection: Connection): Promise<ResourceType[]> {
  const answers = await Promise.all(
    ['/api', '/apis'].map((path) => call(connection, 'GET', path, { accept: AGGREGATED })),
  );
  return answers.flatMap((answer) =>
    (answer as DiscoveryGroupList).items.flatMap(({ metadata, versions }) =>
      versions.flatMap(({ version, resources }) =>
        resources
          .filter(({ verbs }) => verbs.includes('list'))
          .map(({ resource, singularResource, scope, shortNames = [], verbs, responseKind }) => ({
            group: metadata.name ?? '',
            version,
            kind: responseKind.kind,
            plural: resource,
            singular: singularResource,
            shortNames,
            namespaced: scope === 'Namespaced',
            verbs,
          })),
      ),
    ),
  );
}

/** The kind that a word names: `plans`, `plan`, a short name, `Plan`, or with its group `plans.products.backline.dev`. */
export function typeNamed(word: string, types: readonly ResourceType[]): ResourceType {
  const [name = '', ...rest] = word.toLowerCase().split('.');
  const group = rest.join('.');
  const namesOf = ({ plural, singular, shortNames, kind }: ResourceType): string[] => [
    plural,
    singular,
    ...shortNames,
    kind.toLowerCase(),
  ];
  const found = types.find(
    (type) =>
      namesOf(type).includes(name) &&
      (group === '' || type.group === group || `${type.version}.${type.group}` === group),
  );
  if (found !== undefined) return found;
  const plurals = [...new Set(types.map(({ plural }) => plural))].sort();
  throw new CliFailure(`the server has no resource type "${word}"${didYouMean(nearSpellings(name, plurals))}.`, {
    remedy: `It has ${plurals.join(', ')}.`,
  });
}

/** The kind of an object of a manifest. */
export function typeOf(
  { apiVersion, kind }: Readonly<Record<string, unknown>>,
  types: readonly ResourceType[],
): ResourceType {
  const found = types.find(
    (type) => type.kind === kind && apiVersion === (type.group === '' ? type.version : `${type.group}/${type.version}`),
  );
  if (found !== undefined) return found;
  throw new CliFailure(`the server has no kind ${String(kind)} of ${String(apiVersion)}.`);
}

/** `plan.products.backline.dev/premium`, as kubectl names resources. */
export function resourceName({ singular, group }: ResourceType, name: string): string {
  return `${singular}${group === '' ? '' : `.${group}`}/${name}`;
}

/** The path of a collection, or of one object. Without a namespace: in all of them. */
export function pathOf(type: ResourceType, namespace: string | undefined, name: string | undefined): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${type.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}
