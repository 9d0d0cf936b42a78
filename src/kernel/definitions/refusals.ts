import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const definitionRefusal = defineRefusals('definitions', {
  'conversion-unanswered': {
    reason: 'ServiceUnavailable',
    meaning: 'An object is stored in another version, and the conversion webhook of its definition gives no answer.',
    remedy:
      'Look at the webhook: its address in the CustomResourceDefinition, its certificate, how long it takes. The version in which objects are stored needs none.',
  },
  'conversion-wrong': {
    reason: 'ServiceUnavailable',
    meaning:
      'The answer of a conversion webhook is not what was asked for: too few objects, another version, another name or uid.',
    remedy: 'Correct the webhook. The version in which objects are stored needs none.',
  },
  'check-failed': {
    reason: 'Invalid',
    meaning: 'Checking the schemas of a CustomResourceDefinition takes more time or memory than there is for one.',
    remedy: 'Use fewer fields, patterns, rules or defaults, or split it into several kinds.',
  },
  unchecked: {
    reason: 'ServiceUnavailable',
    meaning: 'The schemas of a large CustomResourceDefinition were not checked yet.',
    remedy: 'Try again in a moment.',
  },
  terminating: {
    reason: 'MethodNotAllowed',
    meaning: 'The CustomResourceDefinition is being deleted, and with it all objects of the kind.',
    remedy: 'Wait until it is gone, create it again, and then its objects.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof definitionRefusal> {}
}
