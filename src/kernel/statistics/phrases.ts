import type { Evidence } from './verdict.ts';
import type { Counts } from './interval.ts';

/** Larger odds are shown as "over 1,000,000". */
const ODDS_TOLD_MAX = 1e6;

/** "4,310": whole, for a reader. */
export function count(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** "0.21 %": two digits that matter; whole percents from ten. */
export function percent(part: number): string {
  const value = part * 100;
  return `${value >= 10 ? Math.round(value) : figure(value)} %`;
}

/** "2.1": two digits that matter, no exponent. */
export function figure(value: number): string {
  return value >= 10 ? count(value) : String(Number(value.toPrecision(2)));
}

/** "0.21 % of 4,310". */
export function rateOf({ units, bad }: Counts): string {
  return units === 0 ? 'nothing counted' : `${percent(bad / units)} of ${count(units)}`;
}

/** "evidence 41 : 1, needed 40 : 1". */
export function odds({ value, needed }: Evidence): string {
  return `evidence ${oddsOf(value)} : 1, needed ${count(needed)} : 1`;
}

/** Rounded down, so that what is not enough never looks enough. */
export function oddsOf(value: number): string {
  if (value > ODDS_TOLD_MAX) return `over ${count(ODDS_TOLD_MAX)}`;
  return value >= 10 ? count(Math.floor(value)) : String(Math.floor(value * 10) / 10);
}

/** "5 min", "6 h", "3 d". */
export function span(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes >= 2_880) return `${figure(minutes / 1_440)} d`;
  return minutes >= 60
    ? `${figure(minutes / 60)} h`
    : minutes >= 1
      ? `${figure(minutes)} min`
      : `${figure(ms / 1_000)} s`;
}
