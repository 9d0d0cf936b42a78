import type { Colours } from '../terminal/io.ts';
import type { Paint } from './terminal-text.ts';

/** Properties of the terminal and the time. */
export interface View {
  readonly nowMs: number;
  /** Columns of the screen. */
  readonly width: number;
  readonly colours: Colours;
  /** Time zone of displayed times. */
  readonly timeZone: string;
}

/** The colour of a phase: progress, waiting, failure. */
export function phasePaint(phase: string, { green, yellow, red, cyan }: Colours): Paint {
  switch (phase) {
    case 'Promoted':
    case 'Promoting':
      return green;
    case 'Progressing':
      return cyan;
    case 'RollingBack':
    case 'RolledBack':
    case 'Aborted':
    case 'Blocked':
      return red;
    case 'Superseded':
      return (text) => text;
    default:
      return yellow;
  }
}

/** `10:02:11` in local time. */
export function clockTime(at: string | number, timeZone: string): string {
  const instant = typeof at === 'number' ? Temporal.Instant.fromEpochMilliseconds(at) : Temporal.Instant.from(at);
  return instant.toZonedDateTimeISO(timeZone).toPlainTime().toString({ smallestUnit: 'second' });
}

/** `2026-11-22 10:02:11` in local time. */
export function dateTime(at: string | number, timeZone: string): string {
  const instant = typeof at === 'number' ? Temporal.Instant.fromEpochMilliseconds(at) : Temporal.Instant.from(at);
  const zoned = instant.toZonedDateTimeISO(timeZone);
  return `${zoned.toPlainDate().toString()} ${zoned.toPlainTime().toString({ smallestUnit: 'second' })}`;
}
