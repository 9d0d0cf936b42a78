import { Type } from 'typebox';
import type { Path, Problem } from '#kernel/base/failures.ts';

const [DAYS, HOURS, MINUTES, SECONDS] = ['[0-9]{1,4}D', '[0-9]{1,4}H', '[0-9]{1,5}M', '[0-9]{1,7}S'] as const;
/** Without looking ahead, which RE2 cannot: exported schemas have the pattern. */
const TIME = `T(${HOURS}(${MINUTES})?(${SECONDS})?|${MINUTES}(${SECONDS})?|${SECONDS})`;
const DAYS_TO_SECONDS = `^P(${DAYS}(${TIME})?|${TIME})$`;

/** Schema of an ISO 8601 duration. Days have 24 hours; months and years are not allowed, as they have no fixed length. */
export const durationText = (description: string, more: { readonly default?: string } = {}) =>
  Type.String({ pattern: DAYS_TO_SECONDS, maxLength: 40, description, ...more });

/** Milliseconds of a duration that passed `durationText`. */
export function durationMs(text: string): number {
  return Temporal.Duration.from(text).total('milliseconds');
}

/** The problem of a duration outside the bounds, which are themselves allowed. */
export function durationProblems(path: Path, text: string, least: string, most: string): readonly Problem[] {
  const ms = durationMs(text);
  if (ms >= durationMs(least) && ms <= durationMs(most)) return [];
  return [{ path, reason: 'FieldValueInvalid', detail: `"${text}" must be from ${least} to ${most}.` }];
}
