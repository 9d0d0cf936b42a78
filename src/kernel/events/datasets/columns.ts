import { type EventField, FIELD_LIMITS, type ItemField } from '../kinds/event-field.ts';
import type { EventTypeSpec } from '../kinds/event-type-spec.ts';
import { identifier, listLiteral, literal } from './sql-text.ts';

/** The columns of every file, in this order. */
const COMMON_COLUMNS = [
  ['event_id', 'VARCHAR'],
  ['pseudonym', 'UUID'],
  ['client', 'VARCHAR'],
  ['event_at', 'TIMESTAMPTZ'],
  ['sent_at', 'TIMESTAMPTZ'],
  ['received_at', 'TIMESTAMPTZ'],
  ['corrected_at', 'TIMESTAMPTZ'],
  ['revision', 'VARCHAR'],
] as const;

/**
 * The column with the unparsed properties of rows whose revision is unknown to the process that wrote the file. No declared
 * field begins with an underscore.
 */
export const UNREAD = '_payload';

interface Column {
  readonly name: string;
  readonly type: string;
}

/** The columns of an event type in SQL: those of every event, its day, then its fields. */
export function columnsOf(spec: EventTypeSpec): readonly Column[] {
  return [
    ...COMMON_COLUMNS.map(([name, type]) => ({ name, type })),
    { name: 'day', type: 'DATE' },
    ...Object.entries(spec.schema.properties).map(([name, field]) => ({ name, type: typeOf(field) })),
    ...(spec.schema.additional ? [{ name: 'payload', type: 'JSON' }] : []),
  ];
}

/** A select list that reads the columns from files. */
export function selectColumns(spec: EventTypeSpec): string {
  return columnsOf(spec)
    .map(({ name }) => identifier(name))
    .join(', ');
}

/** A select list that reads the fields from the JSON in `UNREAD`. */
export function selectUnread(spec: EventTypeSpec): string {
  return [
    ...COMMON_COLUMNS.map(([name]) => name),
    'day',
    ...fieldValues(spec, identifier(UNREAD)),
    ...(spec.schema.additional ? [`${identifier(UNREAD)}::JSON as payload`] : []),
  ].join(', ');
}

/** An SQL condition: the revision of a staged row is not among these. */
export function isUnread(revisions: readonly string[]): string {
  return revisions.length === 0 ? 'true' : `not list_contains(${listLiteral(revisions)}, revision)`;
}

/**
 * The select list that turns staged rows of the log (see `worker.ts`) into rows of a file. Without a spec, or for other
 * revisions than these, the properties stay unparsed.
 */
export function selectStaged(spec: EventTypeSpec | undefined, revisions: readonly string[]): string {
  const unread = isUnread(spec === undefined ? [] : revisions);
  const read = `case when not (${unread}) then payload end`;
  const utc = (column: string) => `${column}::TIMESTAMPTZ as ${column}`;
  return [
    'id as event_id',
    'pseudonym',
    'client',
    utc('event_at'),
    utc('sent_at'),
    utc('received_at'),
    utc('corrected_at'),
    'revision',
    ...(spec === undefined ? [] : fieldValues(spec, read)),
    ...(spec?.schema.additional === true ? ['payload::JSON as payload'] : []),
    `case when ${unread} then payload end as ${identifier(UNREAD)}`,
  ].join(', ');
}

/** The declared fields of the JSON that an expression gives. The JSON is parsed once for all of them. */
function fieldValues(spec: EventTypeSpec, json: string): readonly string[] {
  const fields = Object.entries(spec.schema.properties);
  if (fields.length === 0) return [];
  const structure = Object.fromEntries(fields.map(([name, field]) => [name, jsonTypeOf(field)]));
  const parsed = `json_transform(${json}, ${literal(JSON.stringify(structure))})`;
  return fields.map(([name, field]) => {
    const value = `struct_extract(${parsed}, ${literal(name)})`;
    return `${valueOf(field, value)} as ${identifier(name)}`;
  });
}

const TYPES: Readonly<Record<Exclude<ItemField['type'], 'decimal'>, string>> = {
  string: 'VARCHAR',
  integer: 'BIGINT',
  number: 'DOUBLE',
  boolean: 'BOOLEAN',
  timestamp: 'TIMESTAMPTZ',
};

/** The SQL type of a field's column. Sealed fields are text. */
function typeOf({ type, scale, items, sensitive }: EventField): string {
  if (sensitive === true) return 'VARCHAR';
  if (type === 'object') return 'JSON';
  if (type === 'array') return `${scalarType(items ?? { type: 'string' })}[]`;
  return scalarType({ type, ...(scale === undefined ? {} : { scale }) });
}

function scalarType({ type, scale = 0 }: Pick<ItemField, 'type' | 'scale'>): string {
  if (type !== 'decimal') return TYPES[type];
  return `DECIMAL(${FIELD_LIMITS.decimalWholeDigitsMax + scale},${scale})`;
}

/** The SQL type of each field, by its lower-case name, as SQL compares names. */
export function shapesOf({ schema }: EventTypeSpec): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(schema.properties).map(([name, field]) => [
      name.toLowerCase(),
      field.sensitive === true ? 'sealed text' : typeOf(field),
    ]),
  );
}

/**
 * The type that a field is parsed as from JSON: that of the column, but text for times, because RFC 3339 also allows small
 * letters, and for decimals, because they may be text.
 */
function jsonTypeOf(field: EventField): string | readonly string[] {
  const scalar = (type: string) => (type === 'TIMESTAMPTZ' || type.startsWith('DECIMAL') ? 'VARCHAR' : type);
  const type = typeOf(field);
  return type.endsWith('[]') ? [scalar(type.slice(0, -2))] : scalar(type);
}

function valueOf(field: EventField, value: string): string {
  // DuckDB has no leap seconds: second 60 becomes second 59.
  const instant = (text: string) =>
    `coalesce(try_cast(upper(${text}) as TIMESTAMPTZ), try_cast(replace(upper(${text}), ':60', ':59') as TIMESTAMPTZ))`;
  const type = typeOf(field);
  const scalar = type.replace(/\[\]$/, '');
  const read =
    scalar === 'TIMESTAMPTZ'
      ? instant
      : scalar.startsWith('DECIMAL')
        ? (text: string) => `try_cast(${text} as ${scalar})`
        : undefined;
  if (read === undefined) return value;
  return scalar === type ? read(value) : `list_transform(${value}, lambda item: ${read('item')})`;
}
