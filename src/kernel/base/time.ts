/** Time that only moves forward, and waiting in it; passed in, so that tests choose it. */
export interface Time {
  /** Milliseconds since some moment. */
  readonly nowMs: () => number;
  /** Calls once, after so many milliseconds. Returns the way to call it off. */
  readonly after: (ms: number, call: () => void) => () => void;
}

/** The longest that a timer of the platform can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemTime: Time = {
  nowMs: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, Math.min(ms, TIMER_MS_MAX));
    return () => clearTimeout(timer);
  },
};

/** Resolves after so many milliseconds, or at once when the signal aborts. */
export function pause(time: Time, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = () => {
      cancel();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = time.after(ms, finish);
    signal.addEventListener('abort', finish);
  });
}

/** The result of work that takes longer than its limit. */
export const LATE = Symbol('late');

/** The result of work, or LATE when it takes longer; what comes of it then is of no interest. Fails as the work does. */
export async function within<Result>(
  work: Promise<Result>,
  ms: number,
  time: Time = systemTime,
): Promise<Result | typeof LATE> {
  const { promise: late, resolve } = Promise.withResolvers<typeof LATE>();
  const cancel = time.after(Math.max(0, ms), () => resolve(LATE));
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}

/** The result of work, or LATE where the signal aborts first; what comes of it then is of no interest. */
export function untilAbort<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result | typeof LATE> {
  return Promise.race([work, waitForAbort(signal).then((): typeof LATE => LATE)]);
}

/** Somewhere between half of it and all of it, so that many who wait do not come back together. */
export function jitter(ms: number, random: () => number): number {
  return ms * (0.5 + random() / 2);
}

/** Resolves when the signal aborts. */
export function waitForAbort(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
