import type { Log } from './log.ts';
import { LATE, within } from './time.ts';

/** A part of a process and how it ends. */
export interface Part {
  readonly name: string;
  readonly stop: () => void | Promise<unknown>;
  /** It ends by itself in a time of its own, and is waited for: a database that is flushed. */
  readonly isWaitedFor?: boolean;
}

/** How long the parts of a process may take to end, together, and what each gets when that is over. */
const STOP_MS_MAX = 8_000;
const LATE_MS_MAX = 100;

/**
 * Ends parts one after the other. One that does not end in time, as it waits for something that is away, is left behind,
 * and the next one gets its turn; one that fails is logged. Never throws.
 */
export async function stopAll(parts: readonly Part[], log: Log, msMax = STOP_MS_MAX): Promise<void> {
  const untilMs = performance.now() + msMax;
  for (const { name, stop, isWaitedFor = false } of parts) {
    try {
      const stopping = Promise.resolve(stop());
      if (isWaitedFor) await stopping;
      else if ((await within(stopping, Math.max(LATE_MS_MAX, untilMs - performance.now()))) === LATE) {
        log.warn({ part: name }, 'a part of this process did not end in time');
      }
    } catch (error) {
      log.warn(
        { part: name, error: error instanceof Error ? error.message : String(error) },
        'a part did not end well',
      );
    }
  }
}
