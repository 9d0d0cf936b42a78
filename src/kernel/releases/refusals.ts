import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const releaseRefusal = defineRefusals('releases', {
  'no-guardrail': {
    reason: 'NotFound',
    meaning: 'The release has no guardrail of this name.',
    hint: 'See the names in `backline release show NAME`.',
  },
  'no-rollback': {
    reason: 'Conflict',
    meaning: 'The release cannot be rolled back.',
    remedy: 'See the reason in the message.',
  },
  'not-now': {
    reason: 'Conflict',
    meaning: 'The release is in a state that does not take this command.',
    remedy: 'See `backline release show NAME`.',
  },
  'not-pinned': {
    reason: 'Conflict',
    meaning: 'Nothing of the release is pinned.',
    remedy: 'See `kubectl get pins`.',
  },
  pinned: {
    reason: 'Conflict',
    meaning: 'The change was rolled back before and is pinned.',
    remedy: 'Change it to something else, or unpin it: `backline release unpin NAME`.',
  },
  'under-way': {
    reason: 'Conflict',
    meaning: 'A release is in progress with the object, and its policy refuses other changes.',
    remedy: 'Wait for it, or abort it: `backline release abort NAME`.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof releaseRefusal> {}
}
