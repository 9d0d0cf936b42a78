import type { Path, Problem } from '#kernel/base/failures.ts';
import type { CheckContext } from '#kernel/kinds/kind.ts';
import { nameProblems } from '#kernel/kinds/schema/names.ts';
import { duplicate, forbiddenProblem, invalid, requiredProblem, tooMany } from '#kernel/kinds/schema/problems.ts';
import type { SchemaNode } from '#kernel/kinds/schema/schema-node.ts';
import { checkSchema } from './check-schema.ts';
import { DEFINITION_LIMITS, type DefinitionSpec, type VersionSpec } from './definition-spec.ts';
import { knownProblems, textOfHeavy } from './known-checks.ts';
import { fieldsOf, parseJsonPath } from './json-path.ts';

/** Groups that only the program itself has kinds of. */
const OWN_GROUP = /(^|\.)backline\.dev$/;

const PRESERVE_IN_SCHEMA =
  'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';

/** Finds what is wrong with a definition by itself, in the words of kube-apiserver. */
export function definitionProblems(
  spec: DefinitionSpec,
  {
    name,
    before,
    kinds = [],
  }: Pick<CheckContext, 'kinds'> & { readonly name: string; readonly before?: DefinitionSpec },
): readonly Problem[] {
  const others = kinds.filter(({ definition }) => definition !== undefined && definition.name !== name);
  return [
    ...(before === undefined && others.length >= DEFINITION_LIMITS.definitionsMax
      ? [tooMany(['metadata', 'name'], others.length + 1, DEFINITION_LIMITS.definitionsMax)]
      : []),
    ...(spec.preserveUnknownFields === true
      ? [invalid(['spec', 'preserveUnknownFields'], true, PRESERVE_IN_SCHEMA)]
      : []),
    ...conversionProblems(spec),
    ...groupProblems(spec, kinds),
    ...namesProblems(spec, name),
    ...versionsProblems(spec),
    ...(before === undefined ? [] : immutableProblems(spec, before)),
    ...versionsCheck(spec.versions),
  ];
}

/** A heavy definition was checked elsewhere, before it is decided upon. */
function versionsCheck(versions: DefinitionSpec['versions']): readonly Problem[] {
  const text = textOfHeavy(versions);
  return (text === undefined ? undefined : knownProblems(text)) ?? versionsOwnProblems(versions);
}

/** The problems of each version by itself. */
export function versionsOwnProblems(versions: DefinitionSpec['versions']): readonly Problem[] {
  return versions.flatMap((version, index) => versionProblems(version, ['spec', 'versions', index]));
}

function conversionProblems({ conversion }: DefinitionSpec): readonly Problem[] {
  if (conversion === undefined) return [];
  const { strategy, webhook } = conversion;
  const path = ['spec', 'conversion', 'webhook'];
  if (strategy === 'None') {
    return webhook === undefined
      ? []
      : [forbiddenProblem(path, 'should not be set when strategy is not set to Webhook')];
  }
  if (webhook === undefined) return [requiredProblem(path, 'required when strategy is set to Webhook')];
  const { clientConfig, conversionReviewVersions } = webhook;
  const at = [...path, 'clientConfig'];
  return [
    ...(clientConfig.service === undefined
      ? []
      : [forbiddenProblem([...at, 'service'], 'there are no Services here: use url')]),
    ...(clientConfig.url === undefined
      ? [requiredProblem([...at, 'url'], 'the address of the webhook')]
      : urlProblems(clientConfig.url, [...at, 'url'])),
    ...(conversionReviewVersions.includes('v1')
      ? []
      : [invalid([...path, 'conversionReviewVersions'], conversionReviewVersions, 'must include v1, which is sent')]),
  ];
}

function urlProblems(text: string, path: Path): readonly Problem[] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:') {
    return [invalid(path, text, "'https' is the only allowed URL scheme; desired format: https://host[/path]")];
  }
  const wrong = (
    [
      ['user information', url.username + url.password],
      ['fragments', url.hash],
      ['query parameters', url.search],
    ] as const
  ).filter(([, found]) => found !== '');
  return wrong.map(([what]) => invalid(path, text, `${what} are not permitted in the URL`));
}

function groupProblems({ group }: DefinitionSpec, kinds: NonNullable<CheckContext['kinds']>): readonly Problem[] {
  const path = ['spec', 'group'];
  const [wrong] = nameProblems('subdomain', group);
  if (wrong !== undefined) return [invalid(path, group, wrong)];
  if (!group.includes('.')) return [invalid(path, group, 'should be a domain with at least one dot')];
  const isOwn = kinds.some(({ id, definition }) => definition === undefined && id.startsWith(`${group}/`));
  return isOwn || OWN_GROUP.test(group) || group.endsWith('.k8s.io') || group.endsWith('.kubernetes.io')
    ? [forbiddenProblem(path, `the group ${group} is one of the server's own: use a domain of yours`)]
    : [];
}

function namesProblems({ names, group }: DefinitionSpec, name: string): readonly Problem[] {
  const path = ['spec', 'names'];
  const wanted = `${names.plural}.${group}`;
  const labels: readonly (readonly [Path, string])[] = [
    [['plural'], names.plural],
    ...(names.singular === undefined ? [] : [[['singular'], names.singular] as const]),
    [['kind'], names.kind.toLowerCase()],
    ...(names.listKind === undefined ? [] : [[['listKind'], names.listKind.toLowerCase()] as const]),
    ...(names.shortNames ?? []).map((one, index) => [['shortNames', index], one] as const),
    ...(names.categories ?? []).map((one, index) => [['categories', index], one] as const),
  ];
  return [
    ...(name === wanted ? [] : [invalid(['metadata', 'name'], name, 'must be spec.names.plural+"."+spec.group')]),
    ...labels.flatMap(([at, text]) => {
      const wrong = /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(text);
      const text1035 =
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
      return wrong ? [] : [invalid([...path, ...at], text, text1035)];
    }),
    ...(names.kind === names.listKind
      ? [invalid([...path, 'listKind'], names.listKind, 'kind and listKind may not be the same')]
      : []),
  ];
}

function versionsProblems({ versions }: DefinitionSpec): readonly Problem[] {
  const path = ['spec', 'versions'];
  const names = versions.map(({ name }) => name);
  const isLabel = (name: string) => /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name);
  return [
    ...names.flatMap((name, index) => [
      ...(isLabel(name)
        ? []
        : [invalid([...path, index, 'name'], name, 'must be a DNS-1035 label, like v1 or v1beta1')]),
      ...(names.indexOf(name) < index ? [duplicate([...path, index, 'name'], name)] : []),
    ]),
    ...(versions.filter(({ storage }) => storage).length === 1
      ? []
      : [invalid(path, names, 'must have exactly one version marked as storage version')]),
  ];
}

/** Paths and stored objects are found by these fields. */
function immutableProblems(spec: DefinitionSpec, before: DefinitionSpec): readonly Problem[] {
  const fields = [
    [['spec', 'group'], spec.group, before.group],
    [['spec', 'scope'], spec.scope, before.scope],
    [['spec', 'names', 'kind'], spec.names.kind, before.names.kind],
    [['spec', 'names', 'plural'], spec.names.plural, before.names.plural],
  ] as const;
  return fields.flatMap(([path, now, then]) => (now === then ? [] : [invalid(path, now, 'field is immutable')]));
}

function versionProblems(version: VersionSpec, path: Path): readonly Problem[] {
  const { node, problems } = checkSchema(version.schema.openAPIV3Schema, [...path, 'schema', 'openAPIV3Schema']);
  return [
    ...(problems ?? []),
    ...(version.deprecationWarning !== undefined && version.deprecated !== true
      ? [
          invalid(
            [...path, 'deprecationWarning'],
            version.deprecationWarning,
            'can only be set for deprecated versions',
          ),
        ]
      : []),
    ...columnProblems(version, path),
    ...scaleProblems(version, path),
    ...(node === undefined ? [] : selectableProblems(version, node, path)),
  ];
}

function columnProblems({ additionalPrinterColumns = [] }: VersionSpec, path: Path): readonly Problem[] {
  return additionalPrinterColumns.flatMap(({ jsonPath }, index) =>
    pathProblems(jsonPath, [...path, 'additionalPrinterColumns', index, 'jsonPath']),
  );
}

function scaleProblems({ subresources = {} }: VersionSpec, path: Path): readonly Problem[] {
  const { scale } = subresources;
  if (scale === undefined) return [];
  const at = [...path, 'subresources', 'scale'];
  return [
    ...plainPathProblems(scale.specReplicasPath, [...at, 'specReplicasPath'], ['spec']),
    ...plainPathProblems(scale.statusReplicasPath, [...at, 'statusReplicasPath'], ['status']),
    ...(scale.labelSelectorPath === undefined
      ? []
      : plainPathProblems(scale.labelSelectorPath, [...at, 'labelSelectorPath'], ['status', 'spec'])),
  ];
}

function pathProblems(text: string, path: Path): readonly Problem[] {
  const parsed = parseJsonPath(text);
  return 'problem' in parsed ? [invalid(path, text, `is an invalid path: ${parsed.problem}`)] : [];
}

/** Problems of a path of fields alone that begins with one of these. */
function plainPathProblems(text: string, path: Path, roots: readonly string[]): readonly Problem[] {
  const fields = plainFields(text);
  if (fields === undefined) return [invalid(path, text, 'must be a simple path of fields, like .spec.replicas')];
  return fields.length > 1 && roots.includes(fields[0] ?? '')
    ? []
    : [invalid(path, text, `should be a json path under ${roots.map((root) => `.${root}`).join(' or ')}`)];
}

/** The fields of a path without lists; undefined for any other text. */
export function plainFields(text: string): readonly string[] | undefined {
  const parsed = parseJsonPath(text);
  return 'problem' in parsed ? undefined : fieldsOf(parsed);
}

const SELECTABLE: ReadonlySet<string | undefined> = new Set(['string', 'integer', 'boolean']);

function selectableProblems({ selectableFields = [] }: VersionSpec, root: SchemaNode, path: Path): readonly Problem[] {
  const texts = selectableFields.map(({ jsonPath }) => jsonPath);
  return texts.flatMap((text, index) => {
    const at = [...path, 'selectableFields', index, 'jsonPath'];
    const fields = plainFields(text);
    if (fields === undefined) return [invalid(at, text, 'is an invalid path: it must be a simple path of fields')];
    if (fields[0] === 'metadata') return [invalid(at, text, 'must not point to fields in metadata')];
    if (texts.indexOf(text) < index) return [duplicate(at, text)];
    let node: SchemaNode | undefined = root;
    for (const field of fields) node = node?.properties.get(field);
    if (node === undefined) return [invalid(at, text, 'does not refer to a valid field')];
    return SELECTABLE.has(node.type)
      ? []
      : [invalid(at, text, 'must point to a field of type string, integer, or boolean')];
  });
}

/** Problems between a definition and the objects that may be stored: none of their versions goes. */
export function storedVersionProblems(
  { versions }: DefinitionSpec,
  storedVersions: readonly string[],
): readonly Problem[] {
  const names = new Set(versions.map(({ name }) => name));
  return storedVersions.flatMap((name, index) =>
    names.has(name)
      ? []
      : [
          invalid(
            ['status', 'storedVersions', index],
            name,
            'must appear in spec.versions: objects may be stored in it',
          ),
        ],
  );
}
