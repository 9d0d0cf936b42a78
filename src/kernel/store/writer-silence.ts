import type { StoreLimits } from './limits.ts';
import type { WriterRow } from './writer-row.ts';

/** A standby's view of the writer: its latest heartbeat, and how often in a row there was no new one. */
export interface WriterSilence {
  readonly sign: string;
  /** Since it was last tried to take its place. */
  readonly looks: number;
  readonly looksInAll: number;
}

export const NO_SILENCE: WriterSilence = { sign: '', looks: 0, looksInAll: 0 };

/** The silence after one more look. A writer that takes no forwarded writes counts as never silent. */
export function silenceAfter(
  { sign, looks, looksInAll }: WriterSilence,
  { epoch, version, beat, address }: WriterRow,
): WriterSilence {
  const seen = `${epoch} ${version} ${beat}`;
  return seen === sign && address !== undefined
    ? { sign, looks: looks + 1, looksInAll: looksInAll + 1 }
    : { ...NO_SILENCE, sign: seen };
}

/** Whether something of the writer changed between two looks; the first look shows nothing. */
export function isSignOfLife(before: WriterSilence, after: WriterSilence): boolean {
  return before.sign !== '' && before.sign !== after.sign;
}

export function countAnew(silence: WriterSilence): WriterSilence {
  return { ...silence, looks: 0 };
}

/** Whether nobody has taken the place of a silent writer in the time that this should take: nothing can be written. */
export function isUnattended(
  { looksInAll }: WriterSilence,
  writer: Pick<WriterRow, 'patienceMs'>,
  limits: Pick<StoreLimits, 'silentLooks' | 'beatMs'>,
): boolean {
  return isTooSilent({ looks: looksInAll - limits.silentLooks }, writer, limits);
}

/** Whether a writer has been silent for so long that another process takes its place. */
export function isTooSilent(
  { looks }: Pick<WriterSilence, 'looks'>,
  { patienceMs }: Pick<WriterRow, 'patienceMs'>,
  { silentLooks, beatMs }: Pick<StoreLimits, 'silentLooks' | 'beatMs'>,
): boolean {
  return looks >= silentLooks + patienceMs / beatMs;
}
