import { isDeepStrictEqual } from 'node:util';
import { isRecord } from './is-record.ts';

/** One field that differs: `before` is absent when it is new, `after` when it is gone. */
export interface FieldChange {
  /** `spec.timeline[from=2026-12-01].amount`: list items are named by what identifies them, else by position. */
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Members by which people tell the items of a list apart, best first. */
const IDENTIFYING = ['name', 'feature', 'code', 'from', 'key', 'id', 'type'] as const;

/** The differences between two JSON values, field by field. Leaves of added and removed objects are listed one by one. */
export function fieldChanges(before: unknown, after: unknown, path = ''): FieldChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isRecord(before ?? {}) && isRecord(after ?? {}) && (isRecord(before) || isRecord(after))) {
    const [a, b] = [asRecord(before), asRecord(after)];
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    if (names.length > 0)
      return names.flatMap((name) => fieldChanges(a[name], b[name], path === '' ? name : `${path}.${name}`));
  }
  const items = matchItems(before, after);
  if (items !== undefined) return items.flatMap(([label, a, b]) => fieldChanges(a, b, `${path}[${label}]`));
  return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
}

/** Pairs the items of two lists of objects by an identifying member that is unique in both, else by position. */
function matchItems(before: unknown, after: unknown): [label: string, before: unknown, after: unknown][] | undefined {
  const [a, b] = [before ?? [], after ?? []];
  if (!Array.isArray(a) || !Array.isArray(b) || a.length + b.length === 0 || ![...a, ...b].every(isRecord))
    return undefined;
  const member = IDENTIFYING.find((name) => [a, b].every((list) => uniqueBy(list, name)));
  if (member === undefined) {
    return Array.from({ length: Math.max(a.length, b.length) }, (_, index) => [String(index), a[index], b[index]]);
  }
  const values = [...new Set([...a, ...b].map((item) => item[member]))];
  const pick = (list: Record<string, unknown>[], value: unknown) => list.find((item) => item[member] === value);
  return values.map((value) => [`${member}=${String(value)}`, pick(a, value), pick(b, value)]);
}

function uniqueBy(list: readonly Record<string, unknown>[], member: string): boolean {
  const values = list.map((item) => item[member]);
  return values.every((value) => typeof value === 'string') && new Set(values).size === values.length;
}

function asRecord(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}
