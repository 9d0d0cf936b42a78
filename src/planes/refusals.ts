import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const startRefusal = defineRefusals('start', {
  'backup-in-the-way': {
    reason: 'Conflict',
    meaning: 'Files are where a backup would be written or restored to.',
    remedy: 'Name a folder that is new, or empty.',
  },
  'backup-of-others': {
    reason: 'BadRequest',
    meaning: 'A backup is of another number of databases than are named.',
    remedy: 'Name as many databases in QUOTA_DATABASE_URLS as the installation had.',
  },
  'backup-without-keys': {
    reason: 'BadRequest',
    meaning: 'The keys that open the Secrets of a backup are not there.',
    remedy: 'Name the folder where they are kept with --keys.',
  },
  'no-backup': {
    reason: 'NotFound',
    meaning: 'A folder is no whole backup of this format.',
    remedy: 'Name the folder that `backline backup` has written.',
  },
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
