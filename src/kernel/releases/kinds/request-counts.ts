/** Upper ends of the classes that latencies are counted in, in ms; one more class is above. */
export const LATENCY_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000] as const;

/** Requests to one revision. */
export interface RequestCounts {
  readonly requests: number;
  /** Answered with 5xx, or not at all. */
  readonly errors: number;
  /** Requests by class of latency, see `LATENCY_MS`. */
  readonly latencies: readonly number[];
}

/** Requests to both tracks of a release in one place, such as a cluster. */
export interface PlaceRequests {
  readonly place: string;
  readonly candidate: RequestCounts;
  readonly stable: RequestCounts;
}

export const NO_REQUESTS: RequestCounts = {
  requests: 0,
  errors: 0,
  latencies: Array.from({ length: LATENCY_MS.length + 1 }, () => 0),
};

export function sumOfRequests(one: RequestCounts, other: RequestCounts): RequestCounts {
  return {
    requests: one.requests + other.requests,
    errors: one.errors + other.errors,
    latencies: one.latencies.map((count, index) => count + (other.latencies[index] ?? 0)),
  };
}

/** Requests that took longer than a limit of a class. */
export function slowerThan({ latencies }: RequestCounts, ms: number): number {
  return latencies.reduce((sum, count, index) => ((LATENCY_MS[index - 1] ?? 0) >= ms ? sum + count : sum), 0);
}
