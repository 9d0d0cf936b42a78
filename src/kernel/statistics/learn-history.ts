import { faultOf, type Interval } from './interval.ts';
import { blocksOf, ownNoise, shareInTime } from './time-blocks.ts';
import type { TimeHistory } from './time-history.ts';

/** Fewer windows in which something happened teach nothing. */
const WINDOWS_MIN = 60;

/**
 * Learns how moments vary by themselves from windows in which two halves of the same thing stand for the tracks: all that
 * they differ by, beyond the noise of counts, is noise of their own. The windows are of one length and in order; what cannot
 * be counted is left out. Undefined where there is too little.
 */
export function learnHistory(windows: readonly Interval[]): TimeHistory | undefined {
  const countable = windows.filter((one) => faultOf(one) === undefined);
  const { deviations } = shareInTime(blocksOf(countable), 0);
  return deviations.length < WINDOWS_MIN ? undefined : { ...ownNoise(deviations), windows: deviations.length };
}
