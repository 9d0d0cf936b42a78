import type { TrackClustering } from './cells.ts';
import { isOfMany, unitsIn } from './dispersion.ts';
import type { Folded } from './fold.ts';
import { isOneMoment } from './moments.ts';
import { count, percent } from './phrases.ts';
import { dominantOf } from './sources.ts';
import type { Known } from './time-blocks.ts';

/** By how many times what a track does may vary more than chance, as long as nothing is known of how it varies in time. */
const DOUBT = 10;
/** After so many windows, and as many minutes, a track is known. Without units its moments are all there is to know it by. */
const KNOWN = { withUnits: 20, without: 30 } as const;
const MINUTE_MS = 60_000;
/** Stretches that were declared to be independent, instead. */
const KNOWN_STRETCHES = 6;
/** So many units of the candidate, and cells behind what it did, before anything is called safe. */
export const SAFE = { units: 300, effectiveCells: 10 } as const;
/** Nothing rolls back sooner: a hiccup ends. */
const WINDOWS_MIN = 3;

/**
 * What dispersion is taken at least while little is known of how a track varies in time: 10 at first, and less with the
 * square of time, to 1 once 20 windows and 20 minutes were seen, or 30 where no units are known. So overwhelming harm is
 * found within three windows, and what may be a moment's noise is not taken for harm. With `independentMs` a window is but a
 * part of an observation, and the doubt as many times as large.
 */
export function doubt(
  { windows, ms, stretches }: Known,
  { hasUnits, independentMs }: { readonly hasUnits: boolean; readonly independentMs?: number | undefined },
): number {
  if (independentMs === undefined) {
    const needed = hasUnits ? KNOWN.withUnits : KNOWN.without;
    return Math.max(1, DOUBT * (1 - Math.min(windows / needed, ms / (needed * MINUTE_MS)) ** 2));
  }
  const windowsEach = Math.max(1, (independentMs * windows) / Math.max(1, ms));
  return Math.max(1, DOUBT * windowsEach * (1 - stretches / KNOWN_STRETCHES));
}

/**
 * Why harm may be that of one moment, one place or one unit alone; undefined when it is not. `windows` are those it is seen in.
 * Where units are known, those of the candidate must be many, and none may have made what is too much on its track.
 */
export function aloneText(
  windows: number,
  { moments, sources }: Pick<Folded, 'moments' | 'sources'>,
  units: { readonly candidate: TrackClustering; readonly suspect: TrackClustering } | undefined,
): string | undefined {
  if (windows < WINDOWS_MIN) return `only in ${windows === 1 ? 'one window' : `${windows} windows`}`;
  if (isOneMoment(moments)) return 'half of what is more, or all, comes from one window that is over';
  const dominant = dominantOf(sources);
  if (dominant !== undefined)
    return `${percent(dominant.badPart)} of what is more comes from ${dominant.source}, which has ${percent(dominant.unitsPart)} of the units: one source dominates`;
  if (units === undefined) return undefined;
  if (!isOfMany(units.candidate)) return `it is that of some ${count(unitsIn(units.candidate))} units alone`;
  const { excess, excessMax, badOfMax } = units.suspect;
  if (badOfMax <= ONE_CELL.badMax || excessMax <= ONE_CELL.part * excess) return undefined;
  const part = excess > 0 ? Math.min(1, excessMax / excess) : 1;
  return `${percent(part)} of what is more comes from one unit, or a few: one unit dominates`;
}

/** Beside a limit there is no other track to have more than: what is too much is all there is. */
export function withoutOther(track: TrackClustering): TrackClustering {
  return { ...track, excess: track.bad, excessMax: track.badMax, badOfMax: track.badMax };
}

/** A cell may have a tenth of the excess; or two events, which chance brings together in one cell where there are few. */
const ONE_CELL = { part: 0.1, badMax: 2 } as const;
