import type { Log } from './log.ts';
import { LATE, within } from './time.ts';

const LIMITS = {
  /** How long the parts may take to stop, together. */
  stopMsMax: 8_000,
  /** The time of each part once the common time is over. */
  lateMsMax: 100,
} as const;

interface StopOptions {
  /** It stops in a time of its own and is waited for: a database that is flushed. */
  readonly isWaitedFor?: boolean;
}

interface OpenPart extends StopOptions {
  readonly name: string;
  readonly stop: () => void | Promise<unknown>;
}

/**
 * Owns the open parts of a process or of a piece of work. They stop in reverse order, by name and in bounded time. A part
 * that does not stop in time is left behind; a part that fails to stop is logged.
 */
export class Lifetime {
  readonly #log: Log;
  readonly #beginStep: (name: string) => void;
  readonly #parts: OpenPart[] = [];

  /** @param beginStep gets the name of each step before the step runs; an error that it throws fails the step */
  constructor(log: Log, beginStep: (name: string) => void = () => {}) {
    this.#log = log;
    this.#beginStep = beginStep;
  }

  /** Runs one step of the start. It leaves nothing to stop. */
  async step<Result>(name: string, run: () => Result | Promise<Result>): Promise<Result> {
    this.#beginStep(name);
    return await run();
  }

  /** Opens a part as one step of the start, and keeps it until the lifetime ends. */
  async open<Part>(
    name: string,
    open: () => Part | Promise<Part>,
    stop: (part: Part) => void | Promise<unknown>,
    options: StopOptions = {},
  ): Promise<Part> {
    const part = await this.step(name, open);
    this.keep(name, () => stop(part), options);
    return part;
  }

  /** Keeps a part that is open already. */
  keep(name: string, stop: () => void | Promise<unknown>, options: StopOptions = {}): void {
    this.#parts.push({ name, stop, ...options });
  }

  /** Stops all parts; a second call finds nothing to stop. Never throws. */
  async close(msMax: number = LIMITS.stopMsMax): Promise<void> {
    const untilMs = performance.now() + msMax;
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      await this.#stop(part, untilMs);
    }
  }

  async #stop({ name, stop, isWaitedFor = false }: OpenPart, untilMs: number): Promise<void> {
    try {
      const stopping = Promise.resolve(stop());
      if (isWaitedFor) await stopping;
      else if ((await within(stopping, Math.max(LIMITS.lateMsMax, untilMs - performance.now()))) === LATE) {
        this.#log.warn({ part: name }, 'shutdown: a part did not stop in time');
      }
    } catch (error) {
      this.#log.warn(
        { part: name, error: error instanceof Error ? error.message : String(error) },
        'shutdown: a part failed to stop',
      );
    }
  }
}
