import { isRecord } from '#kernel/base/is-record.ts';
import type { Fault } from './jobs.ts';

/** A fault of a query, found before DuckDB runs it. */
export class QueryFault extends Error {
  readonly kind: 'Statement' | 'Size' | 'Parser' | 'Permission';
  /** The place in its text. */
  readonly position: number | undefined;

  constructor(kind: QueryFault['kind'], message: string, position?: number) {
    super(message);
    this.kind = kind;
    this.position = position;
  }
}

/** A fault of the SQL of a Dataset. */
export class DatasetFault extends Error {
  readonly fault: Fault;

  constructor(dataset: string, error: unknown) {
    super(`Dataset "${dataset}" cannot be read`);
    this.fault = { ...faultOf(error), dataset };
  }
}

/** Converts an error of DuckDB (with `errors_as_json`) or of ours into the form that is sent to the parent. */
export function faultOf(error: unknown): Fault {
  if (error instanceof DatasetFault) return error.fault;
  if (error instanceof QueryFault) {
    const { kind, message, position } = error;
    return position === undefined ? { kind, message } : { kind, message, position };
  }
  const text = error instanceof Error ? error.message : String(error);
  const details = detailsIn(text);
  if (details === undefined) return { kind: 'Other', message: text };
  const { exception_type: kind, exception_message: message, position, error_subtype: subtype, type, name } = details;
  const missing = subtype === 'MISSING_ENTRY' ? { missing: { what: String(type), name: String(name) } } : {};
  const at = position === undefined ? {} : { position: Number(position) };
  return { kind: String(kind), message: String(message), ...at, ...missing };
}

function detailsIn(text: string): Record<string, unknown> | undefined {
  try {
    const details: unknown = JSON.parse(text.slice(text.indexOf('{')));
    return isRecord(details) && 'exception_message' in details ? details : undefined;
  } catch {
    return undefined;
  }
}
