import type { DatasetSpec } from '../kinds/dataset.ts';
import type { EventTypeSpec } from '../kinds/event-type-spec.ts';
import { sqlNameOf } from '../kinds/sql-name.ts';
import type { DatasetSql, Tables } from './jobs.ts';
import { columnsOf, selectColumns, selectUnread, UNREAD } from './columns.ts';
import type { DatasetFile } from './manifest.ts';
import { identifier, listLiteral, literal } from './sql-text.ts';

/** The live EventTypes and Datasets that can be queried, by their names. */
export interface Catalogue {
  readonly eventTypes: ReadonlyMap<string, EventTypeSpec>;
  readonly datasets: ReadonlyMap<string, DatasetSpec>;
}

/** Schema of system tables and event types. First in the search path, so that no Dataset hides one of them. */
const EVENTS_SCHEMA = 'events';
const SEARCH_PATH = `${EVENTS_SCHEMA},main`;

export interface Names {
  readonly eventTypes: ReadonlySet<string>;
  /** In the order of their dependencies. */
  readonly datasets: ReadonlySet<string>;
}

/** The event types and datasets of these names (in lower case), with the inputs of those datasets. */
export function namesOf(reads: readonly string[], catalogue: Catalogue): Names {
  const read = new Set(reads);
  const isRead = (name: string) => spellingsOf(name).some((spelling) => read.has(spelling.toLowerCase()));
  const types = [...catalogue.eventTypes.keys()].filter(isRead);
  return withInputs([...catalogue.datasets.keys()].filter(isRead), catalogue, types);
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

/**
 * The views for a query. With `lists`, also views of all other tables, which can be listed but not read. The SQL of a Dataset
 * is bound only for its readers: others see only its name.
 */
export function viewsOf(
  read: Names,
  lists: boolean,
  catalogue: Catalogue,
  files: readonly DatasetFile[],
): Pick<Tables, 'setup' | 'datasets'> {
  const byType = Map.groupBy(files, ({ type }) => type);
  const setup = [`create schema ${EVENTS_SCHEMA}`, `set search_path = ${literal(SEARCH_PATH)}`];
  for (const [name, spec] of catalogue.eventTypes) {
    const isRead = read.eventTypes.has(name);
    if (!isRead && !lists) continue;
    const select = isRead ? eventTypeSelect(spec, byType.get(name) ?? []) : selectUnreadable(name, spec);
    for (const spelling of spellingsOf(name)) {
      setup.push(`create view if not exists ${EVENTS_SCHEMA}.${identifier(spelling)} as ${select}`);
    }
  }
  for (const name of lists ? catalogue.datasets.keys() : []) {
    if (read.datasets.has(name)) continue;
    const only = `where error(${literal(mentionIt(name))}) is null`;
    for (const spelling of spellingsOf(name)) {
      setup.push(`create view if not exists main.${identifier(spelling)} as select null as "?" ${only}`);
    }
  }
  const datasets = [...read.datasets].flatMap((name) => {
    const spec = catalogue.datasets.get(name);
    return spec === undefined ? [] : [datasetSql(name, spec)];
  });
  return { setup, datasets };
}

/** A name as declared, and as its unquoted SQL name. */
function spellingsOf(name: string): readonly string[] {
  return [...new Set([name, sqlNameOf(name)])];
}

function eventTypeSelect(spec: EventTypeSpec, files: readonly DatasetFile[]): string {
  const columns = selectColumns(spec);
  const branches = [selectTyped(spec, 'where false')];
  // Files from before a field was declared lack it; the empty branch then provides its column.
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

function selectTyped(spec: EventTypeSpec, where: string): string {
  const columns = columnsOf(spec).map(({ name, type }) => `null::${type} as ${identifier(name)}`);
  return `select ${columns.join(', ')} ${where}`;
}

function selectUnreadable(name: string, spec: EventTypeSpec): string {
  return `select ${selectColumns(spec)} from (${selectTyped(spec, '')}) where error(${literal(mentionIt(name))}) is null`;
}

function mentionIt(name: string): string {
  return `the query must mention ${name} by its name`;
}

/** The SQL of a dataset: its own, or generated SQL over all of its event types. */
export function datasetSql(name: string, { eventTypes = [], datasets = [], sql }: DatasetSpec): DatasetSql {
  const spellings = spellingsOf(name);
  if (sql !== undefined) {
    const inputs = [...eventTypes, ...datasets].flatMap(spellingsOf).map((spelling) => spelling.toLowerCase());
    return { name, spellings, sql, inputs };
  }
  const branches = eventTypes.map(
    (type) => `select ${literal(type)} as event_type, * from ${EVENTS_SCHEMA}.${identifier(type)}`,
  );
  return { name, spellings, sql: branches.join(' union all by name ') };
}
