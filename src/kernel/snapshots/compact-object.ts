import { internText } from '#kernel/base/intern.ts';
import { labelSet } from '#kernel/kinds/label-set.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import type { Entry } from '#kernel/store/contract.ts';

/** Specs that stay parsed: a spec that is read is mostly read again at once. */
const PARSED_MAX = 512;
const parsed = Array.from({ length: PARSED_MAX }, (): TextObject | undefined => undefined);
let turn = 0;

/** A live object in little memory: its spec is text, and parsed when it is asked for. */
abstract class TextObject implements LiveObject {
  abstract readonly kind: string;
  abstract readonly namespace: string;
  abstract readonly name: string;
  abstract readonly labels: LiveObject['labels'];
  abstract readonly revision: string;
  abstract readonly allotment?: unknown;
  /** `indexKeysOf` it, where they are known without parsing. */
  abstract readonly indexKeys: readonly string[] | undefined;
  protected abstract readonly specText: string;
  #spec: unknown;

  get spec(): unknown {
    if (this.#spec === undefined) this.keepParsed(JSON.parse(this.specText));
    return this.#spec;
  }

  toJSON(): LiveObject {
    const { kind, namespace, name, labels, revision, spec, allotment } = this;
    return { kind, namespace, name, labels, revision, spec, ...(allotment === undefined ? {} : { allotment }) };
  }

  /** Spares the next one who asks a parse. */
  protected keepParsed(spec: unknown): void {
    this.#spec = spec;
    const forgotten = parsed[turn];
    if (forgotten !== undefined) forgotten.#spec = undefined;
    parsed[turn] = this;
    turn = (turn + 1) % PARSED_MAX;
  }
}

/** One with texts of its own. */
export class CompactObject extends TextObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: LiveObject['labels'];
  readonly revision: string;
  readonly allotment: unknown;
  indexKeys: readonly string[] | undefined;
  protected readonly specText: string;

  /** @param specText absent: that of its spec */
  constructor(object: LiveObject, specText?: string, indexKeys?: readonly string[]) {
    super();
    const { kind, namespace, name, labels, revision, allotment } = object;
    this.kind = internText(kind);
    this.namespace = internText(namespace);
    this.name = name;
    // Label sets are frozen.
    this.labels = Object.isFrozen(labels) ? labels : labelSet(JSON.stringify(labels));
    this.revision = revision;
    this.allotment = allotment;
    this.specText = specText ?? JSON.stringify(object.spec);
    this.indexKeys = indexKeys;
    if (specText === undefined) this.keepParsed(object.spec);
  }
}

/** The object of a direct kind as the store of this process keeps it: nothing is kept twice. */
export class EntryObject extends TextObject {
  readonly name: string;
  readonly allotment: undefined;
  readonly #entry: Entry;

  constructor(entry: Entry) {
    super();
    this.name = liveNameOf(entry);
    this.#entry = entry;
  }

  get kind(): string {
    return this.#entry.kind.id;
  }

  get namespace(): string {
    return this.#entry.namespace;
  }

  get labels(): LiveObject['labels'] {
    return this.#entry.labels;
  }

  get revision(): string {
    return directRevision(this.#entry.identity().metadata);
  }

  get indexKeys(): readonly string[] {
    return this.#entry.indexKeys;
  }

  protected get specText(): string {
    return this.#entry.specText() ?? 'null';
  }
}

/** The revision of an object of a direct kind: it changes with the spec. */
export function directRevision({
  uid = '',
  generation = 1,
}: {
  readonly uid?: string;
  readonly generation?: number;
}): string {
  // Joined, as live names are.
  return [uid, generation].join('.');
}

/** The index keys and references of a live object, as `indexKeysOf` has them, where nothing has to be parsed. */
export function knownIndexKeys(object: LiveObject): readonly string[] | undefined {
  return object instanceof TextObject ? object.indexKeys : undefined;
}

/** Notes that an object is found by its name alone: nothing need be parsed again to know that. */
export function noteNoIndexKeys(object: LiveObject): void {
  if (object instanceof CompactObject) object.indexKeys = NONE;
}

const NONE: readonly never[] = [];
