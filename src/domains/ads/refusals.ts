import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const adRefusal = defineRefusals('ads', {
  'unknown-placement': {
    reason: 'NotFound',
    meaning: 'No live Placement has this name.',
    remedy: 'Use the name of a Placement: kubectl get placements.',
  },
  'history-not-stored': {
    reason: 'ServiceUnavailable',
    meaning: 'The database did not confirm a history of ads: what would be served is not counted, so nothing is.',
    remedy: 'Ask again in a moment.',
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
