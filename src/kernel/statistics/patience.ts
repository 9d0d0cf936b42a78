import type { TrackClustering } from './cells.ts';
import { isOfMany, unitsIn } from './dispersion.ts';
import type { GuardrailState } from './fold.ts';
import { isOneMoment } from './moments.ts';
import { count, percent } from './phrases.ts';
import { dominantOf } from './sources.ts';
import type { ObservationTime } from './time-blocks.ts';

/** Assumed dispersion while the variation of a track in time is unknown. */
const DOUBT = 10;
/** Windows, and minutes, after which the variation of a track is known. Without units, time is the only source. */
const KNOWN = { withUnits: 20, without: 30 } as const;
const MINUTE_MS = 60_000;
/** The number of stretches instead, where they are declared independent. */
const KNOWN_STRETCHES = 6;
/** Units of the candidate, and effective cells, that a verdict of safety needs. */
export const SAFE = { units: 300, effectiveCells: 10 } as const;
/** No rollback after fewer windows: a hiccup ends. */
const WINDOWS_MIN = 3;

/**
 * Minimum dispersion while little is known of how a track varies in time: 10 at first, less with the square of time, and 1 after 20
 * windows and 20 minutes, or 30 where units are unknown. Overwhelming harm is found within three windows, and noise of a moment is
 * not taken for harm. With `independentMs` a window is a part of an observation, and the doubt is as many times larger.
 */
export function doubt(
  { windows, ms, stretches }: ObservationTime,
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
 * Why harm may be due to one moment, one source or one unit alone; undefined when it is not. `windows` counts the windows with the
 * harm. Where units are known, the candidate must have many, and none may have made the excess of its track.
 */
export function dominanceText(
  windows: number,
  { moments, sources }: Pick<GuardrailState, 'moments' | 'sources'>,
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

/** With a limit there is no other track to compare with: the excess is the whole count. */
export function withoutOther(track: TrackClustering): TrackClustering {
  return { ...track, excess: track.bad, excessMax: track.badMax, badOfMax: track.badMax };
}

/** A cell may have a tenth of the excess, or two events: chance puts two into one cell where there are few. */
const ONE_CELL = { part: 0.1, badMax: 2 } as const;
