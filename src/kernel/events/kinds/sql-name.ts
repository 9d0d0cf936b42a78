import type { Problem } from '#kernel/base/failures.ts';
import type { CheckContext } from '#kernel/kinds/kind.ts';
import { DATASET, EVENT_TYPE, RELEASE_EXPOSURE } from './identity.ts';

/** The index of EventTypes and Datasets by their SQL names. */
export const SQL_NAME = 'sqlName';

/** Tables of this program itself. */
const SYSTEM_TABLES: ReadonlySet<string> = new Set([
  'watermarks',
  'loss_audit',
  'accepted_events',
  'missing_batches',
  sqlNameOf(RELEASE_EXPOSURE),
]);

/** Prefixes of DuckDB's own tables. */
const BUILT_IN = /^(duckdb|pg|pragma|sqlite)_/;

/** The SQL name of an EventType or Dataset, which needs no quotes: without hyphens, dots and capitals. */
export function sqlNameOf(name: string): string {
  return name.replaceAll(/[-.]/g, '_').toLowerCase();
}

/** Refuses an EventType or Dataset whose SQL name belongs to another one or to the system. */
export function sqlNameProblems(kind: string, name: string, find: CheckContext['find']): readonly Problem[] {
  const sqlName = sqlNameOf(name);
  const path = ['metadata', 'name'];
  if (SYSTEM_TABLES.has(sqlName) || BUILT_IN.test(sqlName)) {
    const detail = `The table "${sqlName}" of SQL belongs to the system; choose another name.`;
    return [{ path, reason: 'FieldValueForbidden', detail }];
  }
  for (const other of [EVENT_TYPE, DATASET]) {
    const taken = find(other, SQL_NAME, sqlName).find(({ metadata }) => other !== kind || metadata.name !== name);
    if (taken === undefined) continue;
    const detail = `The ${taken.kind} "${taken.metadata.name}" is the table "${sqlName}" in SQL already; choose another name.`;
    const instead = `The table "${sqlName}" is there in SQL already; choose another name.`;
    const about = { kind: other, name: taken.metadata.name, instead };
    return [{ path, reason: 'FieldValueDuplicate', detail, about }];
  }
  return [];
}
