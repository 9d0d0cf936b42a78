import type { DuckDBConnection } from '@duckdb/node-api';
import { isRecord } from '#kernel/base/is-record.ts';
import { QueryFault } from './fault.ts';
import type { Reads } from './jobs.ts';

/** Table functions that read only their arguments. All others read files or change the engine. */
const HARMLESS: ReadonlySet<string> = new Set([
  'generate_series',
  'histogram',
  'histogram_values',
  'icu_calendar_names',
  'json_each',
  'json_tree',
  'pg_timezone_names',
  'pragma_version',
  'query_table',
  'range',
  'repeat',
  'repeat_row',
  'summary',
  'unnest',
]);

/** Macros whose first argument is a table. */
const OVER_A_TABLE: ReadonlySet<string> = new Set(['histogram', 'histogram_values']);

/** Table functions that list tables and columns. */
const LISTING: ReadonlySet<string> = new Set([
  'duckdb_columns',
  'duckdb_functions',
  'duckdb_keywords',
  'duckdb_schemas',
  'duckdb_tables',
  'duckdb_types',
  'duckdb_views',
  'pragma_show',
  'pragma_table_info',
]);

/** Settings that may be read: limits of a query. Others reveal folders of this machine. */
const READABLE_SETTINGS: ReadonlySet<unknown> = new Set([
  'lock_configuration',
  'max_temp_directory_size',
  'memory_limit',
  'threads',
  'timezone',
]);

/** Tables of settings, in any schema. */
const SETTINGS_TABLE = /\bpg_settings\b/;

const LISTING_SCHEMAS: ReadonlySet<unknown> = new Set(['information_schema', 'pg_catalog']);
const LISTING_TABLE = /^(duckdb|pg|pragma|sqlite)_/;

/** Most values in a parse tree: a larger one takes seconds to walk. */
const VALUES_MAX = 2_000_000;

/**
 * Parses one SELECT (or what DuckDB rewrites into one: FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE) with DuckDB's own parser,
 * and finds the names in it. Runs nothing of it.
 */
export async function parseSelect(connection: DuckDBConnection, sql: string): Promise<Reads> {
  const tree = await parseTree(connection, sql);
  const statements = Array.isArray(tree['statements']) ? tree['statements'] : [];
  if (statements.length === 0) throw new QueryFault('Statement', 'there is no statement');
  if (statements.length > 1) throw new QueryFault('Statement', `there are ${statements.length} statements`);
  return readsOf(tree);
}

async function parseTree(connection: DuckDBConnection, sql: string): Promise<Record<string, unknown>> {
  if (sql.includes('\0')) throw new QueryFault('Statement', 'it holds a NUL character');
  const serialize = await connection.prepare('select json_serialize_sql($1::varchar)');
  serialize.bindVarchar(1, sql);
  const [[text] = []] = (await serialize.runAndReadAll()).getRows();
  const tree: unknown = JSON.parse(String(text));
  if (!isRecord(tree)) throw new TypeError('DuckDB gave no parse tree');
  if (tree['error'] !== true) return tree;
  const { error_type: type, error_message: message, position } = tree;
  if (type !== 'parser') {
    const hint = /\bpivot\b/i.test(sql) ? '; a PIVOT must list its values: PIVOT … ON column IN (…)' : '';
    throw new QueryFault('Statement', `this is another kind of statement${hint}`);
  }
  throw new QueryFault('Parser', String(message), position === undefined ? undefined : Number(position));
}

/** A part of a tree, and the names that WITH defines where it stands. */
interface Part {
  readonly value: unknown;
  readonly defined: ReadonlySet<string>;
}

function readsOf(tree: Record<string, unknown>): Reads {
  const named = new Set<string>();
  const note = (name: string): void => {
    if (SETTINGS_TABLE.test(name)) throw new QueryFault('Permission', `${name} is not available`);
    named.add(name);
  };
  let lists = false;
  const waiting: Part[] = [{ value: tree, defined: new Set() }];
  for (let seen = 0; ; seen += 1) {
    const part = waiting.pop();
    if (part === undefined) return { names: [...named], lists };
    if (seen === VALUES_MAX) throw new QueryFault('Statement', 'it is too large');
    const { value, defined } = part;
    if (Array.isArray(value)) {
      for (const item of value) waiting.push({ value: item, defined });
    } else if (isRecord(value)) {
      if (value['type'] === 'VALUE_PARAMETER') {
        throw new QueryFault('Statement', 'it has parameters, and nothing gives their values');
      }
      if (value['type'] === 'BASE_TABLE') {
        const name = String(value['table_name']).toLowerCase();
        if (!defined.has(name) || value['schema_name'] !== '') note(name);
        lists ||= LISTING_SCHEMAS.has(value['schema_name']) || LISTING_TABLE.test(name);
      }
      if (value['type'] === 'SHOW_REF') lists ||= value['query'] === null;
      if (value['type'] === 'TABLE_FUNCTION' && isRecord(value['function'])) {
        const called = callOf(value['function']);
        for (const name of called.names) note(name);
        lists ||= called.lists;
      }
      if (String(value['function_name']).toLowerCase() === 'current_setting') requireReadable(value['children']);
      const within = new Set(defined);
      for (const { name, query } of definitionsIn(value['cte_map'])) {
        // A definition sees those before it, and itself if it is recursive.
        waiting.push({ value: query, defined: isRecursive(query) ? new Set([...within, name]) : new Set(within) });
        within.add(name);
      }
      for (const key in value) if (key !== 'cte_map') waiting.push({ value: value[key], defined: within });
    }
  }
}

function definitionsIn(cteMap: unknown): readonly { readonly name: string; readonly query: unknown }[] {
  if (!isRecord(cteMap) || !Array.isArray(cteMap['map'])) return [];
  return cteMap['map'].filter(isRecord).map(({ key, value }) => ({ name: String(key).toLowerCase(), query: value }));
}

function isRecursive(definition: unknown): boolean {
  const query = isRecord(definition) ? definition['query'] : undefined;
  const node = isRecord(query) ? query['node'] : undefined;
  return isRecord(node) && node['type'] === 'RECURSIVE_CTE_NODE';
}

function callOf(call: Record<string, unknown>): Pick<Reads, 'names' | 'lists'> {
  const name = String(call['function_name']).toLowerCase();
  if (LISTING.has(name)) return { names: [], lists: true };
  if (!HARMLESS.has(name)) throw new QueryFault('Permission', `the table function ${name} is not available`);
  const { children } = call;
  if (OVER_A_TABLE.has(name)) return { names: columnsIn(children), lists: false };
  return { names: name === 'query_table' ? textsIn(children) : [], lists: false };
}

function requireReadable(children: unknown): void {
  const [argument]: readonly unknown[] = Array.isArray(children) ? children : [];
  const constant = isRecord(argument) && isRecord(argument['value']) ? argument['value']['value'] : undefined;
  if (typeof constant === 'string' && READABLE_SETTINGS.has(constant.toLowerCase())) return;
  throw new QueryFault('Permission', 'current_setting gives few settings, whose names are written out');
}

/** Column references among arguments, of which one names a table. */
function columnsIn(values: unknown): readonly string[] {
  if (!Array.isArray(values)) return [];
  return values.filter(isRecord).flatMap(({ column_names: names }) => {
    const last: unknown = Array.isArray(names) ? names.at(-1) : undefined;
    return typeof last === 'string' ? [last.toLowerCase()] : [];
  });
}

/** The names that `query_table` gets. They must be literals: a computed name is known too late. */
function textsIn(values: unknown): readonly string[] {
  if (!Array.isArray(values)) return [];
  return values.filter(isRecord).flatMap((value): readonly string[] => {
    if (value['type'] === 'VALUE_CONSTANT' && isRecord(value['value'])) {
      const constant = value['value']['value'];
      return typeof constant === 'string' ? [constant.toLowerCase()] : [];
    }
    if (value['function_name'] === 'list_value') return textsIn(value['children']);
    throw new QueryFault('Permission', 'query_table takes names that are written out');
  });
}
