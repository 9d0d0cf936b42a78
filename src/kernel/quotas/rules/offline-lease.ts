import { quotaRefusal } from '#kernel/quotas/refusals.ts';
import type { OfflineLease, Signer } from './contract.ts';

const PURPOSE = 'offline';

/** The same lease is always the same token. */
export function signLease(signer: Signer, lease: OfflineLease): string {
  const { subject, key, device, owner, quota, budget, notAfterMs } = lease;
  return signer.sign(JSON.stringify({ purpose: PURPOSE, subject, key, device, owner, quota, budget, notAfterMs }));
}

/** The lease behind a token. Refused with `quotas/lease-forged` unless we signed it, for this device. */
export function openLease(signer: Signer, token: string, device: string): OfflineLease {
  const payload: unknown = JSON.parse(signer.open(token) ?? 'null');
  const lease = payload as (OfflineLease & { readonly purpose?: unknown }) | null;
  if (typeof lease === 'object' && lease?.purpose === PURPOSE && lease.device === device) return lease;
  throw quotaRefusal(
    'lease-forged',
    `The lease that the device "${device}" returned was not signed for it by this installation.`,
  );
}
