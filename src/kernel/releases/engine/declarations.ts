import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { Author, Change, Declaration, Store } from '#kernel/store/contract.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import { ROLLBACK_USER } from './guard.ts';
import { ENGINE } from './advance.ts';
import { sameSide, type State } from './same-side.ts';

const LIMITS = {
  /** Rows that one round trip reads. */
  rowsAtOnce: 200,
  /** Rows of one name that are looked through for what is live. */
  rowsMax: 10_000,
  /** Steps of one object in memory; of an object with more the history is read again. */
  stepsMax: 1_000,
} as const;

/** One write that changed how an object is declared. */
interface Step {
  readonly version: number;
  /** What was declared together has the same one. */
  readonly write: number;
  readonly user: string;
  /** The user, and who minted the token; empty where this program restored what was live. */
  readonly writers: readonly string[];
  /** A part of this program did it, like the garbage collector: who caused it is unknown. */
  readonly isUnattended: boolean;
  /** What the object became; undefined: it was deleted. */
  readonly state: State | undefined;
}

/** What was declared of an object from what is live to a state of it, the oldest first. */
export interface Trail {
  readonly steps: readonly Step[];
  /** False where the history that is kept does not lead back to what is live. */
  readonly isWhole: boolean;
}

interface DeclaredWrite {
  readonly version: number;
  readonly write: number;
  readonly author: Author | undefined;
  /** Made once, when it is asked for: most writes go live at once. */
  readonly declared: () => DeclaredState;
}

interface DeclaredState {
  readonly state: State | undefined;
  /** Somebody deleted it, and finalizers keep it. */
  readonly isGoing: boolean;
}

interface KnownWrites {
  readonly steps: DeclaredWrite[];
  /** There is nothing before the first step, or nothing that is kept. */
  isAll: boolean;
}

/**
 * Who declared what since what is live, object by object: from the changes as they are made, and before that from the
 * record of changes. A live name is of one object, so a move to another namespace that keeps it is a step as well.
 */
export class Declarations {
  readonly #store: Pick<Store<never>, 'declarations'>;
  readonly #known = new Map<LiveKey, KnownWrites>();

  constructor(store: Pick<Store<never>, 'declarations'>) {
    this.#store = store;
  }

  /** Takes in what was written just now. */
  follow({ entry, before, type, version, write = version, author }: Change): void {
    const { kind } = entry;
    if (!kind.released || (isOf(author, ENGINE) && type === 'MODIFIED')) return;
    const key = liveKey(kind.id, liveNameOf(entry));
    // What another process wrote is read from the record.
    if (author === undefined) return void this.#known.delete(key);
    let known = this.#known.get(key);
    if (known === undefined) {
      const declared = lazily(() => (before === undefined ? GONE : declaredAs(before.namespace, before.object())));
      known = { steps: [{ version: before?.version ?? 0, write: 0, author: undefined, declared }], isAll: false };
      this.#known.set(key, known);
    }
    const declared = lazily(() => (type === 'DELETED' ? GONE : declaredAs(entry.namespace, entry.object())));
    known.steps.push({ version, write, author, declared });
    if (known.steps.length > LIMITS.stepsMax) this.#known.delete(key);
  }

  /** Forgets an object that is live as it is declared: its trail is empty. */
  forget(kind: string, name: string): void {
    this.#known.delete(liveKey(kind, name));
  }

  /** Reads as much of the history as `between` needs. */
  async load(kind: Kind, name: string, live: State | undefined, to: State | undefined): Promise<void> {
    const key = liveKey(kind.id, name);
    if (this.#known.get(key)?.isAll === true || this.between(kind.id, name, live, to).isWhole) return;
    const read: DeclaredWrite[] = [];
    let below = Number.MAX_SAFE_INTEGER;
    let isAll = false;
    for (let rows = 0; rows < LIMITS.rowsMax; rows += LIMITS.rowsAtOnce) {
      const page = await this.#store.declarations(kind, name, { below, limit: LIMITS.rowsAtOnce, except: ENGINE });
      read.unshift(...page.map(declaredWriteOf).reverse());
      isAll = page.length < LIMITS.rowsAtOnce;
      const oldest = page.at(-1);
      if (isAll && oldest?.type === 'ADDED') {
        read.unshift({ version: 0, write: 0, author: undefined, declared: () => GONE });
      }
      if (isAll || oldest === undefined || spanOf(read, live, to).isWhole) break;
      below = oldest.version;
    }
    // What was written meanwhile has been noted meanwhile.
    const last = read.at(-1)?.version ?? 0;
    const since = this.#known.get(key)?.steps.filter(({ version }) => version > last) ?? [];
    this.#known.set(key, { steps: [...read, ...since], isAll: isAll || read.length >= LIMITS.rowsMax });
  }

  /** As far as it is known: complete after `load`, at any later moment. */
  between(kind: string, name: string, live: State | undefined, to: State | undefined): Trail {
    const steps = this.#known.get(liveKey(kind, name))?.steps ?? [];
    const { from, until, isWhole } = spanOf(steps, live, to);
    const changed = steps.slice(from, until + 1).flatMap(({ version, write, author, declared }, index): Step[] => {
      const at = from + index;
      const before = steps[at - 1];
      const { state } = declared();
      if (author === undefined || (before !== undefined && sameSide(before.declared().state, state))) return [];
      const step = { version, write, user: author.user, state };
      if (!endsDeletion(steps, at)) {
        return [{ ...step, writers: writersOf(author), isUnattended: isUnattended(author) }];
      }
      const deleter = steps[deletionOf(steps, at)]?.author;
      return [
        {
          ...step,
          writers: [...(deleter === undefined ? [] : writersOf(deleter)), ...writersOf(author)],
          isUnattended: deleter === undefined || isUnattended(deleter),
        },
      ];
    });
    return { steps: changed, isWhole };
  }
}

/**
 * The steps from what is live, exclusive, to a state, inclusive: what was declared after that state is of another
 * release, and what was live before is nobody's any more.
 */
function spanOf(
  steps: readonly DeclaredWrite[],
  live: State | undefined,
  to: State | undefined,
): { readonly from: number; readonly until: number; readonly isWhole: boolean } {
  const until = steps.findLastIndex(({ declared }) => sameSide(declared().state, to));
  const before = until < 0 ? steps : steps.slice(0, until);
  const start = before.findLastIndex(({ declared }) => sameSide(declared().state, live));
  const span = { from: start + 1, until: until < 0 ? steps.length - 1 : until };
  const isEachDeletionKnown = steps
    .slice(span.from, span.until + 1)
    .every((_, index) => !endsDeletion(steps, span.from + index) || deletionOf(steps, span.from + index) >= 0);
  return { ...span, isWhole: start >= 0 && until >= 0 && isEachDeletionKnown };
}

/** Whether a step is the end of a deletion that finalizers held up: who takes the last one off decided nothing. */
function endsDeletion(steps: readonly DeclaredWrite[], at: number): boolean {
  return steps[at]?.declared().state === undefined && steps[at - 1]?.declared().isGoing === true;
}

/** Where the deletion was asked for that ends at a step; -1 where that is not known. */
function deletionOf(steps: readonly DeclaredWrite[], end: number): number {
  const before = steps.slice(0, end).findLastIndex(({ declared }) => !declared().isGoing);
  return before < 0 ? -1 : before + 1;
}

/** Everybody who stands behind a write. */
function writersOf({ user, caller }: Author): readonly string[] {
  if (caller === undefined && (user === ENGINE || user === ROLLBACK_USER)) return [];
  return [user, ...(caller?.mintedBy ?? [])];
}

/** Commands of people are written without their caller, and under their name. */
function isUnattended({ user, caller }: Author): boolean {
  if (caller !== undefined || user === ENGINE || user === ROLLBACK_USER) return false;
  return user.startsWith('system:') && !user.startsWith('system:serviceaccount:');
}

/** A user from outside may have any name: only what this program writes by itself is its own. */
function isOf(author: Author | undefined, user: string): boolean {
  return author?.caller === undefined && author?.user === user;
}

function declaredWriteOf({ version, write, type, namespace, author, text }: Declaration): DeclaredWrite {
  const declared = lazily(() => (type === 'DELETED' ? GONE : declaredAs(namespace, JSON.parse(text))));
  return { version, write, author, declared };
}

const GONE: DeclaredState = { state: undefined, isGoing: false };

function declaredAs(namespace: string, { metadata, spec }: ResourceObject): DeclaredState {
  const state = { revision: contentHash(spec), namespace, labels: metadata.labels ?? {} };
  return { state, isGoing: metadata.deletionTimestamp !== undefined };
}

/** Makes a value once, and keeps nothing else of what it was made of. */
function lazily<Value>(make: () => Value): () => Value {
  let value: () => Value = () => {
    const made = make();
    value = () => made;
    return made;
  };
  return () => value();
}
