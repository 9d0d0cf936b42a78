import { LATENCY_MS, type RequestCounts } from '#kernel/releases/kinds/request-counts.ts';

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
      counts = noRequests();
      window.set(revision, counts);
    }
    addTo(counts, isError, ms);
  }

  /** The counts of all windows that begin from one time on and before another, by revision. */
  between(fromMs: number, toMs: number): ReadonlyMap<string, RequestCounts> {
    const sums = new Map<string, Counter>();
    for (const [startMs, window] of this.#windows) {
      if (startMs < fromMs || startMs >= toMs) continue;
      for (const [revision, counts] of window) {
        const sum = sums.get(revision) ?? noRequests();
        sum.requests += counts.requests;
        sum.errors += counts.errors;
        sum.latencies = sum.latencies.map((count, index) => count + (counts.latencies[index] ?? 0));
        sums.set(revision, sum);
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

function noRequests(): Counter {
  return { requests: 0, errors: 0, latencies: Array.from({ length: LATENCY_MS.length + 1 }, () => 0) };
}

function addTo(counts: Counter, isError: boolean, ms: number): void {
  counts.requests += 1;
  if (isError) counts.errors += 1;
  let index = 0;
  while (index < LATENCY_MS.length && ms > (LATENCY_MS[index] ?? 0)) index += 1;
  counts.latencies[index] = (counts.latencies[index] ?? 0) + 1;
}
