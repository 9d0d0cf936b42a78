import { Refusal } from '#kernel/base/failures.ts';
import type { GrantOffline, Signer } from './contract.ts';

const PURPOSE = 'offline';

/** What a device takes along. `key` names the reservation behind it. */
export interface OfflineLease {
  readonly subject: string;
  readonly key: string;
  readonly device: string;
  readonly quota: string;
  readonly buckets: readonly string[];
  readonly budget: number;
  readonly notAfterMs: number;
}

export function signLease(
  signer: Signer,
  { subject, key, device, quota, buckets, amount, notAfterMs }: GrantOffline,
): string {
  const lease: OfflineLease = {
    subject,
    key,
    device,
    quota,
    buckets: buckets.map(({ id }) => id),
    budget: amount,
    notAfterMs,
  };
  return signer.sign(JSON.stringify({ purpose: PURPOSE, ...lease }));
}

/** The lease behind a token. Refused with `quotas/lease-forged` unless we signed it, for this device. */
export function openLease(signer: Signer, token: string, device: string): OfflineLease {
  const payload: unknown = JSON.parse(signer.open(token) ?? 'null');
  const lease = payload as (OfflineLease & { readonly purpose?: unknown }) | null;
  if (typeof lease === 'object' && lease?.purpose === PURPOSE && lease.device === device) return lease;
  throw new Refusal(
    'quotas/lease-forged',
    'Forbidden',
    `The lease that came back from the device "${device}" was not signed for it by this installation.`,
    { remedy: 'Give back the lease as it was granted, from the same device.' },
  );
}
