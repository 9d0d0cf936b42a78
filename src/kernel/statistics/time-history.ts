/**
 * What was learned before: by how much more than chance a track's own moments vary, and how long they last. It holds for
 * windows of any length: longer ones have more of psi and less of rho, and what is taken from it is only what both come to
 * over a long time, 1 + psi·(1+rho)/(1−rho), which stays (within a quarter, on the side of caution). It is in proportion to
 * the traffic of both tracks, which is that of before, and not to how it is split: where the noise is that of instances,
 * a small track has more of it by as much as it weighs less.
 */
export interface TimeHistory {
  /** The variance beyond that of independent events, as a multiple of it, in the mean window. */
  readonly psi: number;
  /** Correlation of that from one window to the next. */
  readonly rho: number;
  /** Of how many windows it was learned. */
  readonly windows: number;
}
