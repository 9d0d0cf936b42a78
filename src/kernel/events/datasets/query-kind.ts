import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from '../kinds/identity.ts';

export const QUERY_LIMITS = {
  sqlCharsMax: 100_000,
  /** Rows that are given when nobody says how many. */
  rowsDefault: 10_000,
  /** Rows that an answer can hold, and a file of Parquet. */
  rowsMax: 100_000,
  fileRowsMax: 5_000_000,
  /** Bytes of an answer's rows, CSV or Parquet: it is held in memory a few times on its way. */
  bytesMax: 32 * 1024 * 1024,
  secondsDefault: 60,
  secondsMax: 300,
} as const;

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

const QuerySpec = Type.Object(
  {
    sql: Type.String({
      minLength: 1,
      maxLength: QUERY_LIMITS.sqlCharsMax,
      description:
        'One SELECT, in the SQL of DuckDB. EventTypes and Datasets are its tables; hyphens become underscores.',
    }),
    format: Type.Enum(['rows', 'csv', 'parquet'], { default: 'rows', description: 'How the result is given.' }),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: QUERY_LIMITS.fileRowsMax,
        description: `Rows at most. Of rows and csv the rest is cut off, up to ${QUERY_LIMITS.rowsMax}; a parquet result that is longer is refused. Absent: ${QUERY_LIMITS.rowsDefault} rows.`,
      }),
    ),
    timeoutSeconds: Type.Integer({
      minimum: 1,
      maximum: QUERY_LIMITS.secondsMax,
      default: QUERY_LIMITS.secondsDefault,
      description: 'How long it may take.',
    }),
  },
  { description: 'What is asked.' },
);

export type QuerySpec = Static<typeof QuerySpec>;

/** A question in SQL about events. Posting one answers it; with `dryRun=All` it is only checked. Not stored. */
export const Query = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Query',
  plural: 'queries',
  scope: 'Cluster',
  description: 'A question in SQL about the events in the datasets.',
  spec: QuerySpec,
  /** As much as its SQL takes, escaped. */
  bodyBytesMax: 4 * QUERY_LIMITS.sqlCharsMax + 64 * 1024,
  status: Type.Object({
    columns: Type.Array(
      Type.Object({
        name: Type.String({ description: 'As in the SQL.' }),
        type: Type.String({ description: 'In SQL.' }),
      }),
      { description: 'What the values of a row are.' },
    ),
    rows: Type.Optional(
      Type.Array(Type.Array(Type.Unknown(free)), {
        description: 'The rows; whole numbers beyond 2^53 and long decimals as text, times in RFC 3339.',
      }),
    ),
    data: Type.Optional(Type.String({ description: 'The result as CSV, or as Parquet in base64.' })),
    rowCount: Type.Integer({ description: 'How many rows are given.' }),
    truncated: Type.Boolean({ description: 'Whether there were more.' }),
    completeUntil: Type.String({ format: 'date-time', description: 'Every event received before is in the answer.' }),
    ms: Type.Integer({ description: 'How long it took, in milliseconds.' }),
  }),
  verbs: ['create'],
  postedBy: 'editors',
});
