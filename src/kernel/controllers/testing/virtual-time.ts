import { setImmediate as settled } from 'node:timers/promises';
import type { Time } from '#kernel/base/time.ts';

interface Timer {
  readonly atMs: number;
  readonly call: () => void;
}

/** Time that stands still until a test moves it. */
export class VirtualTime implements Time {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  readonly nowMs = (): number => this.#nowMs;

  readonly after = (ms: number, call: () => void): (() => void) => {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Moves to the next timer, if one is due by then, and calls it; else moves to `untilMs` and says that it is done. */
  step(untilMs: number): 'called' | 'done' {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.atMs < next.atMs) next = timer;
    if (next === undefined || next.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return 'done';
    }
    this.#timers.delete(next);
    this.#nowMs = next.atMs;
    next.call();
    return 'called';
  }

  /** Moves on, calling what is due in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    while (this.step(untilMs) === 'called');
  }

  /** The same, letting promises settle after each call. */
  async run(ms: number, afterEach: () => void = () => {}): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    while (this.step(untilMs) === 'called') {
      await settled();
      afterEach();
    }
    await settled();
  }
}
