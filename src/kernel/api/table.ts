import type { Column, Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { humanDuration } from './human-duration.ts';

export interface TableOptions {
  /** The metadata of the list or event: resourceVersion, continue, remainingItemCount. */
  readonly metadata: object;
  /** How much of each object goes with its row. */
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  readonly now: Temporal.Instant;
  /** Whether it says what its columns are. */
  readonly columns: boolean;
}

interface TableRow {
  readonly cells: unknown[];
  readonly object?: object;
}

interface Table {
  readonly kind: 'Table';
  readonly apiVersion: string;
  readonly metadata: object;
  readonly columnDefinitions: readonly object[] | null;
  readonly rows: TableRow[];
}

/** Objects as the rows that `kubectl get` prints: name, the columns of the kind, age. A `Table` of meta.k8s.io/v1. */
export function tableOf(kind: Kind, entries: readonly Entry[], options: TableOptions): Table {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata,
    columnDefinitions: options.columns ? columnsOf(kind) : null,
    rows: entries.map((entry) => rowOf(kind, entry, options)),
  };
}

/** A bookmark among tables: a row of nothing, whose object has the metadata. */
export function tableOfBookmark(kind: Kind, metadata: object, columns: boolean): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns ? columnsOf(kind) : null,
    rows: [
      {
        cells: ['', ...kind.columns.map(() => '<none>'), ...(kind.hasOwnAge === true ? [] : ['<unknown>'])],
        object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata },
      },
    ],
  };
}

function columnsOf(kind: Kind): object[] {
  return [NAME, ...kind.columns.map(definition), ...(kind.hasOwnAge === true ? [] : [AGE])];
}

const NAME = definition({
  name: 'Name',
  type: 'string',
  description: 'Unique among the objects of this kind in the namespace.',
});

const AGE = definition({ name: 'Age', type: 'date', description: 'The time since it was created.' });

function definition({ name, type, description, priority = 0 }: Omit<Column, 'value'>): object {
  return { name, type, format: name === 'Name' ? 'name' : '', description, priority };
}

export function rowOf(kind: Kind, entry: Entry, { includeObject, now }: TableOptions): TableRow {
  const object = entry.object();
  const { creationTimestamp } = object.metadata;
  const cells = [entry.name, ...kind.columns.map((column) => cell(column, object, now))];
  if (kind.hasOwnAge !== true) cells.push(creationTimestamp === undefined ? '<unknown>' : age(creationTimestamp, now));
  switch (includeObject) {
    case 'None':
      return { cells };
    case 'Metadata':
      return { cells, object: partialObject(object) };
    case 'Object':
      return { cells, object };
    default:
      return includeObject satisfies never;
  }
}

/** An object without anything but its metadata. */
export function partialObject({ metadata }: ResourceObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}

function cell(column: Column, object: ResourceObject, now: Temporal.Instant): string | number | boolean {
  const value = column.value(object, now);
  if (value === undefined) return '<none>';
  return column.type === 'date' && typeof value === 'string' ? age(value, now) : value;
}

function age(time: string, now: Temporal.Instant): string {
  const since = Date.parse(time);
  return Number.isNaN(since) ? '<unknown>' : humanDuration((now.epochMilliseconds - since) / 1000);
}
