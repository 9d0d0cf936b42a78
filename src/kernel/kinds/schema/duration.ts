import { Type } from 'typebox';
import type { Path, Problem } from '#kernel/base/failures.ts';

const DAYS_TO_SECONDS = '^P(?=[0-9T])([0-9]{1,4}D)?(T(?=[0-9])([0-9]{1,4}H)?([0-9]{1,5}M)?([0-9]{1,7}S)?)?$';

/** Schema of a length of time in ISO 8601. Days of 24 hours at most: months and years have no fixed length. */
export const durationText = (description: string, more: { readonly default?: string } = {}) =>
  Type.String({ pattern: DAYS_TO_SECONDS, maxLength: 40, description, ...more });

/** Milliseconds of a length of time that passed `durationText`. */
export function durationMs(text: string): number {
  return Temporal.Duration.from(text).total('milliseconds');
}

/** Says when a length of time lies outside both bounds, which are themselves allowed. */
export function durationProblems(path: Path, text: string, least: string, most: string): readonly Problem[] {
  const ms = durationMs(text);
  if (ms >= durationMs(least) && ms <= durationMs(most)) return [];
  return [{ path, reason: 'FieldValueInvalid', detail: `"${text}" must be from ${least} to ${most}.` }];
}
