const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

/** An age as kubectl shows it (`HumanDuration` of k8s.io/apimachinery): two units while it is young, one when old. */
export function humanDuration(seconds: number): string {
  const whole = Math.trunc(seconds);
  // Two seconds of disagreement between clocks still count as now.
  if (whole < -1) return '<invalid>';
  if (whole < 0) return '0s';
  if (whole < 2 * minute) return `${whole}s`;
  if (whole < 10 * minute) return two(whole, [minute, 'm'], [1, 's']);
  if (whole < 3 * hour) return `${Math.floor(whole / minute)}m`;
  if (whole < 8 * hour) return two(whole, [hour, 'h'], [minute, 'm']);
  if (whole < 2 * day) return `${Math.floor(whole / hour)}h`;
  if (whole < 8 * day) return two(whole, [day, 'd'], [hour, 'h']);
  if (whole < 2 * year) return `${Math.floor(whole / day)}d`;
  if (whole < 8 * year) return two(whole, [year, 'y'], [day, 'd']);
  return `${Math.floor(whole / year)}y`;
}

/** A unit: its seconds and how it is written. */
type Unit = readonly [seconds: number, suffix: string];

function two(seconds: number, [large, largeSuffix]: Unit, [small, smallSuffix]: Unit): string {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)}${largeSuffix}${rest === 0 ? '' : `${rest}${smallSuffix}`}`;
}
