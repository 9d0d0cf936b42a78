import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const admissionRefusal = defineRefusals('admission', {
  denied: {
    reason: 'Invalid',
    meaning: 'A ValidatingAdmissionPolicy denies the write.',
    hint: 'Change what the message names, or ask who may edit the policy.',
  },
  'denied-change': {
    reason: 'Forbidden',
    meaning: 'A ChangePolicy denies the write: one of its rules does not hold.',
    hint: 'Change what the message names, or ask the people in it.',
  },
  'denied-forbidden': {
    reason: 'Forbidden',
    meaning: 'A ValidatingAdmissionPolicy denies the write, with the reason Forbidden.',
    hint: 'Ask who may edit the policy.',
  },
  'denied-too-large': {
    reason: 'RequestEntityTooLarge',
    meaning: 'A ValidatingAdmissionPolicy denies the write, with the reason RequestEntityTooLarge.',
    hint: 'Send less, or ask who may edit the policy.',
  },
  'denied-unauthorized': {
    reason: 'Unauthorized',
    meaning: 'A ValidatingAdmissionPolicy denies the write, with the reason Unauthorized.',
    hint: 'Ask who may edit the policy.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof admissionRefusal> {}
}
