/** What was learned before: by how much more than chance a track's own moments vary, and how long they last. */
export interface TimeHistory {
  /** The variance beyond that of independent events, as a multiple of it, in the mean window. */
  readonly psi: number;
  /** Correlation of that from one window to the next. */
  readonly rho: number;
  /** Of how many windows it was learned. */
  readonly windows: number;
}
