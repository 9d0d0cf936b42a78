import { isClosed } from './file-days.ts';
import type { DatasetFile } from './manifest.ts';

/**
 * Merges files with others of their size, so that each row is rewritten a few times at most. A file belongs to the tier of
 * its bytes; each tier is eight times the one below, and eight files of a tier become one.
 */
export const MERGE = {
  filesMin: 8,
  /** Larger files are not merged: readers would gain nothing. */
  bytesMax: 256 * 1024 * 1024,
  /** The lowest tier: for readers, all smaller files cost the same, one open. */
  smallBytes: 64 * 1024,
  /** Files of one merge, so that it ends soon. */
  filesMax: 256,
  /** Of one round: merges, and bytes that they read, so that the next roll-up is not late. */
  mergesMax: 256,
  roundBytesMax: 512 * 1024 * 1024,
  /** Late events arrive one by one: a closed day is not merged again for each of them. */
  closedPauseHours: 1,
} as const;

/**
 * Chooses the merges of one round. Types and days with most files come first, so that none has many files for long.
 * `isPassedOver` names types and days that are skipped for now.
 */
export function chooseMerges(
  files: readonly DatasetFile[],
  when: { readonly completeUntil: Temporal.Instant; readonly now: Temporal.Instant },
  isPassedOver: (key: string) => boolean,
): readonly (readonly DatasetFile[])[] {
  const worthIt = [...Map.groupBy(files, keyOf)]
    .filter(([key]) => !isPassedOver(key))
    .map(([, ofDay]) => chooseMerge(ofDay, when.completeUntil, when.now))
    .filter((chosen) => chosen.length > 0)
    .sort((a, b) => b.length - a.length);
  let bytes = 0;
  const round: (readonly DatasetFile[])[] = [];
  for (const chosen of worthIt.slice(0, MERGE.mergesMax)) {
    bytes += chosen.reduce((sum, file) => sum + file.bytes, 0);
    if (round.length > 0 && bytes > MERGE.roundBytesMax) break;
    round.push(chosen);
  }
  return round;
}

/** Names a type and day. */
export function keyOf({ type, day }: Pick<DatasetFile, 'type' | 'day'>): string {
  return `${type} ${day}`;
}

/**
 * Chooses files of one type and day to become one file; empty when a merge is not worth it. A closed day becomes one file
 * (or several of full size).
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
