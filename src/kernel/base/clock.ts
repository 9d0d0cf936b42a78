/** Where the time comes from. Passed in everywhere, so that tests choose it. */
export type Clock = () => Temporal.Instant;

export const systemClock: Clock = () => Temporal.Now.instant();

/** An instant as Kubernetes writes it: RFC 3339 in UTC, whole seconds. */
export function kubernetesTime(instant: Temporal.Instant): string {
  return instant.toString({ smallestUnit: 'second' });
}
