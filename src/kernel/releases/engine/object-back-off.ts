import type { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import type { LiveKey } from '#kernel/snapshots/live-objects.ts';
import type { HoldReasons } from '../settle.ts';
import { keyOf, type QueuedObject } from './change-queue.ts';
import { problemsOf } from './engine-errors.ts';

/** Back-off of an object that fails: the first delay, doubled each time up to the maximum. */
const BACK_OFF_MS = { first: 500, max: 10_000 } as const;

interface FailedObject {
  readonly problems: HoldReasons;
  readonly tries: number;
  /** True when it may be retried. */
  readonly isDue: boolean;
  readonly cancel: () => void;
}

interface Parts {
  readonly time: Pick<Time, 'after'>;
  readonly logError: ReturnType<typeof logSeldom>;
  /** Called when an object may be retried. */
  readonly retry: (object: QueuedObject) => void;
}

/** Separates objects that the engine failed with, so that they do not block others. */
export class ObjectBackOff {
  readonly #failed = new Map<LiveKey, FailedObject>();
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Puts an object into back-off; the error becomes its hold reason. */
  fail(object: QueuedObject, error: unknown): void {
    const { kind, name } = object;
    const { time, logError, retry } = this.#parts;
    const key = keyOf(object);
    const before = this.#failed.get(key);
    before?.cancel();
    const tries = (before?.tries ?? 0) + 1;
    const problems = problemsOf(error);
    const afterMs = Math.min(BACK_OFF_MS.first * 2 ** Math.min(tries - 1, 30), BACK_OFF_MS.max);
    const cancel = time.after(afterMs, () => {
      this.#failed.set(key, { problems, tries, isDue: true, cancel: () => {} });
      retry(object);
    });
    this.#failed.set(key, { problems, tries, isDue: false, cancel });
    logError(error, 'releases: cannot release an object; retrying with back-off', { kind, name });
  }

  /** Whether the back-off of an object still runs. */
  isWaiting(object: Pick<QueuedObject, 'kind' | 'name'>): boolean {
    return this.#failed.get(keyOf(object))?.isDue === false;
  }

  /** The hold reason of an object in back-off; undefined when there is none, or when it is due and retried now. */
  problemsOf(key: LiveKey, isTried: boolean): HoldReasons | undefined {
    const failed = this.#failed.get(key);
    return failed === undefined || (failed.isDue && isTried) ? undefined : failed.problems;
  }

  /** Forgets the failures of an object. */
  clear(key: LiveKey): void {
    this.#failed.get(key)?.cancel();
    this.#failed.delete(key);
  }

  stop(): void {
    for (const key of this.#failed.keys()) this.clear(key);
  }
}
