import { Type } from 'typebox';
import { contentHash } from '#kernel/base/ids.ts';
import { DEFAULT_TARGET } from '#kernel/kinds/define-kind.ts';
import type { Column, Definition, Kind, ResourceObject, ScalePaths, Verb } from '#kernel/kinds/kind.ts';
import { getOwn, isObject, type JsonObject } from '#kernel/kinds/schema/own.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { LIVE_COLUMN } from '#kernel/kinds/released-status.ts';
import { comparePriority } from '#kernel/kinds/version-priority.ts';
import { plainFields } from '../kinds/check-definition.ts';
import { CustomResourceDefinition } from '../kinds/custom-resource-definition.ts';
import type { DefinitionSpec, VersionSpec } from '../kinds/definition-spec.ts';
import { compileRules } from '../kinds/compile-rules.ts';
import { runRules } from './run-rules.ts';
import { firstAt, parseJsonPath } from '../kinds/json-path.ts';
import { withReleasedStatus } from '../kinds/released-schema.ts';
import { checkLiveSpec } from './check-live-spec.ts';
import { digestIn, isReleased } from './digest.ts';
import { namesIn } from './released-annotation.ts';

/** The text of a definition: parsed for a schema when that is first used, and not kept as values, which take much more room. */
export interface DefinitionText {
  text: string;
}

const EVERY_VERB: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** The kind that a definition defines, in the version in which its objects are stored. */
export function kindOf(object: ResourceObject, source: DefinitionText): Kind {
  const declared = CustomResourceDefinition.spec(object);
  const { acceptedNames = {} } = CustomResourceDefinition.status(object) ?? {};
  const { plural, kind } = declared.names;
  const spec = { ...declared, names: { ...declared.names, ...acceptedNames, plural, kind } };
  const { name, uid = '', generation = 0, deletionTimestamp } = object.metadata;
  const digest = digestIn(object);
  const released = isReleased(digest);
  const { target = DEFAULT_TARGET } = digest;
  const versions: Kind[] = [];
  const definition: Definition = {
    name,
    // Its deletion is counted as a change of it, and changes nothing.
    revision: contentHash([
      uid,
      deletionTimestamp === undefined ? generation : generation - 1,
      spec.names,
      released,
      target,
    ]),
    versions,
    ...webhookOf(spec),
  };
  const { group, names, scope } = spec;
  const all = spec.versions.map(({ schema: _large, ...version }) =>
    versionKind({ spec: { group, names, scope }, version, definition, source, released, target }),
  );
  const stored = all[spec.versions.findIndex(({ storage }) => storage)];
  if (stored === undefined) throw new Error(`definition ${name} stores no version`);
  const served = all.filter((_, index) => spec.versions[index]?.served === true);
  versions.push(...served.sort((a, b) => comparePriority(a.version, b.version)));
  return stored;
}

function webhookOf({ conversion }: DefinitionSpec): Pick<Definition, 'webhook'> {
  const client = conversion?.webhook?.clientConfig;
  if (client?.url === undefined) return {};
  const ca = client.caBundle === undefined ? undefined : Buffer.from(client.caBundle, 'base64').toString();
  return { webhook: { url: client.url, ...(ca !== undefined && { ca }) } };
}

/** The parts of a version; a kind keeps them, and no schema. */
interface VersionParts {
  readonly spec: Pick<DefinitionSpec, 'group' | 'names' | 'scope'>;
  readonly version: Omit<VersionSpec, 'schema'>;
  readonly definition: Definition;
  readonly source: DefinitionText;
  readonly released: boolean;
  readonly target: string;
}

function versionKind(parts: VersionParts): Kind {
  const { spec, version, definition, source, released, target } = parts;
  const { group, names, scope } = spec;
  const apiVersion = `${group}/${version.name}`;
  const { scale, status } = version.subresources ?? {};
  const selectable = (version.selectableFields ?? []).map(({ jsonPath }) => plainFields(jsonPath) ?? []);
  let schema: Kind['schema'] | undefined;
  let rules: ReturnType<typeof compileRules> | undefined;
  const kind: Kind = {
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    id: `${group}/${names.kind}`,
    apiVersion,
    singular: names.singular ?? names.kind.toLowerCase(),
    ...(names.listKind !== undefined && { listKind: names.listKind }),
    shortNames: names.shortNames ?? [],
    categories: categoriesOf(names, released),
    namespaced: scope === 'Namespaced',
    ...(released && { ...namesIn({ namespaced: scope === 'Namespaced' }), check: checkLiveSpec(() => kind) }),
    description: `A ${names.kind} of ${group}.`,
    verbs: EVERY_VERB,
    released,
    direct: false,
    hasSpec: true,
    target,
    hasStatus: status !== undefined,
    ...(status === undefined && { hasPlainStatus: true }),
    ...(scale !== undefined && { scale: scalePaths(scale) }),
    bodyBytesMax: BODY_BYTES_MAX,
    bodyValuesMax: BODY_VALUES_MAX,
    columns: columnsOf(version, released),
    hasOwnAge: true,
    selectableFields: Object.fromEntries(selectable.map((path) => [path.join('.'), path])),
    ...(version.deprecated === true && { deprecation: deprecationOf(names.kind, apiVersion, version) }),
    definition,
    validateObject: (object, before) => {
      rules ??= compileRules(structureOf(kind).node, []);
      return rules.root === undefined ? [] : runRules(rules.root, object, before);
    },
    get schema() {
      return (schema ??= schemaIn(source, version.name, released));
    },
  };
  // Objects of other versions have their fields elsewhere.
  const indexed = definition.webhook === undefined ? selectable.filter(([root]) => root === 'spec') : [];
  if (indexed.length === 0 || !version.storage) return kind;
  return Object.defineProperties(kind, {
    indexes: {
      value: Object.fromEntries(indexed.map((path) => [path.join('.'), indexOf(kind, path)])),
      enumerable: true,
    },
    fieldIndexes: {
      value: Object.fromEntries(indexed.map((path) => [path.join('.'), path.join('.')])),
      enumerable: true,
    },
  });
}

const BODY_BYTES_MAX = 3 * 1024 * 1024;
const BODY_VALUES_MAX = 32_768;

function scalePaths(scale: NonNullable<NonNullable<VersionSpec['subresources']>['scale']>): ScalePaths {
  const selector = scale.labelSelectorPath === undefined ? undefined : plainFields(scale.labelSelectorPath);
  return {
    wanted: plainFields(scale.specReplicasPath) ?? [],
    observed: plainFields(scale.statusReplicasPath) ?? [],
    ...(selector !== undefined && { selector }),
  };
}

function deprecationOf(kind: string, apiVersion: string, { deprecationWarning }: VersionParts['version']): string {
  return deprecationWarning ?? `${apiVersion} ${kind} is deprecated`;
}

const AGE: Column = {
  name: 'Age',
  type: 'date',
  description: 'The time since it was created.',
  value: ({ metadata }) => metadata.creationTimestamp,
};

/** `kubectl get all` shows released kinds. */
function categoriesOf({ categories = [] }: DefinitionSpec['names'], released: boolean): readonly string[] {
  return released && !categories.includes('all') ? [...categories, 'all'] : categories;
}

function columnsOf(version: VersionParts['version'], released: boolean): readonly Column[] {
  const { additionalPrinterColumns: own = [] } = version;
  const live = released && !own.some(({ name }) => name === LIVE_COLUMN.name) ? [LIVE_COLUMN] : [];
  return own.length === 0 ? [...live, AGE] : [...ownColumns(own), ...live];
}

function ownColumns(columns: NonNullable<VersionSpec['additionalPrinterColumns']>): readonly Column[] {
  return columns.map(({ name, type, description = '', priority = 0, jsonPath }): Column => {
    const path = parseJsonPath(jsonPath);
    return {
      name,
      type,
      description,
      priority,
      value: (object) => ('problem' in path ? undefined : cellOf(type, firstAt(path, object))),
    };
  });
}

/** The value of a cell; undefined where it is not of the type of the column. */
function cellOf(type: Column['type'], value: unknown): string | number | boolean | undefined {
  switch (type) {
    case 'integer':
      return Number.isInteger(value) ? Number(value) : undefined;
    case 'number':
      return typeof value === 'number' ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'date':
      return typeof value === 'string' ? value : undefined;
    case 'string':
      if (value === undefined || value === null) return undefined;
      return typeof value === 'string' ? value : JSON.stringify(value);
    default:
      return type satisfies never;
  }
}

/** The value of a field under which a list finds objects, with the defaults of today. */
function indexOf(kind: Kind, [, ...path]: readonly string[]): (spec: unknown) => readonly string[] {
  return (spec) => {
    const { apiVersion, kind: name } = kind;
    const filled = structureOf(kind).applyDefaults({ apiVersion, kind: name, metadata: {}, spec });
    let value = isObject(filled) ? filled['spec'] : undefined;
    for (const field of path) value = isObject(value) ? getOwn(value, field) : undefined;
    return [typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''];
  };
}

/** The schema of a version, out of the text of its definition. */
function schemaIn({ text }: DefinitionText, version: string, released: boolean): Kind['schema'] {
  const object: ResourceObject = JSON.parse(text);
  const { versions } = CustomResourceDefinition.spec(object);
  const schema = versions.find(({ name }) => name === version)?.schema.openAPIV3Schema;
  // The definition is newer than the kind, which will be replaced in a moment.
  if (schema === undefined) {
    return Type.Unsafe<unknown>({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true } satisfies JsonObject);
  }
  return Type.Unsafe<unknown>(released ? withReleasedStatus(schema) : schema);
}
