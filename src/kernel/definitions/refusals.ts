import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const definitionRefusal = defineRefusals('definitions', {
  terminating: {
    reason: 'MethodNotAllowed',
    meaning: 'The CustomResourceDefinition is being deleted, and with it all objects of the kind.',
    remedy: 'Wait until it is gone, create it again, and then its objects.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof definitionRefusal> {}
}
