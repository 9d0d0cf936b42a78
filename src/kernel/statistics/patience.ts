import type { Clustering } from './cells.ts';
import { CELLS_MIN } from './dispersion.ts';
import type { Folded } from './fold.ts';

/** By how many times what a track does may vary more than chance, as long as nothing is known of how it varies in time. */
const DOUBT = 10;
/** What is known after so many windows, and so long, is known. */
const KNOWN = { windows: 20, ms: 20 * 60_000 } as const;
/** Stretches that were declared to be independent, instead. */
const KNOWN_STRETCHES = 6;
/** So many units of the candidate, and cells behind what it did, before anything is called safe. */
export const SAFE = { units: 300, effectiveCells: 10 } as const;
/** Nothing rolls back sooner: a hiccup ends. */
export const WINDOWS_MIN = 3;

/**
 * What dispersion is taken at least while little is known of how a track varies in time: 10 at first, and less with the
 * square of time, to 1 once 20 windows and 20 minutes were seen. So overwhelming harm is found within three windows, and what
 * may be a moment's noise is not taken for harm. With `independentMs` a window is but a part of an observation, and the doubt as many times as large.
 */
export function doubt({ windows, blocks }: Folded, independentMs: number | undefined): number {
  if (independentMs === undefined) {
    return Math.max(1, DOUBT * (1 - Math.min(windows.count / KNOWN.windows, windows.ms / KNOWN.ms) ** 2));
  }
  const stretches = blocks.blocks.length;
  const windowsEach = Math.max(1, (independentMs * windows.count) / Math.max(1, windows.ms));
  return Math.max(1, DOUBT * windowsEach * (1 - stretches / KNOWN_STRETCHES));
}

/** Whether one cell has so much of the excess of its track that it may be one unit alone. */
export function isOneUnit({ excess, excessMax, badOfMax }: Clustering['candidate']): boolean {
  return badOfMax > ONE_CELL.badMax && excessMax > ONE_CELL.part * excess;
}

/** A cell may have a tenth of the excess; or two events, which chance brings together in one cell where there are few. */
const ONE_CELL = { part: 0.1, badMax: 2 } as const;

/** Whether there are units enough on a track for their differences to be known. */
export function isOfMany({ cells }: Clustering['candidate']): boolean {
  return cells >= CELLS_MIN;
}
