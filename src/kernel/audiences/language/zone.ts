/** Transitions fall on quarters of an hour in UTC since this moment, so one offset holds for a quarter. */
const QUARTERS_SINCE_MS = Date.UTC(1973, 0, 1);
const QUARTER_MS = 900_000;
/** Zones in the cache; there are some 600 with their aliases, and contexts spell them in many ways. */
const ZONES_MAX = 1_000;

/** The wall clock of one zone. */
export interface ZoneClock {
  /** Offset to add to an instant in epoch milliseconds so that its UTC fields show the wall clock. */
  readonly offsetMs: (nowMs: number) => number;
}

const UTC: ZoneClock = { offsetMs: () => 0 };
const clocks = new Map<string, ZoneClock>();

/** The clock of an IANA zone; undefined when there is no such zone. */
export function zoneClock(zone: string): ZoneClock | undefined {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  const clock = zone === 'UTC' ? UTC : makeClock(zone);
  if (clock === undefined) return undefined;
  if (clocks.size >= ZONES_MAX) clocks.clear();
  clocks.set(zone, clock);
  return clock;
}

function makeClock(zone: string): ZoneClock | undefined {
  // Offsets like +01:00 are no zones: they have no summer time.
  if (!/^[A-Za-z]/.test(zone)) return undefined;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    return undefined;
  }
  let quarter = Number.NaN;
  let offset = 0;
  return {
    offsetMs: (nowMs) => {
      const now = Math.floor(nowMs / QUARTER_MS);
      if (now === quarter) return offset;
      const found = offsetAt(format, nowMs);
      if (nowMs >= QUARTERS_SINCE_MS) {
        quarter = now;
        offset = found;
      }
      return found;
    },
  };
}

function offsetAt(format: Intl.DateTimeFormat, nowMs: number): number {
  const seconds = Math.floor(nowMs / 1_000) * 1_000;
  const part: Record<string, string> = {};
  for (const { type, value } of format.formatToParts(seconds)) part[type] = value;
  const year = Number(part['year']);
  const wall = new Date(0);
  wall.setUTCFullYear(part['era'] === 'BC' ? 1 - year : year, Number(part['month']) - 1, Number(part['day']));
  wall.setUTCHours(Number(part['hour']), Number(part['minute']), Number(part['second']));
  return wall.getTime() - seconds;
}
