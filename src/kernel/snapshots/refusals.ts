import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const clientRefusal = defineRefusals('clients', {
  forbidden: {
    reason: 'Forbidden',
    meaning: 'The Client may not ask this path, or set this input.',
    remedy: 'Ask from a server client, or have its endpoints changed.',
  },
  'foreign-origin': {
    reason: 'Forbidden',
    meaning: 'No publishable Client names the origin of this page.',
    remedy: 'Add their origin to spec.origins of a publishable Client.',
  },
  unauthorized: {
    reason: 'Unauthorized',
    meaning: 'The key or the subject token is missing, unknown or expired.',
    remedy: 'Send the key of a Client, and for a publishable one a fresh subject token.',
  },
});

export const decisionRefusal = defineRefusals('decisions', {
  'bad-query': {
    reason: 'BadRequest',
    meaning: 'The query string is not valid percent-encoding.',
    remedy: 'Encode the query as a form is encoded.',
  },
  'no-snapshot': {
    reason: 'ServiceUnavailable',
    meaning: 'The process has not compiled a snapshot yet.',
    remedy: 'Retry in a moment.',
  },
  'repeated-parameter': {
    reason: 'BadRequest',
    meaning: 'A parameter of the query is given twice.',
    remedy: 'Give it once.',
  },
  'unknown-parameter': {
    reason: 'BadRequest',
    meaning: 'The path has no parameter of this name.',
    remedy: 'See /openapi.json for the parameters.',
  },
  'wrong-input': {
    reason: 'BadRequest',
    meaning: 'An input is missing, of a wrong type, or out of bounds.',
    remedy: 'Correct the inputs that the message names; /openapi.json has all of them.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof clientRefusal>, CodesOf<typeof decisionRefusal> {}
}
