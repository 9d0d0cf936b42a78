import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const quotaRefusal = defineRefusals('quotas', {
  'anchor-missing': {
    reason: 'Invalid',
    meaning: 'The window needs an anchor, and the request gives none.',
    remedy: 'Give the anchor of the subject: a wall-clock time and an IANA zone.',
  },
  'batch-across-shards': {
    reason: 'Conflict',
    meaning: 'The subjects of the batch are in different databases.',
    remedy: 'Send one request for each subject, and refund the first when the second is denied.',
  },
  'commit-above-reserved': {
    reason: 'Conflict',
    meaning: 'The commit exceeds the reservation, and the request refuses that.',
    remedy: 'Commit at most the reserved amount, or set `over` to charge or record the rest.',
  },
  'database-twice': {
    reason: 'Conflict',
    meaning: 'QUOTA_DATABASE_URLS names one database twice.',
    remedy: 'Name each database once; a copy replaces the original and never stands beside it.',
  },
  'lease-forged': {
    reason: 'Forbidden',
    meaning: 'The lease was not signed here, or for another device.',
    remedy: 'Give back the lease as it was granted, from the same device.',
  },
  'lease-replayed': {
    reason: 'Conflict',
    meaning: 'The lease was already returned.',
    remedy: 'Return each lease once; retry only under the same key.',
  },
  moved: {
    reason: 'Conflict',
    meaning: 'The plan changed: use now counts in another bucket.',
    remedy: 'Retry under the same key: it is decided by the plan that is in force now.',
  },
  'no-reservation': {
    reason: 'NotFound',
    meaning: 'There is no reservation under this key.',
    remedy: 'Name the key of the reservation; a denied one holds no units.',
  },
  'not-stored': {
    reason: 'ServiceUnavailable',
    meaning: 'The database did not confirm the operation.',
    remedy: 'Retry under the same key: an operation that did commit answers from the ledger.',
  },
  'nothing-to-refund': {
    reason: 'Conflict',
    meaning: 'The operation took no units, or fewer than the refund asks for.',
    remedy: 'Name the key of a granted consume, batch or commit; release reservations.',
  },
  'other-databases': {
    reason: 'Conflict',
    meaning: 'The list of quota databases differs from the recorded one.',
    remedy:
      'Name the same databases in the same order (QUOTA_DATABASE_URLS): the order decides where subjects are stored, and another one would count their use from zero.',
  },
  'other-quota': {
    reason: 'Conflict',
    meaning: 'The operation was counted as another feature.',
    remedy: 'Name the feature of that operation, or the key of another one.',
  },
  'reservation-settled': {
    reason: 'Conflict',
    meaning: 'The reservation was already committed, released or expired.',
    remedy: 'Consume the used units; retry a commit or release only under its own key.',
  },
  'slice-outstanding': {
    reason: 'Conflict',
    meaning: 'Units of the slice may still be settled.',
    remedy: 'Settle it after its time is over, from durable records.',
  },
  'takeover-forged': {
    reason: 'Forbidden',
    meaning: 'The takeover token is not of this subject.',
    remedy: 'Give a token from the last conflict.',
  },
  'wrong-amount': {
    reason: 'Invalid',
    meaning: 'The amount is not a whole number in range.',
    remedy: 'Give a whole number from 1.',
  },
  'wrong-batch': {
    reason: 'Invalid',
    meaning: 'The batch holds too few or too many items.',
    remedy: 'Give at least one item, and no more than the limit.',
  },
  'wrong-bucket': {
    reason: 'Invalid',
    meaning: 'A bucket of the request is wrong.',
    remedy: 'Give each bucket in force once, with a whole limit and a window that has passed its checks.',
  },
  'wrong-name': {
    reason: 'Invalid',
    meaning: 'A key or name is empty, too long, or has a wrong character.',
    remedy: 'Give 1 to 200 characters.',
  },
  'wrong-time': {
    reason: 'Invalid',
    meaning: 'A duration is out of range.',
    remedy: 'Give a duration in range.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof quotaRefusal> {}
}
