/** The limits of a store. Named, so that a test can lower one and a page can document them. */
export interface StoreLimits {
  /** Requests that wait for the writer; at 3,000 writes a second this is some three seconds of waiting. */
  readonly queuedRequests: number;
  /** Operations of one atomic request: it is decided in one go, during which nothing else runs. */
  readonly operationsInRequest: number;
  /** Requests committed together: enough to share a flush, few enough to decide within some 20 ms. */
  readonly requestsInBatch: number;
  /** Text committed together, in characters; one request alone may be above it. */
  readonly charactersInBatch: number;
  /** Changes that watchers can go back. */
  readonly changesInWindow: number;
  /** Text of those changes, in characters. */
  readonly charactersInWindow: number;
  /** How long to wait at the start for another writer to end. */
  readonly writerWaitSeconds: number;
  /** How long closing waits for a database that is away. */
  readonly closeSeconds: number;
  /** How often a writer that has nothing to write shows that it is there, and how often others look. */
  readonly beatMs: number;
  /**
   * How long a writer may be taken at its word after the database last confirmed it. Shorter than the silence after which
   * another one takes its place, by more than clocks can differ in that time.
   */
  readonly leaseMs: number;
  /** Silence of the database after which a writer with standbys gives way; shorter than the six seconds of `silentLooks`. */
  readonly silentMs: number;
  /** Looks in a row, `beatMs` apart, without a new heartbeat of the writer, until a standby replaces it: six seconds. */
  readonly silentLooks: number;
  /** How long a read waits for what was written elsewhere. */
  readonly freshMs: number;
}

export const STORE_LIMITS: StoreLimits = {
  queuedRequests: 10_000,
  // A change set of 10,000 objects, and what is written with its release.
  operationsInRequest: 10_100,
  requestsInBatch: 256,
  charactersInBatch: 8 * 1024 * 1024,
  changesInWindow: 100_000,
  charactersInWindow: 64 * 1024 * 1024,
  writerWaitSeconds: 10,
  closeSeconds: 10,
  beatMs: 1_000,
  leaseMs: 4_000,
  silentMs: 5_000,
  silentLooks: 6,
  freshMs: 5_000,
};
