import type { Queryable } from '../database.ts';

/** A table with rows of its own, as a backup has it. */
export interface BackedUpTable {
  readonly name: string;
  /** Those that can be written. */
  readonly columns: readonly string[];
  readonly rows: number;
  /** Of the packed rows. */
  readonly bytes: number;
  readonly sha256: string;
}

/** A part of a table by days, which is made while the program runs. */
export interface BackedUpPart {
  readonly name: string;
  readonly of: string;
  /** As PostgreSQL writes it: `FOR VALUES FROM (…) TO (…)`. */
  readonly bound: string;
}

/** One database in a backup. */
export interface DatabaseBackup {
  /** The numbers of the migrations that were applied. */
  readonly schema: readonly number[];
  readonly tables: readonly BackedUpTable[];
  readonly parts: readonly BackedUpPart[];
  readonly sequences: readonly { readonly name: string; readonly value: string }[];
}

export function fileOf(table: string): string {
  return `${table}.copy.gz`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The tables with their columns; those that others refer to come first. */
export async function readTables({
  query,
}: Queryable): Promise<readonly { readonly name: string; readonly columns: readonly string[] }[]> {
  const rows = await query<{ name: string; columns: string[] }>(`
    select c.relname::text as name, array_agg(a.attname::text order by a.attnum) as columns
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where c.relnamespace = 'backline'::regnamespace and c.relkind = 'r'
    group by c.oid, c.relname
    order by exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f'), c.relname`);
  return rows;
}

export async function readParts({ query }: Queryable): Promise<readonly BackedUpPart[]> {
  return query<BackedUpPart>(`
    select c.relname::text as name, p.relname::text as of, pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_class c
    join pg_inherits i on i.inhrelid = c.oid
    join pg_class p on p.oid = i.inhparent
    where c.relnamespace = 'backline'::regnamespace and c.relispartition and c.relkind = 'r'
    order by c.relname`);
}

/** Sequences that have given a number. */
export async function readSequences({ query }: Queryable): Promise<DatabaseBackup['sequences']> {
  return query<{ name: string; value: string }>(`
    select sequencename::text as name, last_value::text as value
    from pg_sequences where schemaname = 'backline' and last_value is not null order by sequencename`);
}
