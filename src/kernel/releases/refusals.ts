import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const releaseRefusal = defineRefusals('releases', {
  'definition-in-release': {
    reason: 'Conflict',
    meaning: 'An open release carries objects of the kind, and the definition would take them out of it.',
    remedy: 'Wait until the release ends, or abort it: `backline release abort NAME`.',
  },
  'definition-live': {
    reason: 'Conflict',
    meaning: 'Objects of the kind are live by releases, and would be gone at once with their definition.',
    remedy: 'Delete its objects first, or take the annotation `releases.backline.dev/released` away.',
  },
  'draft-changed': {
    reason: 'Conflict',
    meaning: 'The draft is not the one that the request means: it was saved again, or is another of the same name.',
    remedy: 'Look at it again: `backline draft show NAME`.',
  },
  'draft-invalid': {
    reason: 'Invalid',
    meaning: 'Objects of the draft cannot be published as they are; nothing was written.',
    remedy: 'See all of them with their remedies: `backline draft validate NAME`.',
  },
  'draft-outdated': {
    reason: 'Conflict',
    meaning: 'Objects of the draft were changed by others since the versions that it builds on; nothing was written.',
    remedy:
      'Look at the changes with `backline draft show NAME`, bring the files up to date, and save them with `--rebase`.',
  },
  'draft-published': {
    reason: 'Conflict',
    meaning: 'Somebody else has published the draft.',
    remedy: 'Nothing is left to publish: its objects are declared.',
  },
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
