import { textArray, bigintArray } from '#kernel/postgres/arrays.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';

const ROWS_AT_ONCE = 2_000;

/** One object as it stands in the database. */
export interface Row {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly type: 'ADDED' | 'MODIFIED';
  readonly object: ResourceObject;
  /** False for a version that the next one took the place of. */
  readonly isCurrent: boolean;
}

/** Writes objects into the database of a server that does not run: the API would take minutes. */
export async function insertObjects(data: string, rows: Iterable<Row>): Promise<void> {
  const postgres = await startEmbeddedPostgres({ dataDirectory: data });
  const database = openDatabase(postgres.url);
  try {
    const [writer] = await database.query<{ version: number }>('select version from backline.writer');
    let version = writer?.version ?? 0;
    for (const chunk of chunksOf(rows, ROWS_AT_ONCE)) {
      await insertRows(database, chunk, version);
      version += chunk.length;
    }
    await database.patient.query('analyze backline.objects, backline.changes');
  } finally {
    await database.close();
    await postgres.close();
  }
}

async function insertRows(database: Database, rows: readonly Row[], after: number): Promise<void> {
  const versions = rows.map((_, index) => after + 1 + index);
  const bodies = rows.map(({ object }, index) =>
    JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: String(versions[index]) } }),
  );
  await database.patient.query({
    text: `
      with given as (
        select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
          as g (version, type, kind, namespace, name, body, current)
      ), changed as (
        insert into backline.changes (version, epoch, at, request_id, author, type, kind, namespace, name, body)
        select version, 1, now(), 'bench', 'bench', type, kind, namespace, name, body from given
      ), written as (
        update backline.writer set version = $8
      )
      insert into backline.objects (kind, namespace, name, version)
      select kind, namespace, name, version from given where current = 'yes'`,
    values: [
      bigintArray(versions),
      textArray(rows.map(({ type }) => type)),
      textArray(rows.map(({ kind }) => kind.id)),
      textArray(rows.map(({ namespace }) => namespace)),
      textArray(rows.map(({ name }) => name)),
      textArray(bodies),
      textArray(rows.map(({ isCurrent }) => (isCurrent ? 'yes' : 'no'))),
      after + rows.length,
    ],
  });
}

function* chunksOf(rows: Iterable<Row>, size: number): Iterable<readonly Row[]> {
  let chunk: Row[] = [];
  for (const row of rows) {
    chunk.push(row);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
