import { Refusal, Unavailable } from '#kernel/base/failures.ts';
import type { HoldCause, HoldReason, HoldReasons } from '../settle.ts';

const PASSING: ReadonlySet<Refusal['reason']> = new Set([
  'Conflict',
  'TooManyRequests',
  'ServiceUnavailable',
  'Timeout',
]);

/** Whether an error is transient, and not caused by the object. */
export function isPassing(error: unknown): boolean {
  return error instanceof Unavailable || (error instanceof Refusal && PASSING.has(error.reason));
}

export function isConflict(error: unknown): boolean {
  return error instanceof Refusal && error.reason === 'Conflict';
}

/** The hold reasons for an object that the engine failed with. */
export function problemsOf(error: unknown): HoldReasons {
  if (error instanceof Refusal && error.problems.length > 0) {
    return error.problems.map((one) => ({ ...one, cause: 'BackOff' }));
  }
  if (error instanceof Refusal) return [problem(error.message, 'BackOff')];
  return [problem(`internal error: ${error instanceof Error ? error.message : String(error)}`, 'BackOff')];
}

/** A hold of an object as a whole. */
export function problem(detail: string, cause: HoldCause): HoldReason {
  return { path: [], reason: 'FieldValueInvalid', detail, cause };
}
