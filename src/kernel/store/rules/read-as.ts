import { contentHash } from '#kernel/base/ids.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { hasForms } from '#kernel/kinds/registry.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import type { Entry } from '../contract.ts';
import { BlockedWrite } from './blocked-write.ts';
import { textEntry } from './text-entry.ts';

/** An object that a server of others has to turn into another version. */
export interface PendingConversion {
  /** The kind in that version. */
  readonly kind: Kind;
  readonly object: ResourceObject;
  /** Keeps the result, so that what needed it can be tried again. */
  readonly note: (converted: ResourceObject) => void;
}

/** Something needs an object in a version that it was not converted to yet. */
export class ConversionMissing extends BlockedWrite {
  readonly conversion: PendingConversion;

  constructor(conversion: PendingConversion) {
    const { kind, object } = conversion;
    super(
      'resources/not-converted',
      'RequestEntityTooLarge',
      `${kind.kind} "${object.metadata.name}" is of ${object.apiVersion}, and was not converted to ${kind.apiVersion}: the request needs too many conversions.`,
      { remedy: 'Send fewer objects at a time, or those of the version in which they are stored.' },
    );
    this.conversion = conversion;
  }
}

/** Entries as a version of their kind shows them. */
const SHOWN = new WeakMap<Kind, WeakMap<Entry, Entry>>();

/**
 * An entry as a version of its kind shows it: in that version, without fields that its schema does not have, with its defaults.
 * Definitions change while objects are stored, so that the stored text may be of another version, or of an earlier schema.
 * Throws ConversionMissing where a server of others has to convert the object first.
 */
export function readAs(kind: Kind, entry: Entry): Entry {
  if (!hasForms(kind) || entry.kind.id !== kind.id) return entry;
  if (kind.twins !== undefined && entry.kind === kind) return entry;
  const known = SHOWN.get(kind)?.get(entry);
  if (known !== undefined) return known;
  const object = entry.object();
  if (object.apiVersion === kind.apiVersion) return note(kind, entry, object, object);
  if (kind.definition?.webhook !== undefined) throw new ConversionMissing(conversionOf(kind, entry, object));
  return note(kind, entry, inForm(kind, object));
}

/** An object in another form of its kind, where no server of others has to convert it. */
function inForm(kind: Kind, object: ResourceObject): ResourceObject {
  return kind.twins?.convert(object, kind) ?? { ...object, apiVersion: kind.apiVersion };
}

/** The conversions that a version needs before it can show these entries. */
export function pendingConversions(kind: Kind, entries: Iterable<Entry>): readonly PendingConversion[] {
  if (kind.definition?.webhook === undefined) return [];
  const shown = SHOWN.get(kind);
  const pending: PendingConversion[] = [];
  for (const entry of entries) {
    if (shown?.has(entry) === true) continue;
    const object = entry.object();
    if (object.apiVersion !== kind.apiVersion) pending.push(conversionOf(kind, entry, object));
  }
  return pending;
}

function conversionOf(kind: Kind, entry: Entry, object: ResourceObject): PendingConversion {
  return { kind, object, note: (converted) => void note(kind, entry, converted) };
}

/** @param stored the object of the entry, where it is shown as it is stored */
function note(kind: Kind, entry: Entry, object: ResourceObject, stored?: ResourceObject): Entry {
  const { prune, applyDefaults } = structureOf(kind);
  const filled = applyDefaults(prune(object).value) as ResourceObject;
  const shown = filled === stored && entry.kind === kind ? entry : textEntry(kind, filled, entry.version);
  let ofKind = SHOWN.get(kind);
  if (ofKind === undefined) SHOWN.set(kind, (ofKind = new WeakMap()));
  ofKind.set(entry, shown);
  return shown;
}

/** Results of writes whose conversions are kept until they are decided again: all those of one write together. */
const RESULT_LIMITS = { objects: 1_000, characters: 16 * 1024 * 1024 } as const;
const RESULTS = new Map<string, { readonly object: ResourceObject; readonly characters: number }>();
let characters = 0;

function keepResult(key: string, object: ResourceObject): void {
  const size = JSON.stringify(object).length;
  dropResult(key);
  RESULTS.set(key, { object, characters: size });
  characters += size;
  for (const oldest of RESULTS.keys()) {
    if (RESULTS.size <= RESULT_LIMITS.objects && characters <= RESULT_LIMITS.characters) return;
    if (oldest !== key) dropResult(oldest);
  }
}

function dropResult(key: string): void {
  characters -= RESULTS.get(key)?.characters ?? 0;
  RESULTS.delete(key);
}

/**
 * The result of a write in another version of its kind: the one in which it is stored, or that a policy names. Throws
 * ConversionMissing where a server of others has to convert it first.
 *
 * @param requestId each request asks the webhook anew
 */
export function inVersion(version: Kind, object: ResourceObject, requestId: string): ResourceObject {
  if (object.apiVersion === version.apiVersion) return object;
  if (version.definition?.webhook === undefined) return inForm(version, object);
  const { apiVersion, kind, metadata, ...fields } = object;
  const { name, namespace, uid, labels, annotations } = metadata;
  // Times differ whenever the write is decided.
  const known = { name, namespace, uid, labels, annotations };
  const key = contentHash([
    requestId,
    version.apiVersion,
    version.definition.revision,
    apiVersion,
    kind,
    known,
    fields,
  ]);
  const converted = RESULTS.get(key)?.object;
  if (converted !== undefined) {
    const { labels: _labels, annotations: _annotations, ...others } = metadata;
    return { ...converted, metadata: { ...others, ...labelsOf(converted) } };
  }
  throw new ConversionMissing({
    kind: version,
    object,
    note: (result) => keepResult(key, result),
  });
}

/** The parts of the metadata that a conversion may change. */
function labelsOf({ metadata: { labels, annotations } }: ResourceObject): object {
  return { ...(labels && { labels }), ...(annotations && { annotations }) };
}
