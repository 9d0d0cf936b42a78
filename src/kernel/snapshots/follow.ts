import { Refusal } from '#kernel/base/failures.ts';
import { decisionRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { jitter, pause, systemTime } from '#kernel/base/time.ts';
import { inTurns } from '#kernel/base/turns.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { gatherBatches } from './gather-batches.ts';
import type { HeadSource } from './head-state.ts';
import { LiveSnapshot, type SwapListener } from './live-snapshot.ts';
import type { DecisionModule } from './module.ts';
import type { Snapshot } from './snapshot.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 3_000;
/** After so long without a sign of life the control plane counts as lost; it sends one at least every three seconds. */
const FOLLOWED_MS_MAX = 6_000;

export interface Follower {
  /** The snapshot that answers come from now. */
  readonly snapshot: () => Snapshot;
  /** The same, or undefined while there is none. */
  readonly current: () => Snapshot | undefined;
  /** The live objects of the kinds that the modules compile; undefined before the first snapshot. */
  readonly world: () => World | undefined;
  /**
   * Calls back with each later snapshot and what changed in it for everybody; without changes, everything may have. Until
   * the returned function is called.
   */
  readonly onSwap: (listener: SwapListener) => () => void;
  /** Resolves at the first snapshot. */
  readonly compiled: Promise<void>;
  /** Milliseconds since the control plane was last heard of, and so was the snapshot current; 0 while it is followed. */
  readonly ageMs: () => number;
  /** How many live objects are answered as they were before, because their newest change does not compile. */
  readonly leftOut: () => number;
  /** Why answers cannot be given, or are of an old snapshot because the newest does not compile. */
  readonly problem: () => string | undefined;
  readonly stop: () => Promise<void>;
}

/**
 * Keeps one snapshot up to date with what is live: lists, watches, compiles what changed, swaps. When the control plane
 * is away the last snapshot stays, its age grows, and following resumes by itself.
 */
export function followHeads(options: {
  readonly source: HeadSource;
  readonly kinds: KindRegistry;
  readonly modules: readonly DecisionModule<unknown>[];
  readonly log: Log;
  /** Called when the candidates of a release do not compile. */
  readonly onBrokenWorld?: () => void;
  /** Milliseconds that only move forward. */
  readonly monotonicMs?: () => number;
}): Follower {
  const { source, kinds, modules, log, onBrokenWorld = () => {}, monotonicMs = () => performance.now() } = options;
  const stopping = new AbortController();
  const live = new LiveSnapshot({ kinds, modules, log, onBrokenWorld });
  const contact = new Contact(monotonicMs);
  const running = keepUp({ source, live, contact, log, signal: stopping.signal });
  return {
    snapshot: () => live.current ?? noSnapshot(live.problem),
    current: () => live.current,
    world: () => live.world,
    onSwap: (listener) => live.onSwap(listener),
    compiled: live.compiled,
    ageMs: () => contact.ageMs(),
    problem: () => live.problem,
    leftOut: () => live.leftOut,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** When the control plane was last heard of. */
class Contact {
  readonly #nowMs: () => number;
  #heardAtMs: number;
  /** Whether it was lost since. */
  #isLost = true;

  constructor(monotonicMs: () => number) {
    this.#nowMs = monotonicMs;
    this.#heardAtMs = monotonicMs();
  }

  hear(): void {
    this.#heardAtMs = this.#nowMs();
    this.#isLost = false;
  }

  lose(): void {
    this.#isLost = true;
  }

  ageMs(): number {
    const silentMs = this.#nowMs() - this.#heardAtMs;
    return this.#isLost || silentMs > FOLLOWED_MS_MAX ? silentMs : 0;
  }
}

interface Following {
  readonly source: HeadSource;
  readonly live: LiveSnapshot;
  readonly contact: Contact;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Lists and watches until the signal; begins again after whatever fails. */
async function keepUp({ source, live, contact, log, signal }: Following): Promise<void> {
  let version: string | undefined;
  let retryMs = RETRY_MS_MIN;
  while (!signal.aborted) {
    try {
      version ??= await listAll();
      const session = new AbortController();
      using _ = abortAtEnd(session);
      const batches = source.watch(version, AbortSignal.any([signal, session.signal]));
      for await (const group of gatherBatches(batches)) {
        contact.hear();
        // A batch that fails halfway is not in the snapshot and does not come again: everything is listed anew.
        version = undefined;
        await inTurns(live.apply(group));
        version = group.at(-1)?.version;
        retryMs = RETRY_MS_MIN;
      }
    } catch (error) {
      // Too old, or of a database that was restored to what it was before: what there is now is listed anew.
      if (error instanceof Refusal && (error.reason === 'Expired' || error.reason === 'Timeout')) version = undefined;
      else
        log.warn(
          { error: String(error), retryMs },
          'snapshot: lost the control plane; retrying, answering from the last snapshot',
        );
    }
    if (signal.aborted) return;
    contact.lose();
    await pause(systemTime, jitter(retryMs, Math.random), signal);
    retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
  }

  async function listAll(): Promise<string> {
    const { version: listedAt, pages } = await source.list();
    const beginning = live.begin();
    for await (const heads of pages) await inTurns(beginning.take(heads));
    // Nothing changes it meanwhile: what is written since comes by the watch.
    await inTurns(beginning.finish(listedAt));
    return listedAt;
  }
}

/** Nothing waits for batches that were read ahead of a group that failed. */
function abortAtEnd(session: AbortController): Disposable {
  return { [Symbol.dispose]: () => session.abort() };
}

function noSnapshot(why = 'starting'): never {
  throw decisionRefusal('no-snapshot', `There is no snapshot to answer from: ${why}.`, {
    retryAfterSeconds: 1,
  });
}
