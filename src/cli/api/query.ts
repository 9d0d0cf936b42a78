import type { Connection } from '#kernel/api/client/http.ts';
import { call } from './call.ts';

/** The answer of a Query, see its kind. */
export interface QueryStatus {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows?: readonly (readonly unknown[])[];
  readonly data?: string;
  readonly rowCount: number;
  readonly truncated: boolean;
  readonly completeUntil: string;
}

interface QuerySpec {
  readonly sql: string;
  readonly format: 'rows' | 'csv' | 'parquet';
  readonly limit?: number | undefined;
}

const PATH = '/apis/events.backline.dev/v1/queries';

/** Asks about events in SQL. */
export async function query(connection: Connection, spec: QuerySpec): Promise<QueryStatus> {
  const body = { apiVersion: 'events.backline.dev/v1', kind: 'Query', metadata: {}, spec };
  const { status } = (await call(connection, 'POST', PATH, { body })) as { readonly status: QueryStatus };
  return status;
}
