import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import type { Entry } from '../contract.ts';
import { textEntry } from './text-entry.ts';

/** Entries as a version of their kind shows them. */
const SHOWN = new WeakMap<Kind, WeakMap<Entry, Entry>>();

/**
 * An entry as a version of its kind shows it: in that version, without fields that its schema does not have, with its defaults.
 * Definitions change while objects are stored, so that the stored text may be of another version, or of an earlier schema.
 * Refuses `resources/not-converted` where a server of others has to convert the object first.
 */
export function readAs(kind: Kind, entry: Entry): Entry {
  if (kind.definition === undefined || entry.kind.id !== kind.id) return entry;
  const known = SHOWN.get(kind)?.get(entry);
  if (known !== undefined) return known;
  const object = entry.object();
  if (object.apiVersion === kind.apiVersion) return note(kind, entry, object);
  if (kind.definition.isConverted) {
    const message = `${kind.kind} "${entry.name}" is stored as ${object.apiVersion}, and was not converted to ${kind.apiVersion}`;
    throw resourceRefusal('not-converted', message, { retryAfterSeconds: 1 });
  }
  return note(kind, entry, { ...object, apiVersion: kind.apiVersion });
}

function note(kind: Kind, entry: Entry, object: ResourceObject): Entry {
  const { prune, applyDefaults } = structureOf(kind);
  const filled = applyDefaults(prune(object).value) as ResourceObject;
  const isAsStored = filled === object && entry.kind === kind;
  const shown = isAsStored ? entry : textEntry(kind, filled, entry.version);
  let ofKind = SHOWN.get(kind);
  if (ofKind === undefined) SHOWN.set(kind, (ofKind = new WeakMap()));
  ofKind.set(entry, shown);
  return shown;
}
