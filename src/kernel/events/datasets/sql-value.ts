import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  type DuckDBValue,
} from '@duckdb/node-api';

/** Digits that survive in a JSON number. */
const EXACT_DIGITS = 15;
const NANOS_OF_MICRO = 1_000n;

/**
 * Converts a value of DuckDB to JSON: whole numbers and decimals as numbers if exact, else as text; times with zone in
 * RFC 3339; other times and types as DuckDB writes them; `NaN` and infinities as text.
 */
export function sqlValue(value: DuckDBValue): unknown {
  switch (typeof value) {
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'string':
    case 'boolean':
      return value;
    default:
      return value === null ? null : composite(value);
  }
}

function composite(value: Exclude<DuckDBValue, bigint | number | string | boolean | null>): unknown {
  if (value instanceof DuckDBTimestampTZValue) return rfc3339(value);
  if (value instanceof DuckDBDecimalValue) {
    const text = String(value);
    return text.replace(/\D/g, '').length <= EXACT_DIGITS ? Number(text) : text;
  }
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(sqlValue);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, member]) => [name, sqlValue(member)]));
  }
  if (value instanceof DuckDBMapValue) return value.entries.map(({ key, value: of }) => [sqlValue(key), sqlValue(of)]);
  if (value instanceof DuckDBDateValue && !value.isFinite) return value.days > 0 ? 'infinity' : '-infinity';
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64');
  return String(value);
}

function rfc3339(value: DuckDBTimestampTZValue): string {
  try {
    return Temporal.Instant.fromEpochNanoseconds(value.micros * NANOS_OF_MICRO).toString();
  } catch {
    // Infinity, or a year outside the range of Temporal.
    return String(value);
  }
}
