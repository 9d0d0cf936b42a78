import { atOnce } from '#kernel/base/turns.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Change, Decide, Declaration, Outcome, RevisionContent, Store } from '#kernel/store/contract.ts';
import type { StoredChange } from '#kernel/store/entry.ts';
import { Memory } from '#kernel/store/memory.ts';
import { BatchPlan } from '#kernel/store/plan-batch.ts';

/** The store of a simulation: decides and publishes as the real one does, at once, and keeps everything in memory. */
export class MemoryStore {
  readonly memory: Memory;
  readonly #decide: Decide<Operation>;
  readonly #now: () => Temporal.Instant;
  readonly #revisions = new Map<string, RevisionContent>();
  readonly #history: { readonly change: Change; readonly author: Author }[] = [];
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();

  constructor(kinds: readonly Kind[], decide: Decide<Operation>, now: () => Temporal.Instant) {
    const limits = { changes: 1_000, characters: 10_000_000 };
    this.memory = new Memory({ kinds, version: 0, floor: 0, limits });
    this.#decide = decide;
    this.#now = now;
  }

  /** Writes all or nothing. Throws the Refusal that deciding came to. */
  commit(operations: readonly Operation[], author: Author, dryRun = false): readonly Outcome[] {
    const plan = new BatchPlan(this.memory, this.#decide, this.#now());
    let outcomes: readonly Outcome[] = [];
    let refusal: unknown;
    const request = {
      operations,
      author,
      dryRun,
      writeId: '',
      resolve: (given: readonly Outcome[]) => (outcomes = given),
      reject: (why: unknown) => (refusal = why),
    };
    atOnce(plan.add(request));
    plan.answer();
    if (refusal !== undefined) throw refusal;
    const { changes } = plan;
    this.memory.publish(changes);
    for (const { kind, name, content } of plan.revisions)
      this.#revisions.set(`${kind.id} ${name} ${content.hash}`, content);
    for (const change of changes) this.#history.push({ change, author });
    if (changes.length > 0) for (const listener of Array.from(this.#listeners)) listener(changes);
    return outcomes;
  }

  /** Shows changes that nobody decided upon, as another version of the program may have made them. */
  publish(changes: readonly StoredChange[]): void {
    this.memory.publish(changes);
    for (const listener of Array.from(this.#listeners)) listener(changes);
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  revision(kind: Kind, name: string, hash: string): RevisionContent | undefined {
    return this.#revisions.get(`${kind.id} ${name} ${hash}`);
  }

  declarations(
    kind: Kind,
    name: string,
    { below, limit, except }: Parameters<Store<Operation>['declarations']>[2],
  ): Declaration[] {
    return this.#history
      .filter(
        ({ change: { entry, version }, author: { user, caller } }) =>
          entry.kind === kind &&
          liveNameOf(entry) === name &&
          version < below &&
          !(user === except && caller === undefined),
      )
      .slice(-limit)
      .reverse()
      .map(({ change: { version, write = version, type, entry }, author }) => ({
        version,
        write,
        type,
        namespace: entry.namespace,
        author,
        text: entry.text,
      }));
  }

  /** The reads that the engine makes, of what is there now. */
  reads(): Pick<Store<Operation>, 'get' | 'find' | 'version' | 'list' | 'count'> {
    const { memory } = this;
    return {
      get: (kind, namespace, name) => memory.get(kind, namespace, name),
      find: (kind, index, value) => memory.find(kind, index, value),
      version: () => memory.version,
      list: (kind, options) => memory.list(kind, options),
      count: (kind) => memory.count(kind),
    };
  }
}
