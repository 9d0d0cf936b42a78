import { LATENCY_MS, NO_REQUESTS, sumOfRequests, type RequestCounts } from '#kernel/releases/kinds/request-counts.ts';

const LIMITS = {
  /** Length of the windows that requests are counted in. */
  windowMs: 1_000,
  /** Windows that are kept: a quarter of an hour. */
  windowsMax: 900,
} as const;

/** Counts that grow. */
interface Counter extends RequestCounts {
  requests: number;
  errors: number;
  latencies: number[];
}

/** Counts by revision, in windows by their start. */
export class Traffic {
  readonly #windows = new Map<number, Map<string, Counter>>();

  add(revision: string, nowMs: number, { isError, ms }: { readonly isError: boolean; readonly ms: number }): void {
    const window = this.#windowAt(nowMs);
    let counts = window.get(revision);
    if (counts === undefined) {
      counts = { ...NO_REQUESTS, latencies: [...NO_REQUESTS.latencies] };
      window.set(revision, counts);
    }
    addTo(counts, isError, ms);
  }

  /** The counts of all windows that begin from one time on and before another, by revision. */
  between(fromMs: number, toMs: number): ReadonlyMap<string, RequestCounts> {
    const sums = new Map<string, RequestCounts>();
    for (const [startMs, window] of this.#windows) {
      if (startMs < fromMs || startMs >= toMs) continue;
      for (const [revision, counts] of window) {
        sums.set(revision, sumOfRequests(sums.get(revision) ?? NO_REQUESTS, counts));
      }
    }
    return sums;
  }

  #windowAt(nowMs: number): Map<string, Counter> {
    const startMs = nowMs - (nowMs % LIMITS.windowMs);
    const known = this.#windows.get(startMs);
    if (known !== undefined) return known;
    const window = new Map<string, Counter>();
    this.#windows.set(startMs, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > LIMITS.windowsMax && oldest !== undefined) this.#windows.delete(oldest);
    return window;
  }
}

function addTo(counts: Counter, isError: boolean, ms: number): void {
  counts.requests += 1;
  if (isError) counts.errors += 1;
  let index = 0;
  while (index < LATENCY_MS.length && ms > (LATENCY_MS[index] ?? 0)) index += 1;
  counts.latencies[index] = (counts.latencies[index] ?? 0) + 1;
}
