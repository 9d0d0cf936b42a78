import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const flagRefusal = defineRefusals('flags', {
  'invalid-question': {
    reason: 'Invalid',
    meaning: 'The evaluation request is invalid.',
    remedy: 'Correct the field that the message names.',
  },
  'not-importable': {
    reason: 'Invalid',
    meaning: 'The file does not have the format of the named tool.',
    remedy: 'Export the flags of that tool as docs/importing.md describes, and name that file.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof flagRefusal> {}
}
