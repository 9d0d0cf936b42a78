import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Informer, ObjectChange } from './informer.ts';
import type { Time } from '#kernel/base/time.ts';
import { WorkQueue, type QueueLimits } from './work-queue.ts';

/** When to look at a key again: after a time, or `later`, which is after its growing back-off. */
export type Requeue = { readonly afterMs: number } | 'later';

export interface Watch {
  readonly informer: Informer;
  /** The keys that have to be looked at because of what was observed. */
  readonly keys: (observed: ObjectChange) => Iterable<string>;
}

/** The figures of one controller; times in seconds. */
export interface ControllerMetrics {
  readonly depth: (read: () => number) => void;
  readonly observeRun: (seconds: number, outcome: 'done' | 'failed') => void;
  readonly countRetry: () => void;
}

export interface Controller {
  /** Looks at a key, besides what the watches bring. */
  readonly add: (key: string) => void;
  /** Begins nothing more; resolves when what was begun is done. */
  readonly stop: () => Promise<void>;
}

/**
 * Calls `reconcile` for every key that the watches bring, until it succeeds. It is level-triggered: it may be called any
 * number of times, has to read the present state itself, and does what is missing. Never twice at a time for one key.
 */
export function runController(options: {
  readonly name: string;
  readonly watches: readonly Watch[];
  readonly reconcile: (key: string) => Promise<Requeue | void>;
  /** Keys in work at a time. */
  readonly workers: number;
  readonly time: Time;
  readonly random?: () => number;
  readonly limits?: Partial<QueueLimits>;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
}): Controller {
  const { name, watches, reconcile, workers, time, metrics } = options;
  const log = options.log.child({ controller: name });
  const queue = new WorkQueue(options);
  metrics.depth(() => queue.depth);
  for (const { informer, keys } of watches) {
    informer.subscribe((observed) => {
      for (const key of keys(observed)) queue.add(key);
    });
  }
  // The objects of a key may be in any of the caches.
  void Promise.all(watches.map(({ informer }) => informer.synced)).then(() => {
    for (let worker = 0; worker < workers; worker += 1) void work();
  });

  return {
    add: (key) => queue.add(key),
    stop: () => queue.stop(),
  };

  async function work(): Promise<void> {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      const beganMs = time.nowMs();
      let outcome: 'done' | 'failed' = 'done';
      try {
        const requeue = await reconcile(key);
        if (requeue === 'later') retry(key);
        else {
          queue.forget(key);
          if (requeue !== undefined) queue.addAfter(key, requeue.afterMs);
        }
      } catch (error) {
        outcome = 'failed';
        retry(key);
        report(key, error);
      }
      queue.finish(key);
      metrics.observeRun((time.nowMs() - beganMs) / 1000, outcome);
    }
  }

  function retry(key: string): void {
    queue.retry(key);
    metrics.countRetry();
  }

  function report(key: string, error: unknown): void {
    // Somebody else was faster: the usual course of things.
    if (error instanceof Refusal && error.reason === 'Conflict')
      log.debug({ key, error: error.message }, 'controller: conflict; retrying');
    else if (error instanceof Refusal) log.warn({ key, error: error.message }, 'controller: write refused; retrying');
    else log.error({ key, err: error }, 'controller: reconcile failed; retrying');
  }
}
