import { internText } from '#kernel/base/intern.ts';
import { labelSet } from '#kernel/kinds/label-set.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';

/** Specs that stay parsed: a spec that is read is mostly read again at once. */
const PARSED_MAX = 512;
const parsed = Array.from({ length: PARSED_MAX }, (): CompactObject | undefined => undefined);
let turn = 0;

/**
 * A live object in little memory: its spec is kept as text and parsed when it is asked for.
 */
export class CompactObject implements LiveObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: LiveObject['labels'];
  readonly revision: string;
  readonly allotment: unknown;
  readonly #specText: string;
  #spec: unknown;
  /** `indexKeysOf` it: worked out once, in however many worlds it is. */
  indexKeys: readonly string[] | undefined;

  constructor(object: LiveObject, specText: string, indexKeys?: readonly string[]) {
    const { kind, namespace, name, labels, revision, allotment } = object;
    this.kind = internText(kind);
    this.namespace = internText(namespace);
    this.name = name;
    // Label sets are frozen.
    this.labels = Object.isFrozen(labels) ? labels : labelSet(JSON.stringify(labels));
    this.revision = revision;
    this.allotment = allotment;
    this.#specText = specText;
    this.indexKeys = indexKeys;
  }

  get spec(): unknown {
    if (this.#spec === undefined) {
      this.#spec = JSON.parse(this.#specText);
      const forgotten = parsed[turn];
      if (forgotten !== undefined) forgotten.#spec = undefined;
      parsed[turn] = this;
      turn = (turn + 1) % PARSED_MAX;
    }
    return this.#spec;
  }

  toJSON(): LiveObject {
    const { kind, namespace, name, labels, revision, spec, allotment } = this;
    return { kind, namespace, name, labels, revision, spec, ...(allotment === undefined ? {} : { allotment }) };
  }
}

/** The index keys and references of a live object, as `indexKeysOf` has them, where nothing has to be parsed. */
export function knownIndexKeys(object: LiveObject): readonly string[] | undefined {
  return object instanceof CompactObject ? object.indexKeys : undefined;
}
