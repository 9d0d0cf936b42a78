import { fieldsMeet, isSelectable, labelsMeet, parseFieldSelector, parseLabelSelector } from './codec/selectors.ts';
import type { SelectableObject, SelectedBy } from './authority.ts';
import { indexKey } from '#kernel/kinds/index-keys.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Change, Entry } from '#kernel/store/contract.ts';
import { readAs } from '#kernel/store/rules/read-as.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';

/** The objects that a list or watch selects. */
export interface Selection extends SelectedBy {
  readonly matches: (entry: Entry) => boolean;
  /** True when all objects are selected. */
  readonly everything: boolean;
  /** Everything selected stands in one of these indexes; undefined where each object has to be looked at. */
  readonly lookUps: readonly LookUp[] | undefined;
  /** How many requirements an object is held against. */
  readonly terms: number;
}

/** The objects under one value of an index of their kind. */
interface LookUp {
  readonly index: string;
  readonly value: string;
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
  const selected = { labels: labels?.requirements ?? [], fields: fields?.requirements ?? [] };
  const mayHave = mayHaveAll(kind, selected.fields);
  const known = name === undefined ? lookUpOf(kind, selected) : { index: NAME_INDEX, value: name };
  return {
    ...selected,
    everything: labels === undefined && fields === undefined && name === undefined,
    matches: (entry) =>
      (name === undefined || entry.name === name) &&
      (labels === undefined || labels.matches(entry.labels)) &&
      (fields === undefined || (mayHave(entry.name) && fields.matches(readAs(kind, entry)))),
    lookUps: known === undefined ? undefined : [known],
    terms: termsOf(selected),
  };
}

/** Whether an object can be selected, as far as its name tells. */
function mayHaveAll({ mayHave }: Kind, fields: SelectedBy['fields']): (name: string) => boolean {
  if (mayHave === undefined) return () => true;
  const wanted = fields.flatMap((one) => (one.operator === 'In' ? [{ key: one.key, values: [...one.values] }] : []));
  return (name) => wanted.every(({ key, values }) => values.some((value) => mayHave(key, value, name)));
}

const NAME_INDEX = 'name';

/** The index value under which everything stands that the fields can select. */
function lookUpOf({ fieldIndexes = {} }: Kind, { fields }: SelectedBy): LookUp | undefined {
  for (const requirement of fields) {
    if (requirement.operator !== 'In' || requirement.values.size !== 1) continue;
    const index = requirement.key === 'metadata.name' ? NAME_INDEX : fieldIndexes[requirement.key];
    const [value] = requirement.values;
    if (index !== undefined && value !== undefined) return { index, value };
  }
  return undefined;
}

function termsOf({ labels, fields }: SelectedBy): number {
  return labels.length + fields.length;
}

/** Whether an object is selected. A field that its kind does not have selects nothing, whatever its value. */
export function isSelectedBy({ labels, fields }: SelectedBy, object: SelectableObject): boolean {
  const known = object.kind.selectableFields ?? {};
  return (
    labelsMeet(labels, object.labels) &&
    fields.every(({ key }) => isSelectable(key, known)) &&
    fieldsMeet(fields, object, known)
  );
}

/** The same selection without what none of the others selects. */
export function narrow(kind: Kind, selection: Selection, within: readonly SelectedBy[]): Selection {
  const byKey = new Map<string, SelectedBy[]>();
  const ofAll: SelectedBy[] = [];
  const lookUps: LookUp[] = [];
  for (const selector of within) {
    const known = lookUpOf(kind, selector);
    if (known === undefined) {
      ofAll.push(selector);
      continue;
    }
    lookUps.push(known);
    const key = indexKey(known.index, known.value);
    byKey.set(key, [...(byKey.get(key) ?? []), selector]);
  }
  // Objects of others are passed over by their index keys: nothing of them is parsed.
  const isWithin = (entry: Entry): boolean =>
    [indexKey(NAME_INDEX, entry.name), ...entry.indexKeys].some((key) =>
      byKey.get(key)?.some((selector) => isSelectedBy(selector, readAs(kind, entry))),
    ) || ofAll.some((selector) => isSelectedBy(selector, readAs(kind, entry)));
  return {
    ...selection,
    everything: false,
    matches: (entry) => isWithin(entry) && selection.matches(entry),
    lookUps: selection.lookUps ?? (ofAll.length === 0 ? lookUps : undefined),
    terms: selection.terms + ofAll.reduce((sum, selector) => sum + termsOf(selector), 0),
  };
}

const SHOWN_SELECTORS_MAX = 3;

/** Selectors of which one is enough, in a sentence: as many as a person reads. */
export function alternativesIn(texts: Iterable<string>): string {
  const all = [...texts];
  const shown = all.slice(0, SHOWN_SELECTORS_MAX).join(', or ');
  return all.length > SHOWN_SELECTORS_MAX ? `${shown}, or ${all.length - SHOWN_SELECTORS_MAX} more` : shown;
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
 *
 * @param read shows an entry in the version of the reader
 */
export function eventFor(
  change: Change,
  matches: (entry: Entry) => boolean,
  read: (entry: Entry) => Entry = (entry) => entry,
): WatchEvent | undefined {
  const { type, entry, before, version } = change;
  const isSelected = matches(entry);
  if (before === undefined || !matches(before)) {
    return isSelected && type !== 'DELETED' ? { type: 'ADDED', entry } : undefined;
  }
  if (!isSelected) return { type: 'DELETED', entry: atVersion(read(before), version) };
  return { type: type === 'DELETED' ? 'DELETED' : 'MODIFIED', entry };
}

/** The same object, stamped with another version. */
function atVersion(entry: Entry, version: number): Entry {
  const copy = entry.object();
  copy.metadata.resourceVersion = String(version);
  return textEntry(entry.kind, copy, version);
}
