import { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { within } from '#kernel/base/time.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { SEPARATOR } from '#kernel/kinds/index-keys.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { checkListOptions } from './list-options.ts';
import type { Query, RequestTarget } from './request.ts';
import { requiredValues, type Selection } from './selection.ts';

/** One page of a list: all of its pages show the objects as they were when the first page was read. */
export interface Page {
  readonly version: number;
  readonly entries: readonly Entry[];
  /** Where the next page starts; undefined on the last one. */
  readonly continueToken: string | undefined;
  readonly remaining: number | undefined;
}

interface Continuation {
  readonly version: number;
  readonly namespace: string;
  readonly name: string;
}

export function listPage(store: Store<Operation>, target: RequestTarget, query: Query, selection: Selection): Page {
  checkListOptions(query);
  const from = query.continueToken === '' ? undefined : decodeContinue(query.continueToken);
  checkVersions(store, query, from);
  const version = startOf(store, query, from);
  const namespace = target.namespace === '' ? undefined : target.namespace;
  const entries: Entry[] = [];
  let more = false;
  let seen = 0;
  for (const entry of openList()) {
    seen += 1;
    if (!selection.matches(entry)) continue;
    if (query.limit > 0 && entries.length === query.limit) {
      more = true;
      break;
    }
    entries.push(entry);
  }
  const last = entries.at(-1);
  return {
    version,
    entries,
    continueToken:
      more && last !== undefined ? encodeContinue({ version, namespace: last.namespace, name: last.name }) : undefined,
    // As in Kubernetes: only where counting costs nothing.
    remaining:
      more && selection.everything && namespace === undefined && from === undefined
        ? store.count(target.kind) - seen + 1
        : undefined,
  };

  function openList(): Iterable<Entry> {
    try {
      return candidates(store, target.kind, selection, {
        namespace,
        at: version,
        ...(from === undefined ? {} : { after: from }),
      });
    } catch (error) {
      if (!(error instanceof Refusal) || error.reason !== 'Expired') throw error;
      if (from !== undefined) throw new ExpiredContinue(encodeContinue({ ...from, version: WHATEVER_VERSION }));
      throw resourceRefusal('expired', 'The resourceVersion for the provided list is too old.');
    }
  }
}

type Objects = Pick<Store<Operation>, 'version' | 'find' | 'list' | 'changesSince'>;

/** Among others, in order, every object that is selected: by look-ups where there are some. Refuses as `Store.list`. */
export function candidates(
  store: Objects,
  kind: Kind,
  { lookUps }: Pick<Selection, 'lookUps'>,
  options: Parameters<Objects['list']>[1] = {},
): Iterable<Entry> {
  if (lookUps === undefined) return store.list(kind, options);
  const { namespace, at = store.version(), after } = options;
  const found = new Map<string, Entry>();
  for (const { index, value } of lookUps) {
    for (const entry of store.find(kind, index, value)) found.set(keyOf(entry), entry);
  }
  if (at < store.version()) {
    // Indexes are of now: what has changed since stands as it was before its first change.
    const then = new Map<string, Entry | undefined>();
    for (const { entry, before } of store.changesSince(at, kind)) {
      const key = keyOf(entry);
      if (!then.has(key)) then.set(key, before);
    }
    for (const [key, entry] of then) {
      if (entry === undefined) found.delete(key);
      else found.set(key, entry);
    }
  }
  const start = after === undefined ? undefined : keyOf(after);
  return [...found]
    .filter(([key, entry]) => (namespace ?? entry.namespace) === entry.namespace && (start ?? '') < key)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, entry]) => entry);
}

/** Sorts as the lists of a store. */
function keyOf({ namespace, name }: Pick<Entry, 'namespace' | 'name'>): string {
  return namespace + SEPARATOR + name;
}

/** The one name that a list selects; every `kubectl delete` and `wait` asks so. */
export function requiredName({ fieldSelector }: Pick<Query, 'fieldSelector'>): string | undefined {
  return requiredValues(fieldSelector).get('metadata.name');
}

/** Of a continue token: go on behind its place with the objects as they are then. */
const WHATEVER_VERSION = -1;

/** The pages of a list can no longer be read as they were; its token leads to the rest as it is now. */
export class ExpiredContinue extends Refusal {
  readonly continueToken: string;

  constructor(continueToken: string) {
    super(
      'resources/expired',
      'Expired',
      'The provided continue parameter is too old to display a consistent list result. You can start a new list ' +
        'without the continue parameter, or use the continue token in this response to retrieve the remainder of the ' +
        'results. Continuing with the provided token results in an inconsistent list - objects that were created, ' +
        'modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    );
    this.continueToken = continueToken;
  }
}

/** The version whose objects a list shows. */
function startOf(store: Store<Operation>, query: Query, from: Continuation | undefined): number {
  if (from !== undefined) return from.version === WHATEVER_VERSION ? store.version() : from.version;
  const { resourceVersion = '0', resourceVersionMatch, limit } = query;
  // Without a word on how to match, a page is of exactly that version; a whole list is not older.
  const exact = resourceVersionMatch === 'Exact' || (resourceVersionMatch === undefined && limit > 0);
  return exact && resourceVersion !== '0' ? Number(resourceVersion) : store.version();
}

function checkVersions(store: Store<Operation>, query: Query, from: Continuation | undefined): void {
  const { resourceVersion } = query;
  if (from !== undefined && resourceVersion !== undefined && resourceVersion !== '0') {
    throw resourceRefusal('bad-query', 'specifying resource version is not allowed when using continue');
  }
  if (from !== undefined && from.version > store.version()) throw badContinue();
  if (resourceVersion !== undefined) requireKnownVersion(store, Number(resourceVersion));
}

/** How long a read waits for a version that is yet to come, as in Kubernetes. */
const VERSION_MS_MAX = 3_000;

/**
 * Waits until the store shows the version that a read names, or the one that the list is of that it goes on with. Refuses
 * with 504 when the named one does not come within three seconds.
 */
export async function reachVersion(store: Store<Operation>, { resourceVersion, continueToken }: Query): Promise<void> {
  const named = Number(resourceVersion ?? 0);
  const begun = continueToken === '' ? 0 : decodeContinue(continueToken).version;
  await waitForVersion(store, Math.max(named, begun));
  requireKnownVersion(store, named);
}

async function waitForVersion(store: Store<Operation>, version: number): Promise<void> {
  if (version <= store.version()) return;
  // A version that another process wrote may only have to be fetched.
  await store.fresh();
  if (version <= store.version()) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const unsubscribe = store.subscribe(() => {
    if (version <= store.version()) resolve();
  });
  await within(promise, VERSION_MS_MAX);
  unsubscribe();
}

/** Refuses a version that the store has not reached yet. */
export function requireKnownVersion(store: Store<Operation>, version: number): void {
  if (version <= store.version()) return;
  throw resourceRefusal('version-too-large', `Too large resource version: ${version}, current: ${store.version()}`, {
    retryAfterSeconds: 1,
    problems: [{ path: [], reason: 'ResourceVersionTooLarge', detail: 'Too large resource version' }],
  });
}

function encodeContinue(position: Continuation): string {
  return Buffer.from(JSON.stringify([1, position.version, position.namespace, position.name])).toString('base64url');
}

function decodeContinue(token: string): Continuation {
  try {
    const [format, version, namespace, name] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    if (format === 1 && Number.isSafeInteger(version) && typeof namespace === 'string' && typeof name === 'string') {
      return { version: version as number, namespace, name };
    }
  } catch {
    // Falls through to the refusal: whatever is wrong with the token, the remedy is the same.
  }
  throw badContinue();
}

/** The refusal of a continue token that no list here has given. */
export function badContinue(): Refusal {
  return resourceRefusal('bad-continue', 'continue key is not valid');
}
