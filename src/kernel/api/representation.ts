import type { Clock } from '#kernel/base/clock.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { AcceptedForm } from './codec/accept.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { hasForms, listKindOf } from '#kernel/kinds/registry.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { readAs } from '#kernel/store/rules/read-as.ts';
import { withComputedStatus, type StatusReaders } from './computed-status.ts';
import { partialObject, rowOf, tableOf, tableOfBookmark, type TableOptions } from './table.ts';

/** How a client wants objects shown: whole, as rows of a table, or their metadata alone. All answers are JSON text. */
export interface Representation {
  readonly object: (entry: Entry) => string;
  /** The text of a list in pieces, made as they are taken. `metadata` is that of the list. */
  readonly list: (kind: Kind, entries: Iterable<Entry>, metadata: object) => Iterable<string>;
  /** The next event of a watch: of a table only the first says what the columns are. */
  readonly event: (entry: Entry) => string;
  /** Where a watch stands, in the form of its events; `metadata` has the version. */
  readonly bookmark: (kind: Kind, metadata: object) => string;
}

/** @param kind the kind, in the version that the client asks for */
export function representationOf(
  kind: Kind,
  accepted: AcceptedForm,
  options: {
    readonly includeObject: TableOptions['includeObject'];
    readonly clock: Clock;
    /** Computes statuses; absent: objects are shown as they are stored. */
    readonly statuses?: StatusReaders;
  },
): Representation {
  const { includeObject, clock, statuses } = options;
  if (accepted.table === undefined && accepted.partial !== undefined) return asMetadata(accepted.partial);
  const shown = accepted.table === undefined ? WHOLE : asTables(includeObject, clock);
  if (statuses === undefined && !hasForms(kind)) return shown;
  const complete = (stored: Entry): Entry => {
    const entry = readAs(kind, stored);
    return statuses === undefined ? entry : withComputedStatus(entry, statuses, clock);
  };
  return {
    ...shown,
    object: (entry) => shown.object(complete(entry)),
    list: (_, entries, metadata) => shown.list(kind, Iterator.from(entries).map(complete), metadata),
    event: (entry) => shown.event(complete(entry)),
  };
}

const WHOLE: Representation = {
  object: ({ text }) => text,
  list: listText,
  event: ({ text }) => text,
  bookmark: ({ kind, apiVersion }, metadata) => JSON.stringify({ kind, apiVersion, metadata }),
};

/** A list as JSON: the objects' own texts, joined. */
export function listText(kind: Kind, entries: Iterable<Entry>, metadata: object): Iterable<string> {
  const head = { kind: listKindOf(kind), apiVersion: kind.apiVersion, metadata };
  return listPieces(head, 'items', entries, ({ text }) => text);
}

/** An object as JSON whose last field is a list with one item for each entry. */
function* listPieces(
  head: object,
  field: string,
  entries: Iterable<Entry>,
  itemText: (entry: Entry) => string,
): Generator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"${field}":[`;
  let comma = '';
  for (const entry of entries) {
    yield `${comma}${itemText(entry)}`;
    comma = ',';
  }
  yield ']}';
}

function asTables(includeObject: TableOptions['includeObject'], clock: Clock): Representation {
  let columns = true;
  const table = (kind: Kind, entries: readonly Entry[], metadata: object) =>
    tableOf(kind, entries, { metadata, includeObject, now: clock(), columns });
  const one = (entry: Entry) => table(entry.kind, [entry], { resourceVersion: String(entry.version) });
  const next = (make: () => object) => {
    const text = JSON.stringify(make());
    columns = false;
    return text;
  };
  return {
    object: (entry) => JSON.stringify(one(entry)),
    list: (kind, entries, metadata) => {
      const options = { metadata, includeObject, now: clock(), columns };
      const { rows: _, ...head } = tableOf(kind, [], options);
      return listPieces(head, 'rows', entries, (entry) => JSON.stringify(rowOf(kind, entry, options)));
    },
    event: (entry) => next(() => one(entry)),
    bookmark: (kind, metadata) => next(() => tableOfBookmark(kind, metadata, columns)),
  };
}

function asMetadata(asked: 'object' | 'list'): Representation {
  const object = (entry: Entry) => {
    if (asked === 'list') throw notThat('PartialObjectMetadataList', 'not a list');
    return JSON.stringify(partialObject(entry.object()));
  };
  return {
    object,
    list: (_, entries, metadata) => {
      if (asked === 'object') throw notThat('PartialObjectMetadata', 'a list');
      const head = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata };
      return listPieces(head, 'items', entries, (entry) => JSON.stringify(partialObject(entry.object())));
    },
    event: object,
    bookmark: (_, metadata) =>
      JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }),
  };
}

/** Refuses forms that a watch cannot have, before it begins. */
export function requireStreamable({ as, orJson, partial }: AcceptedForm): void {
  if (partial === 'list') throw notThat('PartialObjectMetadataList', 'not a list');
  if (as === 'json' || orJson === true) return;
  throw resourceRefusal(
    'not-acceptable',
    'only the following media types are accepted: application/json;stream=watch, application/json',
  );
}

function notThat(asked: string, found: string): Refusal {
  return resourceRefusal('not-acceptable', `you requested ${asked}, but the requested object is ${found}`);
}
