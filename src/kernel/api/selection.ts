import type { Requirement } from './codec/requirements.ts';
import { parseFieldSelector, parseLabelSelector } from './codec/selectors.ts';
import type { SelectableObject } from './authority.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Change, Entry } from '#kernel/store/contract.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';

/** The objects that a list or watch selects. */
export interface Selection {
  readonly matches: (entry: Entry) => boolean;
  readonly labels: readonly Requirement[];
  readonly fields: readonly Requirement[];
  /** True when neither selector says anything. */
  readonly everything: boolean;
}

/** Selectors as they stand in a query; empty ones select everything. */
export interface SelectionQuery {
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

export function selectionOf(kind: Kind, query: SelectionQuery, name?: string): Selection {
  const labels = query.labelSelector === '' ? undefined : parseLabelSelector(query.labelSelector);
  const fields =
    query.fieldSelector === '' ? undefined : parseFieldSelector(query.fieldSelector, kind.selectableFields ?? {});
  return {
    labels: labels?.requirements ?? [],
    fields: fields?.requirements ?? [],
    everything: labels === undefined && fields === undefined && name === undefined,
    matches: (entry) =>
      (name === undefined || entry.name === name) &&
      (labels === undefined || labels.matches(entry.labels)) &&
      (fields === undefined || fields.matches(entry)),
  };
}

/** An object that is not stored, or not yet, as selectors see it. */
export function selectable(kind: Kind, object: ResourceObject): SelectableObject {
  const { namespace = '', name, labels = {} } = object.metadata;
  return { kind, namespace, name, labels, object: () => object };
}

/**
 * The fields that a field selector requires to have one certain value, so that a look-up or a rule can use it. Terms
 * with escapes are left out: the selector itself still decides.
 */
export function requiredValues(fieldSelector: string): ReadonlyMap<string, string> {
  const terms = fieldSelector.split(',').map((term) => /^([^\s\\=!]+)==?([^\s\\=!]+)$/.exec(term));
  const required = new Map<string, string>();
  for (const [, field = '', value = ''] of terms.filter((match) => match !== null)) {
    if (!required.has(field)) required.set(field, value);
  }
  return required;
}

type WatchEvent = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly entry: Entry };

/**
 * The change as a reader of a selection sees it. An object that leaves it is DELETED as it was before,
 * with the version of the change, also when that change removes it; one that enters is ADDED.
 */
export function eventFor(change: Change, matches: (entry: Entry) => boolean): WatchEvent | undefined {
  const { type, entry, before, version } = change;
  const isSelected = matches(entry);
  if (before === undefined || !matches(before)) {
    return isSelected && type !== 'DELETED' ? { type: 'ADDED', entry } : undefined;
  }
  if (!isSelected) return { type: 'DELETED', entry: atVersion(before, version) };
  return { type: type === 'DELETED' ? 'DELETED' : 'MODIFIED', entry };
}

/** The same object, stamped with another version. */
function atVersion(entry: Entry, version: number): Entry {
  const copy = entry.object();
  copy.metadata.resourceVersion = String(version);
  return textEntry(entry.kind, copy, version);
}
