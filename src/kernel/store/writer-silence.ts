import type { StoreLimits } from './limits.ts';
import type { WriterRow } from './writer-row.ts';

/** A standby's view of the writer: its latest heartbeat, and how often in a row there was no new one. */
export interface WriterSilence {
  readonly sign: string;
  readonly looks: number;
}

export const NO_SILENCE: WriterSilence = { sign: '', looks: 0 };

/** The silence after one more look. A writer that takes no forwarded writes counts as never silent. */
export function silenceAfter(
  { sign, looks }: WriterSilence,
  { epoch, version, beat, address }: WriterRow,
): WriterSilence {
  const seen = `${epoch} ${version} ${beat}`;
  return { sign: seen, looks: seen === sign && address !== undefined ? looks + 1 : 0 };
}

export function countAnew({ sign }: WriterSilence): WriterSilence {
  return { sign, looks: 0 };
}

/** Whether a writer has been silent for so long that another process takes its place. */
export function isTooSilent(
  { looks }: WriterSilence,
  { patienceMs }: Pick<WriterRow, 'patienceMs'>,
  { silentLooks, beatMs }: Pick<StoreLimits, 'silentLooks' | 'beatMs'>,
): boolean {
  return looks >= silentLooks + patienceMs / beatMs;
}
