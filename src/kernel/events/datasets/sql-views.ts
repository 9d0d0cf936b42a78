import type { DatasetSpec } from '../kinds/dataset.ts';
import type { EventTypeSpec } from '../kinds/event-type-spec.ts';
import { columnsOf, selectColumns, selectUnread, UNREAD } from './columns.ts';
import type { DatasetFile } from './manifest.ts';
import { identifier, listLiteral, literal } from './sql-text.ts';

/** What can be queried: the live EventTypes and Datasets, by their names. */
export interface Catalogue {
  readonly eventTypes: ReadonlyMap<string, EventTypeSpec>;
  readonly datasets: ReadonlyMap<string, DatasetSpec>;
}

/** A statement that prepares a query, and what it is for, should it fail. */
export interface Setup {
  readonly sql: string;
  /** Whose definition it is; absent: ours. */
  readonly dataset?: string;
  /** Failing, it is passed over: the query does not read it. */
  readonly optional?: true;
}

/** Schema of the event types' views: a Dataset of the same name hides one, and `events."NAME"` still reaches it. */
const EVENTS_SCHEMA = 'events';
const SEARCH_PATH = `main,${EVENTS_SCHEMA}`;

interface Names {
  readonly eventTypes: ReadonlySet<string>;
  /** Each after those that it reads. */
  readonly datasets: ReadonlySet<string>;
}

/** What a query reads: the event types and datasets that its text mentions, and what those datasets are made of. */
export function mentioned(sql: string, catalogue: Catalogue): Names {
  const text = sql.toLowerCase();
  const isMentioned = (name: string) => spellingsOf(name).some((spelling) => text.includes(spelling));
  const types = [...catalogue.eventTypes.keys()].filter(isMentioned);
  return withInputs([...catalogue.datasets.keys()].filter(isMentioned), catalogue, types);
}

function withInputs(names: readonly string[], { eventTypes, datasets }: Catalogue, types: readonly string[]): Names {
  const found = { eventTypes: new Set(types), datasets: new Set<string>() };
  const add = (name: string): void => {
    const spec = datasets.get(name);
    if (spec === undefined || found.datasets.has(name)) return;
    for (const input of spec.datasets ?? []) add(input);
    for (const type of spec.eventTypes ?? []) if (eventTypes.has(type)) found.eventTypes.add(type);
    found.datasets.add(name);
  };
  for (const name of names) add(name);
  return found;
}

/** Whether a query asks what there is, so that views are needed that it does not mention. */
function asksForCatalogue(sql: string): boolean {
  return /\b(show|information_schema|duckdb_\w+|pg_\w+|query_table|query)\b/i.test(sql);
}

/**
 * The views of a query. What its text does not mention can be listed and described, and reading it in a roundabout way
 * (`query_table('pl' || 'ay')`) is an error instead of an empty table.
 */
export function viewSetup(sql: string, catalogue: Catalogue, files: readonly DatasetFile[]): readonly Setup[] {
  const read = mentioned(sql, catalogue);
  const listed = asksForCatalogue(sql);
  const byType = Map.groupBy(files, ({ type }) => type);
  const setup: Setup[] = [
    { sql: `create schema ${EVENTS_SCHEMA}` },
    { sql: `set search_path = ${literal(SEARCH_PATH)}` },
  ];
  for (const [name, spec] of catalogue.eventTypes) {
    if (read.eventTypes.has(name))
      setup.push(...asViews(name, eventTypeSelect(spec, byType.get(name) ?? []), EVENTS_SCHEMA));
    else if (listed) setup.push(...asViews(name, unreadable(name, spec), EVENTS_SCHEMA));
  }
  const made = listed ? withInputs([...catalogue.datasets.keys()], catalogue, []).datasets : read.datasets;
  for (const name of made) {
    const spec = catalogue.datasets.get(name);
    if (spec === undefined) continue;
    const optional = read.datasets.has(name) ? {} : ({ optional: true } as const);
    for (const view of asViews(name, datasetSelect(spec), 'main')) setup.push({ ...view, dataset: name, ...optional });
  }
  return setup;
}

/** A name as it is, and as SQL takes it without quotes. */
function spellingsOf(name: string): readonly string[] {
  return [...new Set([name, name.replaceAll(/[-.]/g, '_')])];
}

function asViews(name: string, select: string, schema: string): readonly Setup[] {
  return spellingsOf(name).map((spelling) => ({ sql: `create view ${schema}.${identifier(spelling)} as ${select}` }));
}

function eventTypeSelect(spec: EventTypeSpec, files: readonly DatasetFile[]): string {
  const columns = selectColumns(spec);
  const branches = [typed(spec, 'where false')];
  // Files of before a field was declared do not have it, and then the empty branch gives its column.
  const paths = (some: readonly DatasetFile[]) =>
    `read_parquet(${listLiteral(some.map(({ path }) => path))}, union_by_name = true, hive_partitioning = true, hive_types = {'day': DATE})`;
  const whole = files.filter(({ unread }) => unread === 0);
  const mixed = files.filter(({ unread }) => unread > 0);
  if (whole.length > 0) branches.push(`select * from ${paths(whole)}`);
  if (mixed.length > 0) {
    const unread = identifier(UNREAD);
    branches.push(`select * exclude (${unread}) from ${paths(mixed)} where ${unread} is null`);
    branches.push(`select ${selectUnread(spec)} from ${paths(mixed)} where ${unread} is not null`);
  }
  return `select ${columns} from (${branches.join(' union all by name ')})`;
}

function typed(spec: EventTypeSpec, where: string): string {
  const columns = columnsOf(spec).map(({ name, type }) => `null::${type} as ${identifier(name)}`);
  return `select ${columns.join(', ')} ${where}`;
}

function unreadable(name: string, spec: EventTypeSpec): string {
  const message = `the query must mention ${name} by its name`;
  return `select ${selectColumns(spec)} from (${typed(spec, '')}) where error(${literal(message)}) is null`;
}

/** A dataset's own SQL sees what it names as its inputs, also where its own name hides one. */
function datasetSelect({ eventTypes = [], datasets = [], sql }: DatasetSpec): string {
  if (sql === undefined) {
    return eventTypes
      .map((name) => `select ${literal(name)} as event_type, * from ${EVENTS_SCHEMA}.${identifier(name)}`)
      .join(' union all by name ');
  }
  const inputs = [
    ...eventTypes.flatMap((name) => spellingsOf(name).map((spelling) => [spelling, EVENTS_SCHEMA] as const)),
    ...datasets.flatMap((name) => spellingsOf(name).map((spelling) => [spelling, 'main'] as const)),
  ].map(([spelling, schema]) => `${identifier(spelling)} as not materialized (from ${schema}.${identifier(spelling)})`);
  // A line of its own, so that a comment at the end of the SQL ends before the bracket.
  return `with ${inputs.join(', ')} select * from (${sql.replace(/;\s*$/, '')}\n)`;
}
