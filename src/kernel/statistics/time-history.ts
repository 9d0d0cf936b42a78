/**
 * Time noise that was learned before the release: its size and how long it lasts. It holds for windows of any length: longer ones
 * have more of psi and less of rho, and only the long-run dispersion, 1 + psi·(1+rho)/(1−rho), is used, which stays (within a
 * quarter, on the side of caution). It is in proportion to the traffic of both tracks, which is that of before, and not to the
 * split: where the noise is that of instances, a small track has as much more of it as it weighs less.
 */
export interface TimeHistory {
  /** The variance beyond that of independent events, as a multiple of it, in the mean window. */
  readonly psi: number;
  /** Correlation of that variance from one window to the next. */
  readonly rho: number;
  /** Windows from which it was learned. */
  readonly windows: number;
}
