import { liveNameOf } from '#kernel/kinds/live-name.ts';
import type { Log } from '#kernel/base/log.ts';
import { logSeldom } from '#kernel/base/log-seldom.ts';
import { atOnce, inTurns } from '#kernel/base/turns.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Change } from '#kernel/store/contract.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import { ENGINE } from './advance.ts';
import { ChangeQueue, type QueuedObject } from './change-queue.ts';
import { checkLive, type LiveFault } from './check-live.ts';
import { isConflict } from './engine-errors.ts';
import { followReleasedKinds } from './follow-released-kinds.ts';
import { findUnsettled } from './find-unsettled.ts';
import { textOf } from './go-live.ts';
import { ObjectBackOff } from './object-back-off.ts';
import { dispatchOnce } from './dispatch-once.ts';
import type { DispatchParts, DispatchState } from './dispatch-state.ts';

const RETRY_MS = 200;
/** Consecutive conflicts that concurrent writers may cause. */
const CONFLICTS_USUAL = 5;
/** Invalid live objects that the log names; the status of each has the reason. */
const FAULTS_NAMED_MAX = 20;
/** Objects that are processed without a pause at the start: some milliseconds. */
const AT_ONCE_MAX = 500;

export interface ChangeDispatch {
  /** Processes an object again. */
  readonly note: (kind: string, name: string) => void;
  /** Processes held objects again. */
  readonly again: () => void;
  /** Resolves when every write so far is live, included in a release, or held, also by an error of its own. */
  readonly caughtUp: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/**
 * Releases each change: those that a policy selects through a Release, all others for everyone at once, as far as references and
 * checks hold, with a Release as the record. Updates the status of each object. Follows the store: the write comes first.
 */
export function dispatchChanges(parts: DispatchParts): ChangeDispatch {
  const { store, live, kinds, time, log } = parts;
  const logError = logSeldom(log, time.nowMs);
  const queue = new ChangeQueue();
  const backOff = new ObjectBackOff({ time, logError, retry: (object) => queueAndWork([object]) });
  const state: DispatchState = { ...parts, queue, held: new Map(), backOff, faults: new Map(), logError };
  let stopping = false;
  let working: Promise<void> | undefined;

  const unsubscribe = store.subscribe(follow);
  const isWanted = () => !stopping;
  const released = kinds.all.filter((kind) => kind.released);
  const find = (of: readonly Kind[]) =>
    findUnsettled(parts, of, isWanted, (found) => queue.add({ ...found, origins: [] }));
  const count = released.reduce((sum, kind) => sum + store.count(kind), 0);
  if (count > AT_ONCE_MAX) working = inTurns(find(released)).then(finishWork);
  else {
    atOnce(find(released));
    work();
  }
  // Nothing waits for it: live objects are served in any case.
  void inTurns(checkLive(live, kinds, released, isWanted)).then(reportFaults);
  const unfollowKinds = followReleasedKinds(state, (changed, faulty) => {
    void inTurns(find(changed)).then(work);
    const checked = inTurns(checkLive(live, kinds, changed, isWanted)).then(reportFaults);
    void checked.then(() => queueAndWork(faulty));
  });

  return {
    note: (kind, name) => queueAndWork([{ kind, name, origins: [] }]),
    again: () => queueAndWork(state.held.values()),
    caughtUp: async () => {
      while (working !== undefined) await working;
    },
    stop: async () => {
      stopping = true;
      unsubscribe();
      unfollowKinds();
      backOff.stop();
      await working;
    },
  };

  function follow(changes: readonly Change[]): void {
    const news = changes.filter(isNews);
    for (const { entry } of news) backOff.clear(liveKey(entry.kind.id, liveNameOf(entry)));
    queueAndWork(news.map(queuedFor));
  }

  function queueAndWork(objects: Iterable<QueuedObject>): void {
    for (const object of objects) queue.add(object);
    work();
  }

  function work(): void {
    if (working !== undefined || stopping || queue.size === 0) return;
    working = drain().then(finishWork);
  }

  function finishWork(): void {
    working = undefined;
    work();
  }

  async function drain(): Promise<void> {
    let failures = 0;
    while (queue.size > 0 && !stopping) {
      const taken = queue.takeAll();
      try {
        await dispatchOnce(state, taken);
        failures = 0;
      } catch (error) {
        failures += 1;
        // An object changed concurrently, or the database is away: retry.
        for (const object of taken) queue.add(object);
        const isUsual = isConflict(error) && failures < CONFLICTS_USUAL;
        if (!isUsual) logError(error, 'releases: cannot release changes; retrying');
        await new Promise<void>((resolve) => void time.after(RETRY_MS, resolve));
      }
    }
  }

  function reportFaults(found: ReadonlyMap<LiveKey, LiveFault>): void {
    if (stopping || found.size === 0) return;
    for (const [key, fault] of found) state.faults.set(key, fault);
    const faults = [...found.values()];
    logFaults(log, faults);
    queueAndWork(faults.map(({ kind, name }) => ({ kind, name, origins: [] })));
  }
}

function logFaults(log: Log, faults: readonly LiveFault[]): void {
  const named = faults.slice(0, FAULTS_NAMED_MAX);
  for (const { kind, name, problems } of named) {
    log.error({ kind, name, problems: textOf(problems) }, 'releases: a live object is no longer valid; change it');
  }
  if (faults.length > named.length)
    log.error({ more: faults.length - named.length }, 'releases: more live objects are no longer valid');
}

/** The engine's own status writes are no news. */
function isNews({ entry, author, before }: Change): boolean {
  return entry.kind.released && !(author?.user === ENGINE && author.caller === undefined && before !== undefined);
}

function queuedFor({ entry, version, write = version, author }: Change): QueuedObject {
  const origins = author === undefined ? [] : [{ write, user: author.user, version }];
  return { kind: entry.kind.id, name: liveNameOf(entry), origins };
}
