/** Where the time comes from. Passed in everywhere, so that tests choose it. */
export type Clock = () => Temporal.Instant;

let lastMs = 0;
let lastInstant = Temporal.Instant.fromEpochMilliseconds(0);

/** The time of this machine, to the millisecond. Within one it gives the same object: many decisions fit into one. */
export const systemClock: Clock = () => {
  const ms = Date.now();
  if (ms !== lastMs) {
    lastMs = ms;
    lastInstant = Temporal.Instant.fromEpochMilliseconds(ms);
  }
  return lastInstant;
};

/** An instant as Kubernetes writes it: RFC 3339 in UTC, whole seconds. */
export function kubernetesTime(instant: Temporal.Instant): string {
  const second = Math.floor(instant.epochMilliseconds / 1_000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastSecondText = instant.toString({ smallestUnit: 'second' });
  }
  return lastSecondText;
}

/** Every write has several times, mostly of the same second. */
let lastSecond = Number.NaN;
let lastSecondText = '';
