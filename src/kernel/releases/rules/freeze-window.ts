import { RRuleTemporal } from 'rrule-temporal';
import type { Problem } from '#kernel/base/failures.ts';
import { durationMs } from '#kernel/resources/schema/duration.ts';

/** When a freeze holds: once from `start` until `end`, or again and again for `duration`, by the clocks of a zone. */
export interface FreezeWindow {
  readonly timeZone: string;
  readonly start: string;
  readonly end?: string;
  readonly rrule?: string;
  readonly duration?: string;
}

/** Candidates that a rule may make us look at: a rule that never comes is found out instead of waited for. */
const LOOKS_MAX = 100_000;

/** What is wrong with a window, at its path; undefined when it can be reckoned with. */
export function windowProblem(window: FreezeWindow): Problem | undefined {
  const { timeZone, start, end, rrule } = window;
  const say = (field: string, detail: string): Problem => ({
    path: ['spec', field],
    reason: 'FieldValueInvalid',
    detail,
  });
  const from = instantOf(start, 'UTC');
  if (from === undefined) return say('start', `"${start}" is not on the calendar; write it like 2026-12-24T18:00.`);
  if (instantOf(start, timeZone) === undefined) {
    return say('timeZone', `"${timeZone}" is no time zone; use a name of the IANA database, like Europe/Stockholm.`);
  }
  if (end !== undefined) {
    const until = instantOf(end, 'UTC');
    if (until === undefined) return say('end', `"${end}" is not on the calendar; write it like 2026-12-27T08:00.`);
    if (until <= from) return say('end', `It ends at ${end}, which is not after its start, ${start}.`);
  }
  if (rrule === undefined) return undefined;
  try {
    const rule = ruleOf(window);
    if (rule.next(new Date(0), true) === null) return say('rrule', `"${rrule}" never comes.`);
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it cannot be read';
    return say('rrule', `"${rrule}" is no rule: ${why}. Write it like FREQ=WEEKLY;BYDAY=FR,SA.`);
  }
  return undefined;
}

/**
 * Until when the window is open now, in epoch milliseconds; undefined when it is closed. Its start belongs to it and its
 * end does not. A local time that a change of clocks skips is the moment at which the clocks go on; one that comes twice
 * is the first. Windows of a rule that overlap go on from each other.
 */
export function openUntil(window: FreezeWindow, nowMs: number): number | undefined {
  const { timeZone, start, end, duration } = window;
  if (end !== undefined) {
    const from = instantOf(start, timeZone);
    const until = instantOf(end, timeZone);
    return from !== undefined && until !== undefined && nowMs >= from && nowMs < until ? until : undefined;
  }
  if (duration === undefined) return undefined;
  const lengthMs = durationMs(duration);
  const last = ruleOf(window).previous(new Date(nowMs), true);
  if (last === null) return undefined;
  const until = last.epochMilliseconds + lengthMs;
  return nowMs < until ? until : undefined;
}

function ruleOf({ timeZone, start, rrule = '' }: FreezeWindow): RRuleTemporal {
  return new RRuleTemporal({
    rruleString: rrule,
    dtstart: Temporal.PlainDateTime.from(start).toZonedDateTime(timeZone),
    maxIterations: LOOKS_MAX,
    maxCandidateEvaluations: LOOKS_MAX,
    strict: true,
  });
}

function instantOf(local: string, timeZone: string): number | undefined {
  try {
    return Temporal.PlainDateTime.from(local, { overflow: 'reject' }).toZonedDateTime(timeZone).epochMilliseconds;
  } catch {
    return undefined;
  }
}
