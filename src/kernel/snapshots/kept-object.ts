import { interned } from '#kernel/base/interned.ts';
import { labelSet } from '#kernel/kinds/label-set.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';

/** Specs that stay parsed: whoever looks at an object mostly looks again at once. */
const PARSED_MAX = 512;
const parsed = Array.from({ length: PARSED_MAX }, (): KeptObject | undefined => undefined);
let turn = 0;

/** What an object is found by: the keys of its values in the indexes of its kind, and those of the objects it refers to. */
export interface Links {
  readonly indexKeys: readonly string[];
  readonly refKeys: readonly string[];
}

/**
 * A live object in little memory: its spec is kept as text and parsed when it is asked for, and what follows from the spec
 * is worked out once, in however many worlds the object is.
 */
export class KeptObject implements LiveObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: LiveObject['labels'];
  readonly revision: string;
  readonly allotment: unknown;
  readonly #specText: string;
  #spec: unknown;
  #links: Links | undefined;

  constructor(object: LiveObject, specText: string) {
    const { kind, namespace, name, labels, revision, allotment } = object;
    this.kind = interned(kind);
    this.namespace = interned(namespace);
    this.name = name;
    this.labels = labelSet(JSON.stringify(labels));
    this.revision = revision;
    this.allotment = allotment;
    this.#specText = specText;
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

  /** @param make what follows from the spec, whoever asks */
  links(make: () => Links): Links {
    return (this.#links ??= make());
  }

  toJSON(): LiveObject {
    const { kind, namespace, name, labels, revision, spec, allotment } = this;
    return { kind, namespace, name, labels, revision, spec, ...(allotment === undefined ? {} : { allotment }) };
  }
}
