const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;
/** The range of Date ends here. */
const EPOCH_MS_MAX = 8.64e15;

/**
 * Epoch milliseconds of an instant: RFC 3339 text, or a number that is epoch milliseconds already. undefined for any
 * other value, like the 30th of February or a leap second.
 */
export function epochMs(value: unknown): number | undefined {
  if (typeof value === 'number') return Math.abs(value) <= EPOCH_MS_MAX ? value : undefined;
  if (typeof value !== 'string' || !RFC_3339.test(value)) return undefined;
  const at = (from: number, until: number) => Number(value.slice(from, until));
  const [month, day, hour, minute, second] = [at(5, 7), at(8, 10), at(11, 13), at(14, 16), at(17, 19)];
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(at(0, 4), month - 1, day);
  if (date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second);
  const zone = value.length - 6;
  const isUtc = value.endsWith('Z') || value.endsWith('z');
  const fraction = value.slice(19, isUtc ? -1 : zone);
  const milliseconds = fraction === '' ? 0 : Math.floor(Number(fraction.slice(0, 4)) * 1_000 + 1e-6);
  if (isUtc) return date.getTime() + milliseconds;
  const [offsetHours, offsetMinutes] = [at(zone + 1, zone + 3), at(zone + 4, zone + 6)];
  if (offsetHours > 23 || offsetMinutes > 59) return undefined;
  const offsetMs = (offsetHours * 60 + offsetMinutes) * 60_000;
  return date.getTime() + milliseconds - (value[zone] === '-' ? -offsetMs : offsetMs);
}
