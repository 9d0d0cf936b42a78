import type { Problem, Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import { methodNotAllowed, READ_METHODS, type Method } from '#kernel/http/router.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import type { FieldValidation, Part } from '#kernel/store/rules/operation.ts';
import type { Kind, Verb } from '#kernel/kinds/kind.ts';
import { isServerSideApply } from '#kernel/kinds/patch/patch.ts';
import { MANAGER_LIMITS } from '#kernel/managed-fields/entries.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';

/** The target in the path of a resource request. */
export interface RequestTarget {
  readonly kind: Kind;
  /** Undefined means all namespaces; empty for cluster-scoped kinds. */
  readonly namespace: string | undefined;
  /** Undefined means the collection. */
  readonly name: string | undefined;
  readonly part: Part | 'history';
  /** A question about the object, posted below its path: the subresource, and the kind of what is posted. */
  readonly question?: { readonly part: string; readonly kind: Kind };
}

function noSuchPath(path: string): Refusal {
  return resourceRefusal('no-such-path', 'the server could not find the requested resource', {
    remedy: `There is nothing at ${path}; kubectl api-resources lists what there is.`,
  });
}

/** Refuses what cannot be done with the objects of a kind, whatever the path. */
export function requireVerb(kind: Kind, verb: Verb): void {
  if (kind.verbs.includes(verb)) return;
  throw methodNotAllowed({ method: verb, path: kind.plural }, kind.verbs, allowedVerbs(kind));
}

/** The refusal of a method at the path of a resource request. */
export function methodRefusal(exchange: Exchange, target: RequestTarget): Refusal {
  return methodNotAllowed(exchange, methodsOf(target), allowedVerbs(target.question?.kind ?? target.kind));
}

function allowedVerbs({ plural, verbs }: Kind): string {
  return `${plural} allow ${verbs.join(', ')}; namespaced kinds are written below /namespaces/NAME.`;
}

const METHODS_OF_VERB: Readonly<Record<Verb, readonly Method[]>> = {
  get: READ_METHODS,
  list: READ_METHODS,
  watch: ['GET'],
  create: ['POST'],
  update: ['PUT'],
  patch: ['PATCH'],
  delete: ['DELETE'],
  deletecollection: ['DELETE'],
};

const COLLECTION_VERBS: readonly Verb[] = ['list', 'watch', 'create', 'deletecollection'];
const OBJECT_VERBS: readonly Verb[] = ['get', 'watch', 'update', 'patch', 'delete'];

/** The verbs of a part of an object. */
const VERBS_OF_PART: Readonly<Record<Exclude<RequestTarget['part'], 'main'>, readonly Verb[]>> = {
  status: ['get', 'update', 'patch'],
  scale: ['get', 'update', 'patch'],
  finalize: ['update'],
  history: ['get'],
};

/** The methods at the path of a target. */
export function verbsOf({ kind, namespace, name, part, question }: RequestTarget): readonly Verb[] {
  if (question !== undefined) return ['create'];
  if (part !== 'main') return VERBS_OF_PART[part];
  if (name !== undefined) return OBJECT_VERBS.filter((verb) => kind.verbs.includes(verb));
  // A path over all namespaces takes no writes.
  return COLLECTION_VERBS.filter((verb) => kind.verbs.includes(verb) && (verb !== 'create' || namespace !== undefined));
}

function methodsOf(target: RequestTarget): readonly Method[] {
  return [...new Set(verbsOf(target).flatMap((verb) => METHODS_OF_VERB[verb]))];
}

/** Reads `/api/v1/…` and `/apis/GROUP/VERSION/…`. */
export function parsePath(path: string, kinds: KindRegistry): RequestTarget {
  const segments = path.replace(/\/$/, '').split('/').slice(1).map(decode);
  const [root, ...rest] = segments;
  const [group, version, ...tail] = root === 'api' ? ['', ...rest] : rest;
  if (group === undefined || version === undefined) throw noSuchPath(path);
  // `/namespaces/NS` is the Namespace itself; with a third segment it is a scope.
  const scoped =
    tail[0] === 'namespaces' &&
    tail.length >= 3 &&
    !(group === '' && tail.length === 3 && ['status', 'finalize'].includes(tail[2] ?? ''));
  const namespace = scoped ? tail[1] : undefined;
  const [plural, name, part, ...extra] = scoped ? tail.slice(2) : tail;
  const kind = plural === undefined ? undefined : kinds.byPlural(group, version, plural);
  if (kind === undefined || extra.length > 0 || name === '' || namespace === '') throw noSuchPath(path);
  if (namespace !== undefined && !kind.namespaced) throw noSuchPath(path);
  if (kind.namespaced && namespace === undefined && name !== undefined) throw noSuchPath(path);
  const asked = Object.entries(kind.subresources ?? {}).find(([subresource]) => subresource === part)?.[1];
  const place = { kind, namespace: kind.namespaced ? namespace : '', name };
  if (part !== undefined && asked !== undefined) return { ...place, part: 'main', question: { part, kind: asked } };
  return { ...place, part: partOf() };

  function partOf(): RequestTarget['part'] {
    if (part === undefined) return 'main';
    if (part === 'history') return part;
    if (part === 'status' && kind?.hasStatus === true) return 'status';
    if (part === 'scale' && kind?.scale !== undefined) return 'scale';
    if (part === 'finalize' && kind === Namespace) return 'finalize';
    throw noSuchPath(path);
  }

  function decode(segment: string): string {
    try {
      return decodeURIComponent(segment);
    } catch {
      throw resourceRefusal('bad-path', `The path segment ${segment} is not valid percent-encoding.`);
    }
  }
}

/** The query parameters that any verb may carry. */
export interface Query {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly limit: number;
  readonly continueToken: string;
  readonly resourceVersion: string | undefined;
  /** Of ours: show what was declared at this version or time. */
  readonly asOf: string | undefined;
  readonly resourceVersionMatch: string | undefined;
  /** Of a watch: begin with all objects as ADDED, then say that these were all. */
  readonly sendInitialEvents: boolean | undefined;
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  /** Of ours: a bookmark after each published batch, so that a follower never shows half of an atomic change. */
  readonly batchBookmarks: boolean;
  /** Of ours: without computed statuses, for followers that read specs alone. */
  readonly stored: boolean;
  readonly timeoutSeconds: number | undefined;
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** Of server-side apply: takes fields away from other managers. */
  readonly force: boolean;
  readonly includeObject: 'None' | 'Metadata' | 'Object';
}

export function parseQuery(exchange: Exchange): Query {
  const given = new URLSearchParams(exchange.queryText);
  const fieldManager = given.get('fieldManager') ?? '';
  checkFieldManager(fieldManager);
  const isApply = exchange.method === 'PATCH' && isServerSideApply(exchange.request.headers['content-type']);
  if (exchange.method === 'PATCH' && given.has('force') && !isApply) {
    throw invalidOption('force', 'FieldValueForbidden', 'Forbidden: may not be specified for non-apply patch');
  }
  if (isApply && fieldManager === '') {
    throw invalidOption('fieldManager', 'FieldValueRequired', 'Required value: is required for apply patch');
  }
  const text = (name: string) => given.get(name) ?? undefined;
  const oneOf = <const Value extends string>(name: string, fallback: Value, ...others: Value[]): Value => {
    const value = text(name);
    if (value === undefined || value === '') return fallback;
    const found = [fallback, ...others].find((option) => option === value);
    if (found !== undefined) return found;
    throw resourceRefusal('bad-query', `${name}=${value}: it must be one of ${[fallback, ...others].join(', ')}.`);
  };
  const count = (name: string): number | undefined => {
    const value = text(name);
    if (value === undefined || value === '') return undefined;
    if (/^\d{1,15}$/.test(value)) return Number(value);
    throw resourceRefusal('bad-query', `${name}=${value}: it must be a whole number from 0.`);
  };
  // As Kubernetes reads it: whatever is not false is true.
  const optionalFlag = (name: string) => {
    const value = text(name)?.toLowerCase();
    return value === undefined ? undefined : value !== 'false' && value !== '0';
  };
  const flag = (name: string) => optionalFlag(name) ?? false;
  const dryRuns = given.getAll('dryRun').filter((value) => value !== '');
  if (dryRuns.some((value) => value !== 'All')) {
    throw resourceRefusal('bad-query', `dryRun=${dryRuns.join(',')}: the only supported value is All.`);
  }
  const resourceVersion = text('resourceVersion');
  if (resourceVersion !== undefined && !/^\d{0,15}$/.test(resourceVersion)) {
    throw resourceRefusal(
      'bad-query',
      `resourceVersion=${resourceVersion}: it must be a number that this server gave.`,
    );
  }
  return {
    labelSelector: text('labelSelector') ?? '',
    fieldSelector: text('fieldSelector') ?? '',
    limit: count('limit') ?? 0,
    continueToken: text('continue') ?? '',
    resourceVersion: resourceVersion === '' ? undefined : resourceVersion,
    resourceVersionMatch: text('resourceVersionMatch') || undefined,
    sendInitialEvents: optionalFlag('sendInitialEvents'),
    asOf: text('asOf'),
    watch: flag('watch'),
    allowWatchBookmarks: flag('allowWatchBookmarks'),
    batchBookmarks: flag('batchBookmarks'),
    stored: flag('stored'),
    timeoutSeconds: count('timeoutSeconds'),
    dryRun: dryRuns.length > 0,
    fieldValidation: oneOf('fieldValidation', 'Warn', 'Ignore', 'Strict'),
    force: flag('force'),
    includeObject: oneOf('includeObject', 'Metadata', 'None', 'Object'),
  };
}

function checkFieldManager(name: string): void {
  if (name.length > MANAGER_LIMITS.nameCharsMax) {
    const detail = `Too long: may not be more than ${MANAGER_LIMITS.nameCharsMax} bytes`;
    throw invalidOption('fieldManager', 'FieldValueTooLong', detail);
  }
  // oxlint-disable-next-line no-control-regex
  if (/[\x00-\x1f\x7f]/.test(name)) {
    const detail = `Invalid value: ${JSON.stringify(name)}: should only contain printable characters`;
    throw invalidOption('fieldManager', 'FieldValueInvalid', detail);
  }
}

function invalidOption(option: string, reason: Problem['reason'], detail: string): Refusal {
  return resourceRefusal('invalid-options', `PatchOptions.meta.k8s.io "" is invalid: ${option}: ${detail}`, {
    problems: [{ path: [option], reason, detail }],
  });
}
