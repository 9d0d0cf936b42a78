import { contentHash } from '#kernel/base/ids.ts';
import { inTurns, type Steps } from '#kernel/base/turns.ts';
import { Scale } from '#kernel/kinds/builtin/scale.ts';
import type { Kind, Verb } from '#kernel/kinds/kind.ts';
import { patchMediaTypes } from '#kernel/kinds/patch/patch.ts';
import { OBJECT_META } from '#kernel/kinds/schema/object-meta.ts';
import { listKindOf, servedVersions } from '#kernel/kinds/registry.ts';
import { objectSchema } from '#kernel/kinds/structure.ts';
import {
  apiDocument,
  byGroupVersion,
  documentOfText,
  groupVersionPath,
  objectText,
  once,
  type ApiDocument,
} from './document.ts';
import { openApiSchema } from './openapi-schema.ts';

/**
 * The OpenAPI 3.0 documents by path: `/openapi/v3` and one per group and version below it. Each is made when it is first asked for, in
 * turns with other work.
 */
export type OpenApiDocuments = ReadonlyMap<string, () => Promise<ApiDocument>>;

/** Documents of groups and versions that were made before, by where they are served, with the kinds that they are of. */
export type MadeDocuments = Map<
  string,
  { readonly of: readonly Kind[]; readonly document: () => Promise<ApiDocument> }
>;

/**
 * The documents that `kubectl explain`, `kubectl create` and generators of clients read. Those in `made` whose kinds are the same
 * stay as they are.
 */
export function openApiDocuments(
  stored: readonly Kind[],
  version: string,
  made: MadeDocuments = new Map(),
): OpenApiDocuments {
  const documents = new Map<string, () => Promise<ApiDocument>>();
  const hashes = new Map<string, () => Promise<string>>();
  for (const [group, versions] of byGroupVersion(stored.flatMap(servedVersions))) {
    for (const [groupVersion, members] of versions) {
      const at = groupVersionPath(group, groupVersion);
      const before = made.get(at);
      const isSame = before?.of.length === members.length && members.every((kind, index) => kind === before.of[index]);
      const document =
        before !== undefined && isSame ? before.document : once(() => inTurns(groupDocument(members, version)));
      made.set(at, { of: members, document });
      documents.set(`/openapi/v3/${at}`, document);
      hashes.set(at, () => groupHash(members, version, document));
    }
  }
  for (const at of made.keys()) if (!hashes.has(at)) made.delete(at);
  documents.set(
    '/openapi/v3',
    once(() => rootDocument(hashes)),
  );
  return documents;
}

/** Lists the documents of groups. Clients keep a document for ever under its hash. */
async function rootDocument(hashes: ReadonlyMap<string, () => Promise<string>>): Promise<ApiDocument> {
  const paths: Record<string, object> = {};
  for (const [at, hash] of hashes) paths[at] = { serverRelativeURL: `/openapi/v3/${at}?hash=${await hash()}` };
  return apiDocument({ paths });
}

/** Changes whenever the document does. A definition has a revision: hundreds of documents are not made for their hashes. */
async function groupHash(
  kinds: readonly Kind[],
  version: string,
  document: () => Promise<ApiDocument>,
): Promise<string> {
  const revisions = kinds.map(({ definition }) => definition?.revision);
  if (revisions.includes(undefined)) return (await document()).etag.replaceAll('"', '');
  return contentHash([version, kinds.map(({ apiVersion, kind }) => `${apiVersion}/${kind}`), revisions]);
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

function* groupDocument(kinds: readonly Kind[], version: string): Steps<ApiDocument> {
  const schemas = new Map([
    [`${META}.ObjectMeta`, JSON.stringify(objectMetaSchema())],
    [`${META}.ListMeta`, JSON.stringify(LIST_META)],
    [`${META}.Patch`, JSON.stringify(PATCH)],
    [`${META}.DeleteOptions`, JSON.stringify(DELETE_OPTIONS)],
    [`${META}.Status`, JSON.stringify(STATUS)],
  ]);
  const paths = new Map<string, string>();
  for (const kind of kinds) {
    schemas.set(schemaName(kind), JSON.stringify(kindSchema(kind)));
    schemas.set(listSchemaName(kind), JSON.stringify(listSchema(kind)));
    for (const [path, item] of Object.entries(pathsOf(kind))) paths.set(path, JSON.stringify(item));
    yield;
  }
  if (kinds.some(({ scale }) => scale !== undefined)) {
    schemas.set(schemaName(Scale), JSON.stringify(kindSchema(Scale)));
  }
  const info = JSON.stringify({ title: 'Backline', version });
  const parts = `"paths":${objectText(paths)},"components":{"schemas":${objectText(schemas)}}`;
  return documentOfText(`{"openapi":"3.0.0","info":${info},${parts}}`);
}

const PATCH = { description: 'A patch in the form that its content type says.', type: 'object' };

/** With how its lists merge: `kubectl apply` makes strategic merge patches by it. */
function objectMetaSchema(): object {
  const { properties, ...rest } = openApiSchema(OBJECT_META);
  const { finalizers, ownerReferences, ...others } = properties as Record<string, object>;
  return {
    ...rest,
    properties: {
      ...others,
      finalizers: { ...finalizers, 'x-kubernetes-patch-strategy': 'merge' },
      ownerReferences: {
        ...ownerReferences,
        'x-kubernetes-patch-merge-key': 'uid',
        'x-kubernetes-patch-strategy': 'merge',
      },
    },
  };
}

/** The group backwards, as Kubernetes names schemas: `dev.backline.products.v1.Plan`. */
function schemaName(kind: Pick<Kind, 'group' | 'version' | 'kind'>): string {
  const group = kind.group === '' ? 'io.k8s.api.core' : kind.group.split('.').reverse().join('.');
  return `${group}.${kind.version}.${kind.kind}`;
}

function listSchemaName(kind: Kind): string {
  const { group, version } = kind;
  return schemaName({ group, version, kind: listKindOf(kind) });
}

function refTo(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

function groupVersionKind({ group, version }: Kind, kind: string) {
  return { group, version, kind };
}

function kindSchema(kind: Kind): object {
  const schema = objectSchema(kind);
  const { properties, ...rest } = openApiSchema(schema);
  const metadata = { description: OBJECT_META.description, allOf: [refTo(`${META}.ObjectMeta`)] };
  return {
    ...rest,
    properties: { ...(properties as object), metadata },
    'x-kubernetes-group-version-kind': [groupVersionKind(kind, kind.kind)],
  };
}

function listSchema(kind: Kind): object {
  return {
    description: `A list of ${kind.plural}.`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { description: 'The version of the schema of this list.', type: 'string' },
      kind: { description: `${listKindOf(kind)}.`, type: 'string' },
      metadata: { description: 'Where the list stands among all writes.', allOf: [refTo(`${META}.ListMeta`)] },
      items: { description: 'The objects.', type: 'array', items: refTo(schemaName(kind)) },
    },
    'x-kubernetes-group-version-kind': [groupVersionKind(kind, listKindOf(kind))],
  };
}

function pathsOf(kind: Kind): Record<string, object> {
  const base = `/${groupVersionPath(kind.group, kind.version)}`;
  const scope = kind.namespaced ? `${base}/namespaces/{namespace}` : base;
  const collection = `${scope}/${kind.plural}`;
  const inNamespace = kind.namespaced ? [pathParameter('namespace', 'The namespace of the objects.')] : [];
  const named = [...inNamespace, pathParameter('name', 'The name of the object.')];
  const paths: Record<string, object> = {};
  const add = (path: string, parameters: readonly object[], operations: Record<string, object | undefined>) => {
    const present = Object.entries(operations).filter(([, operation]) => operation !== undefined);
    if (present.length > 0)
      paths[path] = { ...Object.fromEntries(present), ...(parameters.length > 0 && { parameters }) };
  };
  const ifAllowed = (verb: Verb, make: () => object) => (kind.verbs.includes(verb) ? make() : undefined);
  const writes = (shown: Kind) => ({ parameters: WRITE_PARAMETERS, answer: schemaName(shown) });
  const deleted = { answer: `${META}.Status`, requestBody: DELETE_BODY };
  const list = () => operation(kind, 'list', { parameters: LIST_PARAMETERS, answer: listSchemaName(kind) });
  add(collection, inNamespace, {
    get: ifAllowed('list', list),
    post: ifAllowed('create', () => operation(kind, 'post', { ...writes(kind), requestBody: body(kind) })),
    delete: ifAllowed('deletecollection', () =>
      operation(kind, 'deletecollection', { ...deleted, parameters: LIST_PARAMETERS }),
    ),
  });
  if (kind.namespaced) add(`${base}/${kind.plural}`, [], { get: ifAllowed('list', list) });
  const one = (path: string, shown = kind) => ({
    get: ifAllowed('get', () => operation(shown, 'get', { parameters: [], answer: schemaName(shown) })),
    put: ifAllowed('update', () => operation(shown, 'put', { ...writes(shown), requestBody: body(shown) })),
    patch: ifAllowed('patch', () =>
      operation(shown, 'patch', {
        ...writes(shown),
        parameters: [...WRITE_PARAMETERS, FORCE],
        requestBody: patchBody(kind, path),
      }),
    ),
    ...(path === 'main' && {
      delete: ifAllowed('delete', () => operation(kind, 'delete', { ...deleted, parameters: [DRY_RUN, PROPAGATION] })),
    }),
  });
  add(`${collection}/{name}`, named, one('main'));
  if (kind.hasStatus) add(`${collection}/{name}/status`, named, one('status'));
  if (kind.scale !== undefined) add(`${collection}/{name}/scale`, named, one('scale', Scale));
  return paths;
}

interface OperationForm {
  readonly parameters: readonly object[];
  /** Name of the schema of the answer. */
  readonly answer: string;
  readonly requestBody?: object;
}

function operation(kind: Kind, action: string, { parameters, answer, requestBody }: OperationForm): object {
  return {
    tags: [kind.apiVersion],
    parameters,
    ...(requestBody && { requestBody }),
    responses: {
      200: { description: 'OK', content: { 'application/json': { schema: refTo(answer) } } },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': groupVersionKind(kind, kind.kind),
  };
}

function body(kind: Kind): object {
  const schema = refTo(schemaName(kind));
  return { required: true, content: { 'application/json': { schema }, 'application/yaml': { schema } } };
}

function patchBody(kind: Kind, part: string): object {
  const schema = refTo(`${META}.Patch`);
  return { required: true, content: Object.fromEntries(patchMediaTypes(kind, part).map((type) => [type, { schema }])) };
}

const DELETE_BODY = { content: { 'application/json': { schema: refTo(`${META}.DeleteOptions`) } } };

function pathParameter(name: string, description: string): object {
  return { name, in: 'path', required: true, description, schema: { type: 'string' } };
}

function queryParameter(name: string, description: string, type = 'string'): object {
  return { name, in: 'query', description, schema: { type } };
}

const DRY_RUN = queryParameter('dryRun', 'With All, everything is checked and nothing is kept.');
const PROPAGATION = queryParameter(
  'propagationPolicy',
  'Foreground, Background or Orphan: how dependents are deleted.',
);

const FORCE = queryParameter('force', 'Of an apply: takes fields over from other managers.', 'boolean');

const WRITE_PARAMETERS = [
  DRY_RUN,
  queryParameter('fieldManager', 'Who writes.'),
  queryParameter('fieldValidation', 'Ignore, Warn (default) or Strict: how unknown and duplicate fields are handled.'),
];

const LIST_PARAMETERS = [
  queryParameter('labelSelector', 'Only objects with such labels.'),
  queryParameter('fieldSelector', 'Only objects with such fields.'),
  queryParameter('limit', 'The most objects in one answer.', 'integer'),
  queryParameter('continue', 'From the answer before: goes on behind it, at the same moment.'),
  queryParameter('resourceVersion', 'The moment to read at, or to watch from.'),
  queryParameter('resourceVersionMatch', 'NotOlderThan or Exact.'),
  queryParameter('watch', 'Stream changes instead of answering once.', 'boolean'),
  queryParameter('allowWatchBookmarks', 'Say from time to time where the stream stands.', 'boolean'),
  queryParameter('timeoutSeconds', 'When a watch ends.', 'integer'),
];

const text = (description: string) => ({ description, type: 'string' });

const LIST_META = {
  description: 'Where a list stands among all writes.',
  type: 'object',
  properties: {
    continue: text('Given when there is more: send it back to go on.'),
    remainingItemCount: { description: 'How many more there are.', type: 'integer', format: 'int64' },
    resourceVersion: text('The write up to which the list is complete.'),
  },
};

const DELETE_OPTIONS = {
  description: 'How to delete.',
  type: 'object',
  properties: {
    apiVersion: text('v1.'),
    kind: text('DeleteOptions.'),
    dryRun: { description: 'With All, nothing is deleted.', type: 'array', items: { type: 'string' } },
    gracePeriodSeconds: { description: 'Not used.', type: 'integer', format: 'int64' },
    preconditions: {
      description: 'What must hold for the object to be deleted.',
      type: 'object',
      properties: { resourceVersion: text('Its version.'), uid: text('Its UID.') },
    },
    propagationPolicy: text('Foreground, Background or Orphan: how dependents are deleted.'),
  },
};

const STATUS = {
  description: 'What came of a request that gives no object.',
  type: 'object',
  properties: {
    apiVersion: text('v1.'),
    kind: text('Status.'),
    code: { description: 'The HTTP status.', type: 'integer', format: 'int32' },
    message: text('A sentence for people.'),
    reason: text('One word for programs.'),
    status: text('Success or Failure.'),
    details: {
      description: 'The object, and each cause.',
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
    },
  },
  'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'Status' }],
};
