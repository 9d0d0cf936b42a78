import { InvalidArgumentError } from 'commander';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `90s`, `10m`, `1h30m`, `2d`, or of ISO 8601 like PT10M. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d{1,7})([smhd])/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text) {
    return parts.reduce((total, [, amount, unit]) => total + Number(amount) * unitMs(unit), 0);
  }
  try {
    return Temporal.Duration.from(text).total('milliseconds');
  } catch {
    throw new InvalidArgumentError('It must be a duration like 90s, 10m, 1h30m or PT10M.');
  }
}

function unitMs(unit: string | undefined): number {
  return unit === 's' || unit === 'm' || unit === 'h' || unit === 'd' ? UNITS[unit] : 0;
}

/** An instant, given directly or as a duration from now. */
export function parseUntil(text: string): string {
  try {
    return Temporal.Instant.from(text).toString({ smallestUnit: 'second' });
  } catch {
    const ms = durationOr(text);
    if (ms === undefined) {
      throw new InvalidArgumentError('It must be a time like 2026-12-01T00:00:00Z, or a duration like 24h.');
    }
    return Temporal.Now.instant().add({ milliseconds: ms }).toString({ smallestUnit: 'second' });
  }
}

function durationOr(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}
