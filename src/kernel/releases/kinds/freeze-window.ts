import { RRuleTemporal } from 'rrule-temporal';
import type { Problem } from '#kernel/base/failures.ts';

/** When a freeze is active: once from `start` until `end`, or repeatedly for `duration`, in local time of a zone. */
export interface FreezeWindow {
  readonly timeZone: string;
  readonly start: string;
  readonly end?: string;
  readonly rrule?: string;
  readonly duration?: string;
}

/**
 * Work limit of a rule: periods and moments that are evaluated. A rule is evaluated once for each of its edges, on the event loop
 * that serves all requests.
 */
const WORK = { periodsMax: 500, momentsMax: 5_000 } as const;
/** A rule with COUNT is evaluated from its first occurrence each time. */
const COUNT_MAX = 100;
/** Windows that are evaluated to find the open one. */
const WINDOWS_MAX = 12;
/** Months in which a rule is tried before it is accepted: a rule that is cheap now may be expensive in another month. */
const TRIED_MONTHS = [0, 1, 3, 5, 7, 9, 11] as const;

/** Times of an open window, in epoch milliseconds; the start is inclusive, the end exclusive. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The problem of a window, at its path; undefined when it can be evaluated. */
export function windowProblem(window: FreezeWindow, now: Temporal.Instant): Problem | undefined {
  const { timeZone, start, end, rrule } = window;
  const say = (field: string, detail: string): Problem => ({
    path: ['spec', field],
    reason: 'FieldValueInvalid',
    detail,
  });
  const from = instantOf(start, 'UTC');
  if (from === undefined) return say('start', `"${start}" is no valid date; write it like 2026-12-24T18:00.`);
  if (instantOf(start, timeZone) === undefined) {
    return say('timeZone', `"${timeZone}" is no time zone; use a name of the IANA database, like Europe/Stockholm.`);
  }
  if (end !== undefined) {
    const until = instantOf(end, 'UTC');
    if (until === undefined) return say('end', `"${end}" is no valid date; write it like 2026-12-27T08:00.`);
    if (until <= from) return say('end', `It ends at ${end}, which is not after its start, ${start}.`);
  }
  return rrule === undefined ? undefined : ruleProblem(window, rrule, now, say);
}

function ruleProblem(
  window: FreezeWindow,
  rrule: string,
  now: Temporal.Instant,
  say: (field: string, detail: string) => Problem,
): Problem | undefined {
  const fine = /\b(?:FREQ=(?:MINUTELY|SECONDLY)|BY(?:MINUTE|SECOND)=[^;]*,)/i.exec(rrule)?.[0];
  if (fine !== undefined) return say('rrule', `"${fine}" repeats within the hour; a freeze repeats hourly at most.`);
  const count = Number(/\bCOUNT=(\d+)/i.exec(rrule)?.[1] ?? 0);
  if (count > COUNT_MAX) return say('rrule', `COUNT is ${count}, at most ${COUNT_MAX} is allowed: use UNTIL instead.`);
  try {
    if (ruleOf(window).next(new Date(0), true) === null) return say('rrule', `"${rrule}" never comes.`);
    const zoned = now.toZonedDateTimeISO(window.timeZone);
    for (const months of TRIED_MONTHS) spanAfter(window, zoned.add({ months }).epochMilliseconds);
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it cannot be read';
    if (/exceeded/.test(why)) {
      const detail = `"${rrule}" never comes, or takes too long to evaluate: use a longer FREQ, like YEARLY with BYMONTH.`;
      return say('rrule', detail);
    }
    return say('rrule', `"${rrule}" is no rule: ${why}. Write it like FREQ=WEEKLY;BYDAY=FR,SA.`);
  }
  return undefined;
}

/**
 * The first open time of the window that ends after a moment; undefined when there is none. A local time that a change of clocks
 * skips maps to the moment of the change; a repeated one to its first occurrence. Days of a duration are calendar days, of 23 to 25
 * hours (RFC 5545); hours are hours. Overlapping windows are one. Throws where a rule exceeds its work limit.
 */
export function spanAfter(window: FreezeWindow, momentMs: number): Span | undefined {
  const { timeZone, start, end, duration } = window;
  if (end !== undefined) {
    const fromMs = instantOf(start, timeZone);
    const untilMs = instantOf(end, timeZone);
    return fromMs === undefined || untilMs === undefined || untilMs <= momentMs ? undefined : { fromMs, untilMs };
  }
  if (duration === undefined) return undefined;
  const rule = ruleOf(window);
  const zoned = Temporal.Instant.fromEpochMilliseconds(momentMs).toZonedDateTimeISO(timeZone);
  // Starts slightly before one duration ago: a change of clocks may lie between.
  let cursorMs = zoned.subtract(duration).subtract({ hours: 3 }).epochMilliseconds;
  let found: Span | undefined;
  for (let looked = 0; looked < WINDOWS_MAX; looked += 1) {
    const next = rule.next(new Date(cursorMs), looked === 0);
    if (next === null) return found;
    const fromMs = next.epochMilliseconds;
    if (found !== undefined && fromMs > momentMs) return found;
    const begins = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(timeZone);
    const untilMs = begins.add(duration).epochMilliseconds;
    // The latest of the open windows gives the end.
    if (untilMs > momentMs) found = { fromMs: found?.fromMs ?? fromMs, untilMs };
    if (fromMs > momentMs) return found;
    cursorMs = fromMs;
  }
  return found;
}

function ruleOf({ timeZone, start, rrule = '' }: FreezeWindow): RRuleTemporal {
  return new RRuleTemporal({
    rruleString: rrule,
    dtstart: Temporal.PlainDateTime.from(start).toZonedDateTime(timeZone),
    maxIterations: WORK.periodsMax,
    maxCandidateEvaluations: WORK.momentsMax,
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
