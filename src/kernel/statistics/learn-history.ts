import { faultOf, type Interval } from './interval.ts';
import { blocksOf, ownNoise, shareInTime } from './time-blocks.ts';
import type { TimeHistory } from './time-history.ts';

/** With fewer windows that have events, nothing is learned. */
const WINDOWS_MIN = 60;

/**
 * Learns time noise from windows in which two halves of the same population stand for the tracks: their difference, beyond the
 * noise of counts, is noise. The windows have one length and are in order; windows that cannot be counted are skipped. Undefined
 * where there is too little.
 */
export function learnHistory(windows: readonly Interval[]): TimeHistory | undefined {
  const countable = windows.filter((one) => faultOf(one) === undefined);
  const { deviations } = shareInTime(blocksOf(countable), 0);
  return deviations.length < WINDOWS_MIN ? undefined : { ...ownNoise(deviations), windows: deviations.length };
}
