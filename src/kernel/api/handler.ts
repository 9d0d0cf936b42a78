import { randomUUID } from 'node:crypto';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal, refusalIn } from '#kernel/base/failures.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import type { Deadline } from '#kernel/http/request-limit.ts';
import {
  methodNotAllowed,
  READ_METHODS,
  type Handler,
  type Method,
  type RequestContext,
  type Route,
} from '#kernel/http/router.ts';
import type { Accepted } from './codec/accept.ts';
import { patchTypeOf } from '#kernel/kinds/patch/patch.ts';
import type { Kind, ResourceObject, Verb } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { fromKinds, type KindRegistry } from '#kernel/kinds/registry.ts';
import type { Author, Entry, Outcome, Store } from '#kernel/store/contract.ts';
import { notFound, requirePreconditions } from '#kernel/store/rules/write.ts';
import { withoutValues } from '#kernel/kinds/confidential.ts';
import type { Authority, RequireObject, User } from './authority.ts';
import { attemptOf, attributesOf, callOf, isWrite, type Call } from './call.ts';
import { acceptedBy, sendDocument, sendJson, sendJsonPieces, sendRefusal, warningHeaders } from './answer.ts';
import { createNamed, readObject, readPatch, requireMatch } from './body.ts';
import { readDeleteOptions } from './delete-options.ts';
import { discoveryAnswer, discoveryDocuments } from './discovery.ts';
import { historyOf, pastPage, readAsOf } from './past.ts';
import { openApiAnswer, openApiDocuments, type MadeDocuments } from './openapi.ts';
import { openApiV2 } from './openapi-v2.ts';
import { unwritten } from './dry-run.ts';
import { checkListOptions } from './list-options.ts';
import { indexedBy, listPage, reachVersion, type Page } from './list.ts';
import { listText, representationOf, requireStreamable } from './representation.ts';
import { notAllowed, parsePath, parseQuery, verbsOf, type Query, type Target } from './request.ts';
import { checkPosted } from './check-posted.ts';
import { selectionOf } from './selection.ts';
import { deletedStatus } from './status.ts';
import { watch, type WatchMetrics } from './watch.ts';

/** What looks at what there is; a collection is deleted as it is seen. */
const READS: ReadonlySet<Verb> = new Set(['get', 'list', 'watch', 'deletecollection']);

/** How much longer it takes to patch an object than to read it. */
const PATCH_FACTOR = 4;

const LIMITS = {
  /** Objects that one deletecollection may remove: one atomic change. */
  deleteCollectionMax: 10_000,
  /** Headers of one answer. */
  warningsMax: 20,
} as const;

/**
 * A kind whose objects are not stored: posting one is a question or a command, answered by the object. It gets objects
 * that fit the schema of the kind.
 */
export type VirtualKind = (
  object: ResourceObject,
  call: {
    readonly user: User;
    readonly author: Author;
    readonly dryRun: boolean;
    readonly namespace: string | undefined;
    /** Of the object that a subresource was posted to. */
    readonly name: string | undefined;
    /** Aborted when the caller has gone; absent where none can go. */
    readonly signal?: AbortSignal;
  },
) => Promise<object>;

/** A question or command as it comes in. */
interface Question {
  readonly kind: Kind;
  /** What answers it, see `ResourceApiOptions.virtual`. */
  readonly id: string;
}

/** A kind whose objects are not stored but looked up: gives a page of them, or the one that the target names. */
export type VirtualList = (target: Target, query: Query) => Promise<Page>;

export interface ResourceApiOptions {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly clock: Clock;
  readonly version: string;
  /** By `Kind.id`; questions about an object by `Kind.id/subresource`. */
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  readonly virtualLists: ReadonlyMap<string, VirtualList>;
  readonly authority: Authority;
  readonly watchMetrics: WatchMetrics;
}

/** Answers resource requests of authenticated callers. Every refusal is a Kubernetes `Status`. */
export type ResourceApi = (exchange: Exchange, context: RequestContext, user: User) => Promise<void>;

/** Of requests that are no watch: a large change set, or a question that reads many files, takes minutes. */
const DEADLINE: Deadline = { msDefault: 300_000, msMax: 600_000 };

/** The routes of the resource API. A watch has begun to answer long before its deadline, and goes on. */
export function resourceRoutes(handle: Handler): readonly Route<'users'>[] {
  const paths = ['/', ...['/version', '/api', '/apis', '/openapi'].flatMap((path) => [path, `${path}/**`])];
  const methods: readonly Method[] = [...READ_METHODS, 'POST', 'PUT', 'PATCH', 'DELETE'];
  const shared = {
    methods,
    by: 'users',
    deadline: DEADLINE,
    countedAs: 'resources',
    // A path allows what its kind does.
    isForAnyMethod: true,
    repetition: 'look whether it was, then apply it again',
    refuse: sendRefusal,
  } as const;
  return paths.map((path) => ({ ...shared, path, handle }));
}

export function resourceApi(options: ResourceApiOptions): ResourceApi {
  const { store, kinds, clock, authority } = options;
  const made: MadeDocuments = new Map();
  const documents = fromKinds(kinds, (all) => {
    const openapi = openApiDocuments(all, options.version, made);
    return {
      discovery: discoveryDocuments(all, options.version),
      openapi,
      openapiV2: openApiV2(openapi, options.version),
    };
  });

  return async (exchange, context, user) => {
    let call: Call | undefined;
    let accepted: Accepted | undefined;
    try {
      // Its protobuf is of a type of its own, which nothing else is.
      const isOlder = exchange.path === '/openapi/v2';
      accepted = isOlder ? { as: 'json' } : acceptedBy(exchange);
      const { discovery, openapi, openapiV2 } = documents();
      const document = isOlder
        ? openapiV2(exchange.request.headers.accept)
        : (discoveryAnswer(discovery, exchange.path, accepted) ?? openApiAnswer(openapi, exchange.path));
      if (document !== undefined) {
        if (exchange.method !== 'GET' && exchange.method !== 'HEAD') throw methodNotAllowed(exchange, READ_METHODS);
        authority.authorize(user, { verb: 'get', path: exchange.path });
        return sendDocument(exchange, document);
      }
      call = callOf(exchange, user, parsePath(exchange.path, kinds));
      await serve(exchange, context, call, parseQuery(exchange), accepted);
    } catch (error) {
      if (call !== undefined && isWrite(exchange.method)) void authority.attempted(call.author, attemptOf(call, error));
      const refusal = refusalIn(error);
      if (refusal === undefined) throw error;
      const said = call?.target.kind.confidential === true ? withoutValues(refusal) : refusal;
      sendRefusal(exchange, said, call?.target, accepted);
    }
  };

  async function serve(
    exchange: Exchange,
    { signal }: RequestContext,
    call: Call,
    query: Query,
    accepted: Accepted,
  ): Promise<void> {
    const { user, author, target } = call;
    const { kind, name, part } = target;
    call.dryRun = query.dryRun;
    if (target.question !== undefined) {
      if (exchange.method !== 'POST') throw notAllowed(exchange, target);
      const wanted = attributesOf(target, 'create', query);
      authority.authorizeObject(user, wanted)(storedAt(target));
      const question = { kind: target.question.kind, id: `${kind.id}/${target.question.part}` };
      return ask(exchange, signal, call, question, query, accepted);
    }
    const verb = verbOf(exchange, target, query);
    if (!verbsOf(target).includes(verb)) throw notAllowed(exchange, target);
    const wanted = attributesOf(target, verb, query);
    // Writes of what is stored are held against their objects where they are decided.
    const requireObject = authority.authorizeObject(user, wanted);
    if (part === 'history') {
      // Versions of before may be of any object.
      requireObject(undefined);
      return sendJson(exchange, 200, JSON.stringify(await historyOf(exchange, store, target, query)), accepted);
    }
    if (READS.has(verb)) {
      await catchUp(kind, verb, query);
      signal.throwIfAborted();
    }
    switch (verb) {
      case 'get': {
        const entry = await found(target, query).catch((error: unknown) => {
          requireObject(undefined);
          throw error;
        });
        requireObject(entry);
        return sendEntry(exchange, 200, entry, accepted, query);
      }
      case 'list':
        return list(exchange, signal, target, query, accepted);
      case 'watch':
        requireStreamable(accepted);
        return watch(
          exchange,
          store,
          target,
          query,
          selectionOf(kind, query, name),
          representationOf(accepted, { ...query, clock }),
          kinds,
          options.watchMetrics,
        );
      case 'create':
        return create(exchange, signal, call, query, accepted, requireObject);
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
        const { value: patch, warnings } = await readPatch(exchange, kind, query.fieldValidation);
        // However small the patch is, the whole object is read, patched, checked and written.
        exchange.chargeBody(store.get(kind, target.namespace ?? '', name ?? '')?.text.length ?? 0, PATCH_FACTOR);
        return write(exchange, query, accepted, author, warnings, {
          ...placeOf(target),
          verb,
          part,
          patchType,
          patch,
          fieldValidation: query.fieldValidation,
        });
      }
      case 'delete':
        return remove(exchange, target, query, accepted, author);
      case 'deletecollection':
        return removeMany(exchange, call, query, accepted);
      default:
        return verb satisfies never;
    }
  }

  /**
   * Waits until what is read here is new enough: not older than the version that is named, else all that was
   * acknowledged anywhere. A watch from a version that is yet to come just begins there; only our own followers want to
   * hear when it does not come, as after a restore.
   */
  async function catchUp(kind: Kind, verb: Verb, query: Query): Promise<void> {
    if (query.resourceVersion === undefined) await store.fresh();
    if (options.virtualLists.has(kind.id)) return;
    if (verb !== 'get') checkListOptions(query);
    if (verb !== 'watch' || query.sendInitialEvents === true || query.batchBookmarks) await reachVersion(store, query);
  }

  function storedAt({ kind, namespace = '', name = '' }: Target): Entry | undefined {
    return store.get(kind, namespace, name);
  }

  /** Answers a posted question or command. That it was posted is on record before the answer goes out. */
  async function ask(
    exchange: Exchange,
    signal: AbortSignal,
    call: Call,
    { kind, id }: Question,
    query: Query,
    accepted: Accepted,
  ): Promise<void> {
    const answerTo = options.virtual.get(id);
    if (answerTo === undefined) throw new Error(`nothing answers ${id}`);
    if (kind.writesOthers === true) authority.requireWriter(call.user);
    const { value, warnings } = await readObject(exchange, kind, query.fieldValidation);
    const posted = checkPosted(kind, value, query.fieldValidation);
    const { user, author, target } = call;
    const { namespace, name } = target;
    const answer = await answerTo(posted.object, { user, author, dryRun: query.dryRun, namespace, name, signal });
    await authority.attempted(author, attemptOf(call, 201));
    sendJson(exchange, 201, JSON.stringify(answer), accepted, warningHeaders([...warnings, ...posted.warnings]));
  }

  async function create(
    exchange: Exchange,
    signal: AbortSignal,
    call: Call,
    query: Query,
    accepted: Accepted,
    requireObject: RequireObject,
  ): Promise<void> {
    const { author, target } = call;
    const { kind } = target;
    if (options.virtual.has(kind.id)) {
      // Its name and labels are of whoever posts it: a rule for some objects would hold nobody to anything.
      requireObject(undefined);
      return ask(exchange, signal, call, { kind, id: kind.id }, query, accepted);
    }
    const { value: object, warnings } = await readObject(exchange, kind, query.fieldValidation);
    requireMatch(object, target);
    return createNamed(kind, object, (name) => {
      call.name = name;
      return write(exchange, query, accepted, author, warnings, {
        kind: kind.id,
        namespace: target.namespace ?? '',
        name,
        verb: 'create',
        object,
        uid: randomUUID(),
        fieldValidation: query.fieldValidation,
      });
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
    if (dryRun || outcome.did === 'nothing') {
      const { namespace, name } = operation;
      const kind = kinds.byId(operation.kind);
      const part = 'part' in operation && operation.part !== 'main' ? operation.part : '';
      const code = outcome.did === 'created' ? 201 : 200;
      void authority.attempted(author, { kind, part, namespace, name, dryRun, code, reason: '' });
      if (dryRun) return { ...outcome, entry: unwritten(outcome.entry, store.get(kind, namespace, name)) };
    }
    return outcome;
  }

  async function remove(
    exchange: Exchange,
    target: Target,
    query: Query,
    accepted: Accepted,
    author: Author,
  ): Promise<void> {
    const { preconditions, propagation, dryRun } = await readDeleteOptions(exchange);
    const operation: Operation = {
      ...placeOf(target),
      verb: 'delete',
      uidExpected: preconditions.uid,
      versionExpected: preconditions.resourceVersion,
      propagation,
    };
    const { did, entry, warnings = [] } = await writeOne(operation, author, query.dryRun || dryRun);
    if (did !== 'removed') return sendEntry(exchange, 200, entry, accepted, query, warnings);
    const status = deletedStatus(target.kind, entry.name, entry.uid);
    sendJson(exchange, 200, JSON.stringify(status), accepted, warningHeaders(warnings));
  }

  async function removeMany(exchange: Exchange, call: Call, query: Query, accepted: Accepted): Promise<void> {
    const { author, target } = call;
    const { preconditions, propagation, dryRun } = await readDeleteOptions(exchange);
    call.dryRun ||= dryRun;
    const page = listPage(store, target, query, selectionOf(target.kind, query));
    if (page.entries.length > LIMITS.deleteCollectionMax) {
      throw new Refusal(
        'resources/too-many',
        'RequestEntityTooLarge',
        `The selection holds ${page.entries.length} objects; at most ${LIMITS.deleteCollectionMax} can be deleted at once.`,
        { remedy: 'Narrow it with labelSelector, or name a limit and go on with continue.' },
      );
    }
    for (const entry of page.entries) requirePreconditions(entry, preconditions);
    // A later page shows objects as they were when the first one was read.
    const left = page.entries.filter(({ kind, namespace, name, uid }) => store.get(kind, namespace, name)?.uid === uid);
    const operations = left.map((entry): Operation => ({
      verb: 'delete',
      kind: entry.kind.id,
      namespace: entry.namespace,
      name: entry.name,
      uidExpected: entry.uid,
      versionExpected: preconditions.resourceVersion,
      propagation,
    }));
    const outcomes = operations.length === 0 ? [] : await store.write(operations, author, { dryRun: call.dryRun });
    if (call.dryRun || outcomes.every(({ did }) => did === 'nothing')) {
      void authority.attempted(author, attemptOf(call, 200));
    }
    const removed = outcomes.map(({ entry }) => entry);
    const metadata = { ...pageMetadata(page), resourceVersion: String(store.version()) };
    const warnings = outcomes.flatMap((outcome) => outcome.warnings ?? []).slice(0, LIMITS.warningsMax);
    sendJsonPieces(exchange, listText(target.kind, removed, metadata), accepted, warningHeaders(warnings));
  }

  async function list(
    exchange: Exchange,
    signal: AbortSignal,
    target: Target,
    query: Query,
    accepted: Accepted,
  ): Promise<void> {
    // Each object is held against each term.
    const terms = termsIn(query.labelSelector) + termsIn(query.fieldSelector);
    const isLookedUp = indexedBy(target.kind, selectionOf(target.kind, query)) !== undefined;
    exchange.chargeLooks(terms === 0 || isLookedUp ? 0 : terms * store.count(target.kind));
    const page = await pageOf(target, query);
    signal.throwIfAborted();
    const shown = representationOf(accepted, { ...query, clock });
    sendJsonPieces(exchange, shown.list(target.kind, page.entries, pageMetadata(page)), accepted);
  }

  async function pageOf(target: Target, query: Query): Promise<Page> {
    const lookUp = options.virtualLists.get(target.kind.id);
    if (lookUp !== undefined) return lookUp(target, query);
    const selection = selectionOf(target.kind, query, target.name);
    if (query.asOf !== undefined) return pastPage(store, target, readAsOf(query.asOf), selection);
    return listPage(store, target, query, selection);
  }

  async function found(target: Target, query: Query): Promise<Entry> {
    const { kind, namespace = '', name = '' } = target;
    const stored =
      options.virtualLists.has(kind.id) || query.asOf !== undefined ? undefined : store.get(kind, namespace, name);
    const entry = stored ?? (await pageOf(target, query)).entries[0];
    if (entry === undefined) throw notFound(kind, name);
    return entry;
  }

  function sendEntry(
    exchange: Exchange,
    status: number,
    entry: Entry,
    accepted: Accepted,
    query: Query,
    warnings: readonly string[] = [],
  ): void {
    const shown = representationOf(accepted, { ...query, clock });
    sendJson(exchange, status, shown.object(entry), accepted, warningHeaders(warnings));
  }
}

function pageMetadata({ version, continueToken, remaining }: Page) {
  return {
    resourceVersion: String(version),
    ...(continueToken === undefined ? {} : { continue: continueToken }),
    ...(remaining === undefined ? {} : { remainingItemCount: remaining }),
  };
}

/** How many terms a selector has at most. */
function termsIn(selector: string): number {
  return selector === '' ? 0 : selector.split(',').length;
}

function verbOf(exchange: Exchange, target: Target, query: Query): Verb {
  const { name, namespace, part } = target;
  switch (exchange.method) {
    case 'GET':
      // A part of an object is no collection: whoever watches it gets it once.
      if (query.watch && part === 'main') return 'watch';
      return name === undefined ? 'list' : 'get';
    case 'HEAD':
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
  throw notAllowed(exchange, target);
}

function placeOf(target: Target) {
  return { kind: target.kind.id, namespace: target.namespace ?? '', name: target.name ?? '' };
}
