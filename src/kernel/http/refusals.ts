import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const httpRefusal = defineRefusals('http', {
  'bad-json': {
    reason: 'BadRequest',
    meaning: 'The body is not one JSON object in UTF-8.',
    remedy: 'Send one JSON object in UTF-8.',
  },
  'bad-timeout': {
    reason: 'BadRequest',
    meaning: 'X-Request-Timeout-Ms is not a number of milliseconds.',
    remedy: 'Send a whole number of milliseconds.',
  },
  'body-too-large': {
    reason: 'RequestEntityTooLarge',
    meaning: 'The body is larger than this path takes.',
    remedy: 'Send less at once.',
  },
  deadline: {
    reason: 'Timeout',
    meaning: 'The request passed its deadline.',
    remedy: 'Retry a write under the same key, or read first.',
  },
  'foreign-host': {
    reason: 'MisdirectedRequest',
    meaning: 'The Host header is not a name of this server.',
    remedy: 'Ask localhost, or start the server with --public-name NAME when a proxy on this machine passes that on.',
  },
  'key-reused': {
    reason: 'Conflict',
    meaning: 'The idempotency key named another request before.',
    remedy: 'Give each request a key of its own; only a repetition of the same one has the same key.',
  },
  'method-not-allowed': {
    reason: 'MethodNotAllowed',
    meaning: 'The path does not take this method; the header Allow has those that it takes.',
    remedy: 'Use a method of the header Allow.',
  },
  'nothing-here': {
    reason: 'NotFound',
    meaning: 'There is nothing at this path.',
    remedy: 'See /openapi.json for decisions and /apis for resources.',
  },
  overloaded: {
    reason: 'TooManyRequests',
    meaning: 'A queue of the server is full; nothing of the request was done.',
    remedy: 'Retry after the seconds of Retry-After.',
  },
  'port-taken': {
    reason: 'Conflict',
    meaning: 'The port is taken by another program.',
    remedy: 'Choose another with --port, or stop that program.',
  },
  'repeated-header': {
    reason: 'BadRequest',
    meaning: 'A header that may stand once is there twice.',
    remedy: 'Send it once.',
  },
  'too-many-connections': {
    reason: 'TooManyRequests',
    meaning: 'The caller has as many connections as it may have.',
    remedy: 'Keep connections open and use them again.',
  },
  'too-many-requests': {
    reason: 'TooManyRequests',
    meaning: 'The caller asks faster than its rate allows.',
    remedy: 'Wait the seconds of Retry-After, and ask less often.',
  },
  'unstorable-text': {
    reason: 'BadRequest',
    meaning: 'A text has U+0000 or half of a surrogate pair, which no store keeps.',
    hint: 'Remove that character.',
  },
  'unsupported-media-type': {
    reason: 'UnsupportedMediaType',
    meaning: 'The body has a type or an encoding that this path does not read.',
    hint: 'Send JSON, as application/json, plain or gzip.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof httpRefusal> {}
}
