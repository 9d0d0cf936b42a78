import { isClosed } from './file-days.ts';
import type { DatasetFile } from './manifest.ts';

/**
 * Files are merged with those of their own size, so that each row is written again a few times at most: a file belongs
 * to the tier of its bytes, each tier eight times the one below, and eight of a tier become one.
 */
export const MERGE = {
  filesMin: 8,
  /** Larger files stay as they are: merging them would gain nothing for readers. */
  bytesMax: 256 * 1024 * 1024,
  /** The lowest tier: files of less than this are alike, for readers each costs one opening. */
  smallBytes: 64 * 1024,
  /** Files of one merge, so that it ends soon. */
  filesMax: 256,
  /** Late events come in drops: a closed day is not merged again for each of them. */
  closedPauseHours: 1,
} as const;

/**
 * Chooses files of one type and day to become one file; none when it is not worth it. A closed day becomes one file (or
 * several of full size).
 */
export function chooseMerge(
  files: readonly DatasetFile[],
  completeUntil: Temporal.Instant,
  now: Temporal.Instant,
): readonly DatasetFile[] {
  const mergeable = files.filter(({ bytes }) => bytes < MERGE.bytesMax).sort((a, b) => a.bytes - b.bytes);
  for (const tier of Map.groupBy(mergeable, ({ bytes }) => tierOf(bytes)).values()) {
    if (tier.length >= MERGE.filesMin) return tier.slice(0, MERGE.filesMax);
  }
  const day = files[0]?.day;
  if (day === undefined || mergeable.length < 2 || !isClosed(day, completeUntil)) return [];
  const paused = now.subtract({ hours: MERGE.closedPauseHours });
  const isSettled = mergeable.every(({ createdAt }) => Temporal.Instant.compare(createdAt, paused) <= 0);
  return isSettled ? mergeable.slice(0, MERGE.filesMax) : [];
}

function tierOf(bytes: number): number {
  return bytes < MERGE.smallBytes ? 0 : 1 + Math.floor(Math.log(bytes / MERGE.smallBytes) / Math.log(MERGE.filesMin));
}
