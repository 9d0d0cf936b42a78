/** Buckets of our own algorithm, and the unit of every allocation. */
export const BUCKETS = 1_000_000;
