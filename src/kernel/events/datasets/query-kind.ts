import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from '../kinds/identity.ts';

export const QUERY_LIMITS = {
  sqlCharsMax: 100_000,
  /** Rows of an answer without `limit`. */
  rowsDefault: 10_000,
  /** Most rows of an answer, and of a Parquet file. */
  rowsMax: 100_000,
  fileRowsMax: 5_000_000,
  /** Bytes of an answer's rows, CSV or Parquet: memory holds a few copies of it. */
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
    format: Type.Enum(['rows', 'csv', 'parquet'], { default: 'rows', description: 'The form of the result.' }),
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
      description: 'The timeout of the query.',
    }),
  },
  { description: 'The query.' },
);

export type QuerySpec = Static<typeof QuerySpec>;

/** The answer to a question about events. */
export const QueryStatus = Type.Object({
  columns: Type.Array(
    Type.Object({
      name: Type.String({ description: 'As in the SQL.' }),
      type: Type.String({ description: 'In SQL.' }),
    }),
    { description: 'Name and type of each value of a row.' },
  ),
  rows: Type.Optional(
    Type.Array(Type.Array(Type.Unknown(free)), {
      description: 'The rows; whole numbers beyond 2^53 and long decimals as text, times in RFC 3339.',
    }),
  ),
  data: Type.Optional(Type.String({ description: 'The result as CSV, or as Parquet in base64.' })),
  rowCount: Type.Integer({ description: 'Number of rows in the answer.' }),
  truncated: Type.Boolean({ description: 'Whether more rows were cut off.' }),
  completeUntil: Type.String({ format: 'date-time', description: 'Every event received before is in the answer.' }),
  ms: Type.Integer({ description: 'Duration of the query in milliseconds.' }),
});

/** A question in SQL about events. Posting one answers it; with `dryRun=All` it is only checked. Not stored. */
export const Query = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Query',
  plural: 'queries',
  scope: 'Cluster',
  description: 'A question in SQL about the events in the datasets.',
  spec: QuerySpec,
  /** The largest SQL, escaped. */
  bodyBytesMax: 4 * QUERY_LIMITS.sqlCharsMax + 64 * 1024,
  status: QueryStatus,
  verbs: ['create'],
  postedBy: 'editors',
});
