import type { Steps } from '#kernel/base/turns.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { AuditAnnotations, Author, Decide, Mutation, Outcome, Review, RevisionContent } from './contract.ts';
import { type StoredChange, type StoredEntry, stampEntry } from './entry.ts';
import { Overlay, type StoredReader } from './overlay.ts';

/** One call of `write` that waits for its answer. */
export interface WriteRequest<Operation> {
  readonly operations: readonly Operation[];
  readonly author: Author;
  readonly dryRun: boolean;
  /** Names a write, so that it can be found again when its answer got lost; empty for one that nobody asks for again. */
  readonly writeId: string;
  /** Fires when nobody waits for it any more. */
  readonly signal?: AbortSignal | undefined;
  readonly resolve: (outcomes: readonly Outcome[]) => void;
  readonly reject: (why: unknown) => void;
}

/** A change with what the record says of it besides. */
export interface RecordedChange {
  readonly change: StoredChange;
  readonly author: Author;
  readonly writeId: string;
}

export interface RecordedRevision {
  readonly kind: Kind;
  readonly name: string;
  readonly version: number;
  readonly content: RevisionContent;
}

/** The writes of a batch. */
export interface Batch {
  /** The last version before the batch. */
  readonly after: number;
  readonly lastVersion: number;
  readonly now: Temporal.Instant;
  readonly records: readonly RecordedChange[];
  readonly revisions: readonly RecordedRevision[];
  /** Of the changed objects' texts. */
  readonly characters: number;
}

/**
 * Requests decided one after the other against what is durable plus what the batch wrote before them, and numbered
 * without gaps. Nobody has been answered yet, and nothing is visible: that waits until the batch is durable.
 */
export class BatchPlan<Operation> implements Batch {
  readonly #overlay: Overlay;
  readonly #decide: Decide<Operation>;
  readonly now: Temporal.Instant;
  readonly requests: WriteRequest<Operation>[] = [];
  readonly #answers: (() => void)[] = [];
  readonly records: RecordedChange[] = [];
  readonly revisions: RecordedRevision[] = [];
  readonly after: number;
  characters = 0;

  constructor(base: StoredReader & { readonly version: number }, decide: Decide<Operation>, now: Temporal.Instant) {
    this.#overlay = new Overlay(base);
    this.#decide = decide;
    this.now = now;
    this.after = base.version;
  }

  get changes(): readonly StoredChange[] {
    return this.#overlay.changes;
  }

  get lastVersion(): number {
    return this.after + this.changes.length;
  }

  /** Decides a request operation by operation, all of it or nothing; a refusal touches no other request. */
  *add(request: WriteRequest<Operation>): Steps<void> {
    this.requests.push(request);
    const written = new Overlay(this.#overlay);
    const revisions: RecordedRevision[] = [];
    const outcomes: Outcome[] = [];
    const notes = new Map<number, AuditAnnotations>();
    let annotations: AuditAnnotations = {};
    try {
      for (const operation of request.operations) {
        const mutation = this.#decide(operation, written, this.now, request.author);
        if (mutation.annotations !== undefined) notes.set(written.changes.length, mutation.annotations);
        outcomes.push(this.#mutate(mutation, written, revisions, request));
        yield;
      }
      const review = yield* this.#review(written, request);
      annotations = review.annotations;
      warnFirst(outcomes, review.warnings);
    } catch (refusal) {
      this.#answers.push(() => request.reject(refusal));
      return;
    }
    this.#answers.push(() => request.resolve(outcomes));
    if (request.dryRun) return;
    for (const [index, change] of written.changes.entries()) {
      this.#overlay.apply(change);
      const author = withAnnotations(request.author, { ...notes.get(index), ...annotations });
      this.records.push({ change, author, writeId: request.writeId });
      this.characters += change.entry.characters;
    }
    this.revisions.push(...revisions);
  }

  /** Tells every caller what its request came to. */
  answer(): void {
    for (const answer of this.#answers) answer();
  }

  *#review(written: Overlay, { author }: WriteRequest<Operation>): Steps<Review> {
    const { review } = this.#decide;
    if (review === undefined || written.changes.length === 0) return NO_REMARKS;
    return yield* review({ changes: written.changes, read: written, now: this.now, author });
  }

  #mutate(
    mutation: Mutation,
    written: Overlay,
    revisions: RecordedRevision[],
    { dryRun, author }: Pick<WriteRequest<Operation>, 'dryRun' | 'author'>,
  ): Outcome {
    const warned = mutation.warnings === undefined ? {} : { warnings: mutation.warnings };
    if (mutation.do === 'nothing') return { did: 'nothing', entry: mutation.entry, ...warned };
    const { kind, object } = mutation;
    const { namespace = '', name } = object.metadata;
    const before = written.get(kind, namespace, name);
    const write = this.lastVersion + 1;
    const next = write + written.changes.length;
    // A dry run takes no number: it shows the one that the object has, or that the store is at.
    const version = dryRun ? (before?.version ?? this.lastVersion) : next;
    const entry = stampEntry(kind, object, version);
    if (mutation.do === 'remove') {
      if (before === undefined) throw new Error(`${kind.id} ${namespace}/${name} was removed without being there`);
      written.apply({ version, type: 'DELETED', entry, before, author, write });
      return { did: 'removed', entry, ...warned };
    }
    if (mutation.revision !== undefined) {
      revisions.push({ kind, name: liveName(kind, namespace, name), version, content: mutation.revision });
    }
    written.apply({ version, type: before === undefined ? 'ADDED' : 'MODIFIED', entry, before, author, write });
    return { did: before === undefined ? 'created' : 'changed', entry, ...warned };
  }
}

const NO_REMARKS: Review = { warnings: [], annotations: {} };

/** Remarks on a whole request come with its first outcome. */
function warnFirst(outcomes: Outcome[], warnings: readonly string[]): void {
  const [first] = outcomes;
  if (first === undefined || warnings.length === 0) return;
  outcomes[0] = { ...first, warnings: [...(first.warnings ?? []), ...warnings] };
}

function withAnnotations(author: Author, annotations: AuditAnnotations): Author {
  const { caller } = author;
  return caller === undefined || Object.keys(annotations).length === 0
    ? author
    : { ...author, caller: { ...caller, annotations } };
}

/** The state in which a batch leaves each object that it touched, or that it is gone. */
export function finalStates(records: readonly RecordedChange[]): { kept: StoredEntry[]; gone: StoredEntry[] } {
  const last = new Map<string, StoredChange>();
  for (const { change } of records) last.set(`${change.entry.kind.id}\0${change.entry.key}`, change);
  const states = { kept: new Array<StoredEntry>(), gone: new Array<StoredEntry>() };
  for (const { type, entry } of last.values()) (type === 'DELETED' ? states.gone : states.kept).push(entry);
  return states;
}
