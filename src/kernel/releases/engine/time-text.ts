/** As times stand in objects: to the second, and not before they have come. */
export function timeText(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(Math.ceil(ms)).toString({
    smallestUnit: 'second',
    roundingMode: 'ceil',
  });
}
