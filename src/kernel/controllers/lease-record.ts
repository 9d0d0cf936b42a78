import { Lease } from '#kernel/kinds/builtin/lease.ts';
/** The spec of a Lease. `holderIdentity` is empty when nobody holds it. */
export interface LeaseRecord {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly acquireTime: string | undefined;
  readonly leaseTransitions: number;
}

/** Reads a Lease; others may have written less than they should. */
export function leaseRecord(lease: { readonly spec?: unknown }): LeaseRecord {
  const { holderIdentity = '', leaseDurationSeconds = 0, acquireTime, leaseTransitions = 0 } = Lease.spec(lease) ?? {};
  return { holderIdentity, leaseDurationSeconds, acquireTime, leaseTransitions };
}

/** The spec with which a candidate takes or renews a lease. */
export function claimLease(
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
export function releaseLease({ leaseTransitions }: LeaseRecord, now: Temporal.Instant): object {
  const time = microTime(now);
  return { holderIdentity: '', leaseDurationSeconds: 1, acquireTime: time, renewTime: time, leaseTransitions };
}

/** An instant as Kubernetes writes it where microseconds count. */
function microTime(instant: Temporal.Instant): string {
  return instant.toString({ smallestUnit: 'microsecond' });
}
