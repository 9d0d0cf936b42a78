import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const controllerRefusal = defineRefusals('controllers', {
  'not-leading': {
    reason: 'Conflict',
    meaning: 'The process lost the leader lease before the write was sent.',
    hint: 'Nothing was sent; the new leader does it.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof controllerRefusal> {}
}
