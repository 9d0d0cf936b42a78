/** The UTC day of a moment, as `2026-05-01`. */
export function dayOf(instant: Temporal.Instant): string {
  return instant.toZonedDateTimeISO('UTC').toPlainDate().toString();
}

export function plusDays(day: string, days: number): string {
  return Temporal.PlainDate.from(day).add({ days }).toString();
}

/**
 * The first day that is kept: every event of earlier days is older than the retention (an ISO 8601 duration of days and
 * hours).
 */
export function firstDayKept(retention: string, now: Temporal.Instant): string {
  return dayOf(now.subtract({ milliseconds: Temporal.Duration.from(retention).total('milliseconds') }));
}

/**
 * Whether a day is closed: the day after it has ended too, and everything that was received until then is in files.
 * Events that come after are late.
 */
export function isClosed(day: string, completeUntil: Temporal.Instant): boolean {
  const end = Temporal.PlainDate.from(day).add({ days: 2 }).toZonedDateTime('UTC').toInstant();
  return Temporal.Instant.compare(completeUntil, end) >= 0;
}
