import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { Author, Change, Declaration, Store } from '#kernel/store/contract.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import { ROLLBACK_USER } from './guard.ts';
import { ENGINE } from './advance.ts';
import { sameSide, type State } from './same-side.ts';

const LIMITS = {
  /** Rows of one query. */
  rowsAtOnce: 200,
  /** Rows of one name that are searched for the live state. */
  rowsMax: 10_000,
  /** Steps of one object in memory; with more, the history is read again. */
  stepsMax: 1_000,
} as const;

/** One write that changed the declaration of an object. */
interface DeclarationStep {
  readonly version: number;
  /** Equal for objects that were declared together. */
  readonly write: number;
  readonly user: string;
  /** The user, and users who minted the token; empty where this program restored the live state. */
  readonly writers: readonly string[];
  /** A part of this program wrote it, like the garbage collector: who caused it is unknown. */
  readonly isUnattended: boolean;
  /** The new state; undefined: it was deleted. */
  readonly state: State | undefined;
}

/** The declarations of an object from its live state to a given state, the oldest first. */
export interface Trail {
  readonly steps: readonly DeclarationStep[];
  /** False where the stored history does not reach back to the live state. */
  readonly isWhole: boolean;
}

interface DeclaredWrite {
  readonly version: number;
  readonly write: number;
  readonly author: Author | undefined;
  /** Computed once, on demand: most writes go live at once. */
  readonly readState: () => DeclaredState;
}

interface DeclaredState {
  readonly state: State | undefined;
  /** It is being deleted; finalizers keep it. */
  readonly isGoing: boolean;
}

interface KnownWrites {
  readonly steps: DeclaredWrite[];
  /** No earlier step exists, or none is stored. */
  isAll: boolean;
}

/**
 * The authors of declarations since the live state, by object: from changes as they happen, and earlier ones from the record of
 * changes. A live name belongs to one object, so a move to another namespace is a step as well.
 */
export class Declarations {
  readonly #store: Pick<Store<never>, 'declarations'>;
  readonly #known = new Map<LiveKey, KnownWrites>();

  constructor(store: Pick<Store<never>, 'declarations'>) {
    this.#store = store;
  }

  /** Records a new change. */
  follow({ entry, before, type, version, write = version, author }: Change): void {
    const { kind } = entry;
    if (!kind.released || (isOf(author, ENGINE) && type === 'MODIFIED')) return;
    const key = liveKey(kind.id, liveNameOf(entry));
    // Writes of other processes are read from the record.
    if (author === undefined) return void this.#known.delete(key);
    let known = this.#known.get(key);
    if (known === undefined) {
      const readState = lazily(() => (before === undefined ? GONE : declaredAs(before.namespace, before.object())));
      known = { steps: [{ version: before?.version ?? 0, write: 0, author: undefined, readState }], isAll: false };
      this.#known.set(key, known);
    }
    const readState = lazily(() => (type === 'DELETED' ? GONE : declaredAs(entry.namespace, entry.object())));
    known.steps.push({ version, write, author, readState });
    if (known.steps.length > LIMITS.stepsMax) this.#known.delete(key);
  }

  /** Forgets an object whose declared state is live: its trail is empty. */
  forget(kind: string, name: string): void {
    this.#known.delete(liveKey(kind, name));
  }

  /** Reads the part of the history that `between` needs. */
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
        read.unshift({ version: 0, write: 0, author: undefined, readState: () => GONE });
      }
      if (isAll || oldest === undefined || spanOf(read, live, to).isWhole) break;
      below = oldest.version;
    }
    // Changes during the read have been recorded meanwhile.
    const last = read.at(-1)?.version ?? 0;
    const since = this.#known.get(key)?.steps.filter(({ version }) => version > last) ?? [];
    this.#known.set(key, { steps: [...read, ...since], isAll: isAll || read.length >= LIMITS.rowsMax });
  }

  /** The known trail: complete after `load`, at any later moment. */
  between(kind: string, name: string, live: State | undefined, to: State | undefined): Trail {
    const steps = this.#known.get(liveKey(kind, name))?.steps ?? [];
    const { from, until, isWhole } = spanOf(steps, live, to);
    const changed = steps
      .slice(from, until + 1)
      .flatMap(({ version, write, author, readState }, index): DeclarationStep[] => {
        const at = from + index;
        const before = steps[at - 1];
        const { state } = readState();
        if (author === undefined || (before !== undefined && sameSide(before.readState().state, state))) return [];
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
 * The steps from the live state, exclusive, to a state, inclusive. Later declarations belong to another release, and steps before
 * the live state no longer matter.
 */
function spanOf(
  steps: readonly DeclaredWrite[],
  live: State | undefined,
  to: State | undefined,
): { readonly from: number; readonly until: number; readonly isWhole: boolean } {
  const until = steps.findLastIndex(({ readState }) => sameSide(readState().state, to));
  const before = until < 0 ? steps : steps.slice(0, until);
  const start = before.findLastIndex(({ readState }) => sameSide(readState().state, live));
  const span = { from: start + 1, until: until < 0 ? steps.length - 1 : until };
  const isEachDeletionKnown = steps
    .slice(span.from, span.until + 1)
    .every((_, index) => !endsDeletion(steps, span.from + index) || deletionOf(steps, span.from + index) >= 0);
  return { ...span, isWhole: start >= 0 && until >= 0 && isEachDeletionKnown };
}

/** Whether a step ends a deletion that finalizers delayed: the user who removes the last finalizer decided nothing. */
function endsDeletion(steps: readonly DeclaredWrite[], at: number): boolean {
  return steps[at]?.readState().state === undefined && steps[at - 1]?.readState().isGoing === true;
}

/** Index of the request of a deletion that ends at a step; -1 where it is unknown. */
function deletionOf(steps: readonly DeclaredWrite[], end: number): number {
  const before = steps.slice(0, end).findLastIndex(({ readState }) => !readState().isGoing);
  return before < 0 ? -1 : before + 1;
}

/** All users behind a write. */
function writersOf({ user, caller }: Author): readonly string[] {
  if (caller === undefined && (user === ENGINE || user === ROLLBACK_USER)) return [];
  return [user, ...(caller?.mintedBy ?? [])];
}

/** Commands of people are written without their caller, but under their name. */
function isUnattended({ user, caller }: Author): boolean {
  if (caller !== undefined || user === ENGINE || user === ROLLBACK_USER) return false;
  return user.startsWith('system:') && !user.startsWith('system:serviceaccount:');
}

/** External users may have any name: only writes without a caller are the program's own. */
function isOf(author: Author | undefined, user: string): boolean {
  return author?.caller === undefined && author?.user === user;
}

function declaredWriteOf({ version, write, type, namespace, author, text }: Declaration): DeclaredWrite {
  const readState = lazily(() => (type === 'DELETED' ? GONE : declaredAs(namespace, JSON.parse(text))));
  return { version, write, author, readState };
}

const GONE: DeclaredState = { state: undefined, isGoing: false };

function declaredAs(namespace: string, { metadata, spec }: ResourceObject): DeclaredState {
  const state = { revision: contentHash(spec), namespace, labels: metadata.labels ?? {} };
  return { state, isGoing: metadata.deletionTimestamp !== undefined };
}

/** Computes a value once, and drops its inputs afterwards. */
function lazily<Value>(make: () => Value): () => Value {
  let value: () => Value = () => {
    const made = make();
    value = () => made;
    return made;
  };
  return () => value();
}
