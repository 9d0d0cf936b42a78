/** A clock goes forward by less than this by itself. */
const LEAP_MS_MIN = 5_000;

/** When this engine began, and when the one before it was last seen at work. */
interface Times {
  readonly awakeSinceMs: number;
  readonly asleepSinceMs: number;
}

/** The times without an engine. A clock that leaps forward, as after a suspension, is as if none had run meanwhile. */
export class EngineTimes {
  #times: Times;
  #aheadMs: number;

  /** @param steadyMs time that passes, whatever the clock shows */
  constructor({ awakeSinceMs, asleepSinceMs }: Times, nowMs: number, steadyMs: number) {
    this.#times = { awakeSinceMs, asleepSinceMs };
    this.#aheadMs = nowMs - steadyMs;
  }

  get now(): Times {
    return this.#times;
  }

  /** @returns true when the clock has leapt since the last call */
  noticeLeap(nowMs: number, steadyMs: number): boolean {
    const aheadMs = nowMs - steadyMs;
    const leapMs = aheadMs - this.#aheadMs;
    this.#aheadMs = aheadMs;
    if (leapMs < LEAP_MS_MIN) return false;
    this.#times = { awakeSinceMs: nowMs, asleepSinceMs: nowMs - leapMs };
    return true;
  }
}
