/** The format of times in objects: seconds, rounded up. */
export function timeText(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(Math.ceil(ms)).toString({
    smallestUnit: 'second',
    roundingMode: 'ceil',
  });
}
