import { fieldChanges, type FieldChange } from '#kernel/base/field-changes.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Entry, HistoryItem, Store } from '#kernel/store/contract.ts';
import type { Page } from './list.ts';
import type { Query, RequestTarget } from './request.ts';
import type { Selection } from './selection.ts';

const ITEMS_DEFAULT = 50;
const ITEMS_MAX = 1_000;
/** Of the versions that are compared in one answer: two of the largest objects, so that there is always one difference. */
const BYTES_MAX = 4 * 1024 * 1024;

/** The moment that `?asOf=` names: a version, or a time. */
export function readAsOf(text: string): number | Temporal.Instant {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  try {
    const moment = Temporal.Instant.from(text);
    if (isWithin(moment)) return moment;
  } catch {
    // Reported below.
  }
  throw resourceRefusal(
    'bad-query',
    `asOf=${text.slice(0, 100)}: it must be a version, or a time like 2026-11-22T10:00:00Z.`,
  );
}

/** Far beyond what anybody asks about, and within what the database can compare with. */
const YEARS = {
  first: Temporal.Instant.from('1970-01-01T00:00:00Z'),
  last: Temporal.Instant.from('9999-12-31T23:59:59Z'),
};

function isWithin(moment: Temporal.Instant): boolean {
  return Temporal.Instant.compare(YEARS.first, moment) <= 0 && Temporal.Instant.compare(moment, YEARS.last) <= 0;
}

/** Objects as they were declared at a past moment. All of them at once: the past does not change between pages. */
export async function pastPage(
  store: Store<Operation>,
  { kind, namespace, name }: RequestTarget,
  asOf: number | Temporal.Instant,
  {
    selection,
    convert,
  }: { readonly selection: Selection; readonly convert: (entries: readonly Entry[]) => Promise<void> | undefined },
): Promise<Page> {
  const { version, entries } = await store.past(kind, asOf, {
    namespace: namespace === '' ? undefined : namespace,
    name,
  });
  // Selectors of fields look into objects as the version has them.
  await convert(entries);
  const chosen = entries.filter((entry) => selection.matches(entry));
  return { version, entries: chosen, continueToken: undefined, remaining: undefined };
}

/**
 * The history of one object, newest first: who, when, and the differences to the version before. Ends early where the
 * versions are too large to be compared at once; `metadata.remaining` says so.
 */
export async function historyOf(
  exchange: Exchange,
  store: Store<Operation>,
  target: RequestTarget,
  { limit }: Query,
): Promise<object> {
  const { kind, namespace = '', name = '' } = target;
  const count = Math.min(limit === 0 ? ITEMS_DEFAULT : limit, ITEMS_MAX);
  // One more than is shown: the last one needs something to be compared with.
  const bounds = { limit: count + 1, bytesMax: BYTES_MAX };
  const { items: kept, isCut } = await store.history(kind, namespace, name, bounds);
  exchange.chargeBody(kept.reduce((chars, { text }) => chars + text.length, 0));
  const shown = isCut && kept.length > 1 ? kept.slice(0, -1) : kept.slice(0, count);
  const items = shown.map((item, index) => describeVersion(item, kept[index + 1]));
  return {
    kind: 'History',
    apiVersion: kind.apiVersion,
    metadata: {
      name,
      ...(namespace === '' ? {} : { namespace }),
      ...(isCut ? { remaining: true } : {}),
    },
    items,
  };
}

function describeVersion(
  { version, at, type, user, requestId, text }: HistoryItem,
  before: HistoryItem | undefined,
): object {
  const earlier = before === undefined || before.type === 'DELETED' ? undefined : declaredFields(before.text);
  const changes: FieldChange[] = type === 'DELETED' ? [] : fieldChanges(earlier, declaredFields(text));
  return { version, at, type, user, requestId, changes };
}

/** An object without what only says which version it is. */
function declaredFields(text: string): object {
  const { metadata, apiVersion: _apiVersion, kind: _kind, ...fields }: ResourceObject = JSON.parse(text);
  const {
    resourceVersion: _resourceVersion,
    generation: _generation,
    uid: _uid,
    creationTimestamp: _creationTimestamp,
    managedFields: _managedFields,
    ...kept
  } = metadata;
  return { metadata: kept, ...fields };
}
