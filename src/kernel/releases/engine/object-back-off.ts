import type { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import type { LiveKey } from '#kernel/snapshots/live-objects.ts';
import type { HoldReasons } from '../settle.ts';
import { keyOf, type QueuedObject } from './change-queue.ts';
import { problemsOf } from './engine-errors.ts';

/** An object that fails is tried again after this, and after twice as long each time, up to the most. */
const BACK_OFF_MS = { first: 500, max: 10_000 } as const;

interface FailedObject {
  readonly problems: HoldReasons;
  readonly tries: number;
  /** True when it may be tried again. */
  readonly isDue: boolean;
  readonly cancel: () => void;
}

interface Parts {
  readonly time: Pick<Time, 'after'>;
  readonly logError: ReturnType<typeof logSeldom>;
  /** Called when an object may be tried again. */
  readonly retry: (object: QueuedObject) => void;
}

/** Keeps objects apart that the engine failed with, so that they hold up no other. */
export class ObjectBackOff {
  readonly #failed = new Map<LiveKey, FailedObject>();
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Keeps an object apart for a while; the error is the reason why it is held. */
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

  /** Whether an object is not to be tried yet. */
  isWaiting(object: Pick<QueuedObject, 'kind' | 'name'>): boolean {
    return this.#failed.get(keyOf(object))?.isDue === false;
  }

  /** Why an object is kept apart; undefined when it is not, or when it is due and tried now. */
  problemsOf(key: LiveKey, isTried: boolean): HoldReasons | undefined {
    const failed = this.#failed.get(key);
    return failed === undefined || (failed.isDue && isTried) ? undefined : failed.problems;
  }

  /** Forgets that an object failed. */
  clear(key: LiveKey): void {
    this.#failed.get(key)?.cancel();
    this.#failed.delete(key);
  }

  stop(): void {
    for (const key of this.#failed.keys()) this.clear(key);
  }
}
