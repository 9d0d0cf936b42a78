import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const adRefusal = defineRefusals('ads', {
  'unknown-placement': {
    reason: 'NotFound',
    meaning: 'No live Placement has this name.',
    remedy: 'Use the name of a Placement: kubectl get placements.',
  },
  'invalid-question': {
    reason: 'Invalid',
    meaning: 'The question about a break is invalid.',
    remedy: 'Correct the field that the message names.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof adRefusal> {}
}
