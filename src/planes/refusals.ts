import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const startRefusal = defineRefusals('start', {
  'no-data-folder': {
    reason: 'BadRequest',
    meaning: 'The data folder cannot be made or written.',
    remedy: 'Make room in it and let this user write there, or name another one with --data.',
  },
  'no-database': {
    reason: 'BadRequest',
    meaning: 'A role needs a database, and none is named.',
    remedy: 'Name it in DATABASE_URL.',
  },
  'nothing-to-follow': {
    reason: 'BadRequest',
    meaning: 'A role needs an API server, and none is named.',
    remedy: 'Name one with --kubeconfig FILE, or run --role api in the same process.',
  },
  starting: {
    reason: 'ServiceUnavailable',
    meaning: 'The process is starting.',
    remedy: 'Retry in a moment.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof startRefusal> {}
}
