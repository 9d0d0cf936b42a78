import { randomUUID } from 'node:crypto';
import { Refusal } from '#kernel/base/failures.ts';
import { nameSuffix } from '#kernel/base/ids.ts';
import type { Clock } from '#kernel/base/clock.ts';
import { readBody, retryAfter, send, type Exchange } from '#kernel/http/exchange.ts';
import { decodeBody, encodeYaml } from '../codec/body.ts';
import { negotiate, type Accepted } from '../codec/accept.ts';
import { patchTypeOf } from '../codec/patch.ts';
import { fieldPath } from '#kernel/base/failures.ts';
import type { Kind, ResourceObject } from '../kind.ts';
import type { KindRegistry } from '../registry.ts';
import type { FieldValidation, Operation } from '../operation.ts';
import type { Author, Entry, Outcome, Store } from '../store-contract.ts';
import { notFound } from '../write.ts';
import { discoveryAnswer, discoveryDocuments } from './discovery.ts';
import { openApiAnswer, openApiDocuments } from './openapi.ts';
import { listPage } from './list.ts';
import { parsePath, parseQuery, type Query, type Target } from './request.ts';
import { selectionOf } from './selection.ts';
import { deletedStatus, failureStatus } from './status.ts';
import { tableOf } from './table.ts';
import { watch, type WatchMetrics } from './watch.ts';

const LIMITS = {
  /** As kube-apiserver: a resource is configuration, not a blob store. */
  objectBytesMax: 3 * 1024 * 1024,
  /** A change set may declare a whole business. */
  virtualBytesMax: 64 * 1024 * 1024,
  /** Objects that one deletecollection may remove: one atomic change. */
  deleteCollectionMax: 10_000,
} as const;

/** A caller whose identity was proved. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** A kind whose objects are not stored: posting one is a question or a command, answered by the object. */
export type VirtualKind = (
  object: ResourceObject,
  call: { readonly author: Author; readonly dryRun: boolean; readonly namespace: string | undefined },
) => Promise<object>;

export interface ResourceApiOptions {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly clock: Clock;
  readonly version: string;
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  readonly watchMetrics: WatchMetrics;
}

/** Answers resource requests of authenticated callers. Every refusal is a Kubernetes `Status`. */
export type ResourceApi = (exchange: Exchange, user: User) => Promise<void>;

/** True for paths that belong to the resource API. */
export function isResourcePath(path: string): boolean {
  return path === '/version' || /^\/(api|apis|openapi)(\/|$)/.test(path);
}

export function resourceApi(options: ResourceApiOptions): ResourceApi {
  const { store, kinds, clock } = options;
  const discovery = discoveryDocuments(kinds.all, options.version);
  const openapi = openApiDocuments(kinds.all, options.version);

  return async (exchange, user) => {
    let target: Target | undefined;
    try {
      const accepted = negotiate(exchange.request.headers.accept);
      const document = discoveryAnswer(discovery, exchange.path, accepted) ?? openApiAnswer(openapi, exchange.path);
      if (document !== undefined) return sendDocument(exchange, document);
      target = parsePath(exchange.path, kinds);
      await serve(exchange, user, target, parseQuery(exchange), accepted);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      sendRefusal(exchange, error, target);
    }
  };

  async function serve(
    exchange: Exchange,
    user: User,
    target: Target,
    query: Query,
    accepted: Accepted,
  ): Promise<void> {
    const { kind, name, part } = target;
    const author: Author = { user: user.name, requestId: exchange.requestId };
    const verb = verbOf(exchange.method, target, query);
    if (part === 'main' && !kind.verbs.includes(verb)) throw notAllowed(exchange.method, kind);
    switch (verb) {
      case 'get':
        return sendEntry(exchange, 200, found(target, name), accepted, query);
      case 'list':
        return list(exchange, target, query, accepted);
      case 'watch':
        return watch(
          exchange,
          store,
          target,
          query,
          selectionOf(kind, query, name),
          renderFor(accepted, query),
          options.watchMetrics,
        );
      case 'create':
        return create(exchange, target, query, accepted, author);
      case 'update': {
        const object = await readObject(exchange, kind, query.fieldValidation);
        requireMatch(object.value, target);
        return write(exchange, query, accepted, author, object.warnings, {
          ...placeOf(target),
          verb,
          part,
          object: object.value,
          fieldValidation: query.fieldValidation,
        });
      }
      case 'patch': {
        const patchType = patchTypeOf(exchange.request.headers['content-type'], kind);
        const body = decodeBody('application/json', await readBody(exchange, LIMITS.objectBytesMax));
        const warnings = duplicateWarnings(body.duplicates, query.fieldValidation);
        return write(exchange, query, accepted, author, warnings, {
          ...placeOf(target),
          verb,
          part,
          patchType,
          patch: body.value,
          fieldValidation: query.fieldValidation,
        });
      }
      case 'delete':
        return remove(exchange, target, query, accepted, author);
      case 'deletecollection':
        return removeMany(exchange, target, query, author);
      default:
        return verb satisfies never;
    }
  }

  async function create(
    exchange: Exchange,
    target: Target,
    query: Query,
    accepted: Accepted,
    author: Author,
  ): Promise<void> {
    const { kind } = target;
    const virtual = options.virtual.get(kind.id);
    const bytesMax = virtual === undefined ? LIMITS.objectBytesMax : LIMITS.virtualBytesMax;
    const { value: object, warnings } = await readObject(exchange, kind, query.fieldValidation, bytesMax);
    if (virtual !== undefined) {
      const answer = await virtual(object, { author, dryRun: query.dryRun, namespace: target.namespace });
      return sendObject(exchange, 201, answer, accepted, warnings);
    }
    const { metadata } = object;
    requireMatch(object, target);
    const generateName = metadata.generateName ?? '';
    const name = metadata.name ?? (generateName === '' ? '' : `${generateName}${nameSuffix()}`);
    if (name === '') {
      throw new Refusal('resources/no-name', 'Invalid', `${kind.kind} has no name: name or generateName is required`, {
        problems: [
          {
            path: ['metadata', 'name'],
            reason: 'FieldValueRequired',
            detail: 'Required value: name or generateName is required',
          },
        ],
      });
    }
    return write(exchange, query, accepted, author, warnings, {
      kind: kind.id,
      namespace: target.namespace ?? '',
      name,
      verb: 'create',
      object,
      uid: randomUUID(),
      fieldValidation: query.fieldValidation,
    });
  }

  async function write(
    exchange: Exchange,
    query: Query,
    accepted: Accepted,
    author: Author,
    warnings: readonly string[],
    operation: Operation,
  ): Promise<void> {
    const outcome = await writeOne(operation, author, query.dryRun);
    const status = outcome.did === 'created' ? 201 : 200;
    sendEntry(exchange, status, outcome.entry, accepted, query, [...warnings, ...(outcome.warnings ?? [])]);
  }

  async function writeOne(operation: Operation, author: Author, dryRun: boolean): Promise<Outcome> {
    const [outcome] = await store.write([operation], author, { dryRun });
    if (outcome === undefined) throw new Error('the store gave no outcome for an operation');
    return outcome;
  }

  async function remove(
    exchange: Exchange,
    target: Target,
    query: Query,
    accepted: Accepted,
    author: Author,
  ): Promise<void> {
    const { preconditions, dryRun } = await readDeleteOptions(exchange);
    const operation: Operation = {
      ...placeOf(target),
      verb: 'delete',
      uidExpected: preconditions.uid,
      versionExpected: preconditions.resourceVersion,
    };
    const { did, entry } = await writeOne(operation, author, query.dryRun || dryRun);
    if (did !== 'removed') return sendEntry(exchange, 200, entry, accepted, query);
    return sendObject(exchange, 200, deletedStatus(target.kind, entry.name, entry.uid), accepted);
  }

  async function removeMany(exchange: Exchange, target: Target, query: Query, author: Author): Promise<void> {
    const { dryRun } = await readDeleteOptions(exchange);
    const page = listPage(store, target, { ...query, limit: 0, continueToken: '' }, selectionOf(target.kind, query));
    if (page.entries.length > LIMITS.deleteCollectionMax) {
      throw new Refusal(
        'resources/too-many',
        'RequestEntityTooLarge',
        `The selection holds ${page.entries.length} objects; at most ${LIMITS.deleteCollectionMax} can be deleted at once.`,
        { remedy: 'Narrow it with labelSelector.' },
      );
    }
    const operations = page.entries.map((entry): Operation => ({
      verb: 'delete',
      kind: entry.kind.id,
      namespace: entry.namespace,
      name: entry.name,
      uidExpected: entry.uid,
    }));
    const outcomes =
      operations.length === 0 ? [] : await store.write(operations, author, { dryRun: query.dryRun || dryRun });
    send(
      exchange,
      200,
      'application/json',
      listText(
        target.kind,
        store.version(),
        outcomes.map(({ entry }) => entry),
      ),
    );
  }

  function list(exchange: Exchange, target: Target, query: Query, accepted: Accepted): void {
    const page = listPage(store, target, query, selectionOf(target.kind, query, target.name));
    const metadata = {
      resourceVersion: String(page.version),
      ...(page.continueToken === undefined ? {} : { continue: page.continueToken }),
      ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
    };
    if (accepted.table !== undefined) {
      const table = tableOf(target.kind, page.entries, { metadata, includeObject: query.includeObject, now: clock() });
      return sendObject(exchange, 200, table, accepted);
    }
    const text = listText(target.kind, page.version, page.entries, metadata);
    if (accepted.as === 'json') return send(exchange, 200, 'application/json', text);
    send(exchange, 200, 'application/yaml', encodeYaml(JSON.parse(text)));
  }

  function found(target: Target, name: string | undefined): Entry {
    const entry = store.get(target.kind, target.namespace ?? '', name ?? '');
    if (entry === undefined) throw notFound(target.kind, name ?? '');
    return entry;
  }

  function renderFor(accepted: Accepted, query: Query): (entry: Entry) => string {
    if (accepted.table === undefined) return (entry) => entry.text;
    return (entry) =>
      JSON.stringify(
        tableOf(entry.kind, [entry], {
          metadata: { resourceVersion: String(entry.version) },
          includeObject: query.includeObject,
          now: clock(),
        }),
      );
  }

  function sendEntry(
    exchange: Exchange,
    status: number,
    entry: Entry,
    accepted: Accepted,
    query: Query,
    warnings: readonly string[] = [],
  ): void {
    if (accepted.table === undefined && accepted.as === 'json') {
      return send(exchange, status, 'application/json', entry.text, warningHeaders(warnings));
    }
    const object = accepted.table === undefined ? entry.object() : JSON.parse(renderFor(accepted, query)(entry));
    sendObject(exchange, status, object, accepted, warnings);
  }
}

type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

function verbOf(method: string, { kind, name, namespace }: Target, query: Query): Verb {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (query.watch) return 'watch';
      return name === undefined ? 'list' : 'get';
    case 'POST':
      if (name === undefined && namespace !== undefined) return 'create';
      break;
    case 'PUT':
      if (name !== undefined) return 'update';
      break;
    case 'PATCH':
      if (name !== undefined) return 'patch';
      break;
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
    default:
  }
  throw notAllowed(method, kind);
}

function notAllowed(method: string, kind: Kind): Refusal {
  return new Refusal(
    'resources/method-not-allowed',
    'MethodNotAllowed',
    `the server does not allow this method on the requested resource: ${method} on ${kind.plural}`,
    { remedy: `${kind.plural} allow ${kind.verbs.join(', ')}; namespaced kinds are written below /namespaces/NAME.` },
  );
}

function placeOf(target: Target) {
  return { kind: target.kind.id, namespace: target.namespace ?? '', name: target.name ?? '' };
}

/** The object of a request body, in the version and namespace of its path. */
async function readObject(
  exchange: Exchange,
  kind: Kind,
  fieldValidation: FieldValidation,
  bytesMax: number = LIMITS.objectBytesMax,
): Promise<{ value: ResourceObject; warnings: readonly string[] }> {
  const { value, duplicates } = decodeBody(
    exchange.request.headers['content-type'],
    await readBody(exchange, bytesMax),
  );
  const warnings = duplicateWarnings(duplicates, fieldValidation);
  const given = value as Partial<ResourceObject> | null;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new Refusal('resources/not-an-object', 'BadRequest', `The body must be one ${kind.kind} object.`);
  }
  const { apiVersion = kind.apiVersion, kind: name = kind.kind, metadata = {} } = given;
  if (apiVersion !== kind.apiVersion || name !== kind.kind) {
    throw new Refusal(
      'resources/wrong-kind',
      'BadRequest',
      `${String(apiVersion)} ${String(name)} does not match the expected ${kind.apiVersion} ${kind.kind} of this path.`,
    );
  }
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new Refusal('resources/bad-metadata', 'BadRequest', 'metadata must be an object.');
  }
  return { value: { ...given, apiVersion, kind: name, metadata } as ResourceObject, warnings };
}

function duplicateWarnings(
  duplicates: readonly (readonly (string | number)[])[],
  fieldValidation: FieldValidation,
): string[] {
  const messages = duplicates.map((path) => `duplicate field "${fieldPath(path)}"`);
  if (fieldValidation === 'Ignore') return [];
  if (fieldValidation === 'Warn' || messages.length === 0) return messages;
  throw new Refusal('resources/duplicate-field', 'BadRequest', `strict decoding error: ${messages.join(', ')}`, {
    problems: duplicates.map((path) => ({
      path,
      reason: 'FieldValueDuplicate',
      detail: 'the key is given twice; only the last would count',
    })),
  });
}

function requireMatch({ metadata }: ResourceObject, target: Target): void {
  if (target.name !== undefined && metadata.name !== undefined && metadata.name !== target.name) {
    throw new Refusal(
      'resources/name-mismatch',
      'BadRequest',
      `the name of the object (${metadata.name}) does not match the name on the URL (${target.name})`,
    );
  }
  const namespace = target.namespace ?? '';
  if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== namespace) {
    throw new Refusal(
      'resources/namespace-mismatch',
      'BadRequest',
      `the namespace of the provided object (${metadata.namespace}) does not match the namespace sent on the request (${namespace})`,
    );
  }
}

async function readDeleteOptions(
  exchange: Exchange,
): Promise<{ preconditions: { uid?: string; resourceVersion?: string }; dryRun: boolean }> {
  const bytes = await readBody(exchange, LIMITS.objectBytesMax);
  if (bytes.length === 0) return { preconditions: {}, dryRun: false };
  const { value } = decodeBody(exchange.request.headers['content-type'] ?? 'application/json', bytes);
  const given = (value ?? {}) as { preconditions?: Record<string, unknown> | null; dryRun?: unknown };
  const text = (field: string) => {
    const wanted = given.preconditions?.[field];
    return typeof wanted === 'string' ? { [field]: wanted } : {};
  };
  const dryRun = Array.isArray(given.dryRun) && given.dryRun.includes('All');
  return { preconditions: { ...text('uid'), ...text('resourceVersion') }, dryRun };
}

function listText(
  kind: Kind,
  version: number,
  entries: readonly Entry[],
  metadata: object = { resourceVersion: String(version) },
): string {
  const head = `{"kind":"${kind.kind}List","apiVersion":"${kind.apiVersion}","metadata":${JSON.stringify(metadata)},"items":[`;
  return `${head}${entries.map(({ text }) => text).join(',')}]}`;
}

function warningHeaders(warnings: readonly string[]): Record<string, string[]> {
  if (warnings.length === 0) return {};
  return {
    warning: warnings.map((text) => `299 - "${text.replaceAll(/["\\]/g, '\\$&').replaceAll(/[^\x20-\x7e]/g, '?')}"`),
  };
}

function sendObject(
  exchange: Exchange,
  status: number,
  object: object,
  accepted: Accepted,
  warnings: readonly string[] = [],
): void {
  const yaml = accepted.as === 'yaml' && accepted.table === undefined;
  send(
    exchange,
    status,
    yaml ? 'application/yaml' : 'application/json',
    yaml ? encodeYaml(object) : JSON.stringify(object),
    warningHeaders(warnings),
  );
}

function sendDocument(
  exchange: Exchange,
  document: { readonly contentType: string; readonly body: string; readonly etag?: string },
): void {
  const { contentType, body, etag } = document;
  if (etag !== undefined && exchange.request.headers['if-none-match'] === etag) {
    return send(exchange, 304, contentType, '', { etag });
  }
  send(exchange, 200, contentType, body, { vary: 'Accept', ...(etag === undefined ? {} : { etag }) });
}

/** Answers a refusal as a `Status`; also for requests that were refused before their path was understood. */
export function sendRefusal(exchange: Exchange, refusal: Refusal, target?: Target): void {
  const status = failureStatus(refusal, { kind: target?.kind, name: target?.name });
  // What is left of a body that is too large is not read: the connection ends with the answer.
  const headers: Record<string, string> = refusal.reason === 'RequestEntityTooLarge' ? { connection: 'close' } : {};
  send(exchange, refusal.status, 'application/json', JSON.stringify(status), { ...retryAfter(refusal), ...headers });
}
