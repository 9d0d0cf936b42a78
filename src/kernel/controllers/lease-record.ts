/** What a Lease says. `holderIdentity` is empty when nobody holds it. */
export interface LeaseRecord {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly acquireTime: string | undefined;
  readonly leaseTransitions: number;
}

/** Reads the spec of a Lease; others may have written less than they should. */
export function leaseRecord(spec: unknown): LeaseRecord {
  const { holderIdentity, leaseDurationSeconds, acquireTime, leaseTransitions } = (spec ?? {}) as Partial<
    Record<keyof LeaseRecord, unknown>
  >;
  return {
    holderIdentity: typeof holderIdentity === 'string' ? holderIdentity : '',
    leaseDurationSeconds: typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds : 0,
    acquireTime: typeof acquireTime === 'string' ? acquireTime : undefined,
    leaseTransitions: typeof leaseTransitions === 'number' ? leaseTransitions : 0,
  };
}

/** The spec with which a candidate takes or renews a lease. */
export function claimed(
  before: LeaseRecord | undefined,
  identity: string,
  leaseMs: number,
  now: Temporal.Instant,
): object {
  const renewed = before?.holderIdentity === identity;
  const transitions = before?.leaseTransitions ?? 0;
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(leaseMs / 1000),
    acquireTime: renewed && before.acquireTime !== undefined ? before.acquireTime : microTime(now),
    renewTime: microTime(now),
    leaseTransitions: renewed || before === undefined ? transitions : transitions + 1,
  };
}

/** The spec of a lease that its holder gives back: anybody may take it at once. */
export function released({ leaseTransitions }: LeaseRecord, now: Temporal.Instant): object {
  const time = microTime(now);
  return { holderIdentity: '', leaseDurationSeconds: 1, acquireTime: time, renewTime: time, leaseTransitions };
}

/** An instant as Kubernetes writes it where microseconds count. */
function microTime(instant: Temporal.Instant): string {
  return instant.toString({ smallestUnit: 'microsecond' });
}
