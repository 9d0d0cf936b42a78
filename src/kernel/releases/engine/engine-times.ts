/** Smaller differences are normal clock drift. */
const LEAP_MS_MIN = 5_000;

/** When this engine started, and the last heartbeat of the engine before it. */
interface Times {
  readonly awakeSinceMs: number;
  readonly asleepSinceMs: number;
}

/** The times without an engine. A forward leap of the clock, as after a suspension, counts as downtime. */
export class EngineTimes {
  #times: Times;
  #aheadMs: number;

  /** @param steadyMs monotonic time, independent of the clock */
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
