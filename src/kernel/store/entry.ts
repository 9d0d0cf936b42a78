import { internText } from '#kernel/base/intern.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import { indexKeysOf, SEPARATOR } from '#kernel/kinds/index-keys.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { labelSet } from '#kernel/kinds/label-set.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import type { Change, Entry } from './contract.ts';
import { endOfValue, isKey, rangeAt, readMembers, type Range } from './json-range.ts';
import { readOwners, textOfOwners, type OwnersRange } from './owners-text.ts';

/**
 * An entry as the store keeps it: the text of the object once, and beside it only what is looked for all the time. The text is
 * in parts, so that an object and its Head can share the spec, which both have in them, and many objects their owners.
 */
export class StoredEntry implements Entry {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly indexKeys: readonly string[];
  readonly #before: string;
  /** Who owns which fields: between `#before` and `#between`. */
  readonly #owners: readonly string[] | undefined;
  readonly #ownerTimes: string;
  readonly #between: string;
  #spec: string;
  readonly #after: string;

  /** @param object what the text says, where that is known already */
  constructor(
    { kind, namespace, name, version }: Pick<Entry, 'kind' | 'namespace' | 'name' | 'version'>,
    text: string | Buffer,
    object?: ResourceObject,
  ) {
    // A part of a string would keep the whole: parts are read from bytes.
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    const { labels, owners, spec } = partsOf(bytes, kind);
    this.kind = kind;
    this.namespace = internText(namespace);
    this.name = name;
    this.version = version;
    this.labels = labels === undefined ? NO_LABELS : labelSet(bytes.toString('utf8', labels.start, labels.end));
    const whole = spec === undefined && owners === undefined;
    this.#before = whole ? text.toString() : bytes.toString('utf8', 0, owners?.start ?? spec?.start);
    this.#owners = owners?.around;
    this.#ownerTimes = owners?.times ?? '';
    this.#between = owners === undefined ? '' : shortText(bytes.toString('utf8', owners.end, spec?.start));
    this.#spec = spec === undefined ? '' : bytes.toString('utf8', spec.start, spec.end);
    const after = spec === undefined ? '' : bytes.toString('utf8', spec.end);
    // For Heads it ends the pattern: nothing may follow.
    this.#after = shortText(after);
    const found = { namespace, name: liveNameOf(this) };
    const keys = indexKeysOf(kind, found, () => object?.spec ?? this.spec(), this.specText());
    // Without keys it is one list for all.
    this.indexKeys = keys.length === 0 ? keys : keys.map(internText);
  }

  get text(): string {
    return this.#spec === '' ? this.#beforeSpec() : this.#beforeSpec() + this.#spec + this.#after;
  }

  /** The text before the spec, or all of it. */
  #beforeSpec(): string {
    return this.#owners === undefined ? this.#before : this.#before + this.#ownersText() + this.#between;
  }

  /** The same without owners. */
  #outlineBefore(): string {
    return this.#owners === undefined ? this.#before : `${this.#before}[]${this.#between}`;
  }

  #ownersText(): string {
    return this.#owners === undefined ? '' : textOfOwners({ around: this.#owners, times: this.#ownerTimes });
  }

  /** Of its text. */
  get characters(): number {
    const owners = this.#ownersText().length + this.#between.length;
    return this.#before.length + owners + this.#spec.length + this.#after.length;
  }

  get uid(): string {
    return this.identity().metadata.uid ?? '';
  }

  /** Compares, by code units, as (namespace, name) does. */
  get key(): string {
    return entryKey(this.namespace, this.name);
  }

  object(): ResourceObject {
    return JSON.parse(this.text);
  }

  outline(): ResourceObject {
    return this.#spec === '' ? this.object() : JSON.parse(`${this.#beforeSpec()}null${this.#after}`);
  }

  identity(): ResourceObject {
    const before: Partial<ResourceObject> = JSON.parse(this.#identityText());
    const object = isWhole(before) ? before : this.outline();
    delete object.metadata.managedFields;
    return object;
  }

  /** JSON that ends with the metadata, where nothing of it stands behind the owners or the spec. */
  #identityText(): string {
    // A ConfigMap has much behind its metadata.
    if (this.#spec === '' && this.#owners !== undefined && this.#between.startsWith('}')) return `${this.#before}[]}}`;
    const text = this.#outlineBefore();
    if (this.#spec === '') return text;
    return this.kind === Head ? `${text}null${this.#after}` : `${text}null}`;
  }

  specText(): string | undefined {
    return this.#spec === '' ? undefined : this.#spec;
  }

  aroundSpec(): { readonly before: string; readonly after: string } | undefined {
    return this.#spec === '' ? undefined : { before: this.#outlineBefore(), after: this.#after };
  }

  spec(): unknown {
    return this.#spec === '' || this.kind === Head ? this.object().spec : JSON.parse(this.#spec);
  }

  /** Keeps the spec that another entry has too only once. */
  shareSpec(other: StoredEntry): void {
    if (this.#spec === other.#spec) this.#spec = other.#spec;
  }
}

/** Short texts are few. */
function shortText(text: string): string {
  return text.length <= SHORT ? internText(text) : text;
}

interface EntryParts {
  readonly labels: Range | undefined;
  /** Where they stand before the spec. */
  readonly owners: OwnersRange | undefined;
  /** The spec that an object and its Head share. */
  readonly spec: Range | undefined;
}

/** The parts of an object that are kept apart, in one pass: a start reads a million texts. Of equal keys the first counts. */
function partsOf(bytes: Buffer, kind: Kind): EntryParts {
  const hasSpec = kind === Head || kind.released || kind.direct;
  let isMetadataRead = false;
  let labels: Range | undefined;
  let owners: OwnersRange | undefined;
  let spec: Range | undefined;
  readMembers(bytes, 0, (keyStart, keyEnd, value) => {
    if (!isMetadataRead && isKey(bytes, keyStart, keyEnd, METADATA)) {
      isMetadataRead = true;
      const end = readMembers(bytes, value, readMetadata);
      return hasSpec && spec === undefined ? (end ?? endOfValue(bytes, value)) : undefined;
    }
    if (!hasSpec || spec !== undefined || !isKey(bytes, keyStart, keyEnd, SPEC)) return endOfValue(bytes, value);
    spec = rangeAt(bytes, kind === Head ? HEAD_SPEC_PATH : NO_PATH, value);
    return isMetadataRead ? undefined : endOfValue(bytes, value);
  });
  return { labels, owners, spec };

  function readMetadata(keyStart: number, keyEnd: number, value: number): number {
    if (owners === undefined && spec === undefined && isKey(bytes, keyStart, keyEnd, OWNERS)) {
      owners = readOwners(bytes, value);
      return owners.end;
    }
    const end = endOfValue(bytes, value);
    if (labels === undefined && isKey(bytes, keyStart, keyEnd, LABELS)) labels = { start: value, end };
    return end;
  }
}

/** Metadata may stand behind the spec. */
function isWhole(object: Partial<ResourceObject>): object is ResourceObject {
  return object.metadata !== undefined && object.kind !== undefined && object.apiVersion !== undefined;
}

/** A change whose entries are the store's own. */
export interface StoredChange extends Change {
  readonly entry: StoredEntry;
  readonly before: StoredEntry | undefined;
}

/** Writes the version into the object and serialises it: the one time that this is done. */
export function stampEntry(kind: Kind, object: ResourceObject, version: number): StoredEntry {
  const { managedFields, ...metadata } = object.metadata;
  const versioned: ResourceObject['metadata'] = { ...metadata, resourceVersion: String(version) };
  // Last, so that little text of its own stands behind them.
  if (managedFields !== undefined) versioned.managedFields = managedFields;
  const stamped = { ...object, metadata: versioned };
  const { namespace = '', name } = object.metadata;
  return new StoredEntry({ kind, namespace, name, version }, JSON.stringify(stamped), stamped);
}

export function entryKey(namespace: string, name: string): string {
  return namespace + SEPARATOR + name;
}

/** The smallest key behind everything in a namespace. */
export function keyBehindNamespace(namespace: string): string {
  return `${namespace}\u0001`;
}

/** The smallest key behind this one. */
export function keyBehind(key: string): string {
  return `${key}\0`;
}

const METADATA = Buffer.from('metadata');
const LABELS = Buffer.from('labels');
const OWNERS = Buffer.from('managedFields');
const SPEC = Buffer.from('spec');
const NO_PATH: readonly never[] = [];
/** Within the spec of a Head: the entry of everyone stands first. */
const HEAD_SPEC_PATH = [Buffer.from('live'), 0, SPEC];
/** Texts up to here are few. */
const SHORT = 32;
const NO_LABELS: StoredEntry['labels'] = Object.freeze({});
