import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const quotaRefusal = defineRefusals('quotas', {
  'anchor-missing': {
    reason: 'Invalid',
    meaning: 'The window is counted from a moment that the request does not give.',
    remedy: 'Give the anchor of the subject: a wall-clock time and an IANA zone.',
  },
  'batch-across-shards': {
    reason: 'Conflict',
    meaning: 'The subjects of the batch are in different databases.',
    remedy: 'Ask for them one after the other, and refund the first when the second is denied.',
  },
  'commit-above-reserved': {
    reason: 'Conflict',
    meaning: 'More was used than reserved, and the request refuses that.',
    remedy: 'Commit at most what is reserved, or say that the rest is to be charged or recorded.',
  },
  'database-twice': {
    reason: 'Conflict',
    meaning: 'QUOTA_DATABASE_URLS names one database twice.',
    remedy: 'Name each database once; one that was copied has to be used in place of the other, not beside it.',
  },
  'lease-forged': {
    reason: 'Forbidden',
    meaning: 'The lease was not signed here, or for another device.',
    remedy: 'Give back the lease as it was granted, from the same device.',
  },
  'lease-replayed': {
    reason: 'Conflict',
    meaning: 'The lease came back before.',
    remedy: 'Give each lease back once; repeat that only under the same key.',
  },
  moved: {
    reason: 'Conflict',
    meaning: 'The plan changed: use is counted in another bucket now.',
    remedy: 'Ask again with the buckets that are in force now.',
  },
  'no-reservation': {
    reason: 'NotFound',
    meaning: 'There is no reservation under this key.',
    remedy: 'Name the key under which it was reserved; a denied reservation holds nothing.',
  },
  'not-stored': {
    reason: 'ServiceUnavailable',
    meaning: 'The database did not confirm the operation.',
    remedy: 'Ask again under the same key: if it was done after all, that is answered.',
  },
  'nothing-to-refund': {
    reason: 'Conflict',
    meaning: 'The operation took nothing, or less than is to be refunded.',
    remedy: 'Name the key of a consume, batch or commit that was granted; a reservation is released.',
  },
  'other-databases': {
    reason: 'Conflict',
    meaning: 'The quota databases are others than before.',
    remedy:
      'Name the same databases in the same order (QUOTA_DATABASE_URLS); which subjects are where follows from it, so use would be counted anew.',
  },
  'other-quota': {
    reason: 'Conflict',
    meaning: 'The operation was counted as another feature.',
    remedy: 'Name what was used then, or the key of what is meant.',
  },
  'reservation-settled': {
    reason: 'Conflict',
    meaning: 'The reservation was committed, released or expired before.',
    remedy: 'Consume what was used; repeat a commit or release only under its own key.',
  },
  'slice-outstanding': {
    reason: 'Conflict',
    meaning: 'Units of the slice may still be settled.',
    remedy: 'Settle it when its time is over, by what durable records then say.',
  },
  'takeover-forged': {
    reason: 'Forbidden',
    meaning: 'The takeover token is not of this subject.',
    remedy: 'Give a token from the conflict that was answered last.',
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
