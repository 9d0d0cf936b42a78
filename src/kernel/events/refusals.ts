import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const datasetRefusal = defineRefusals('datasets', {
  'bad-marker': {
    reason: 'Conflict',
    meaning: 'The marker file in the folder of datasets cannot be read.',
    remedy: 'Remove it when the folder is that of this installation: it is written again.',
  },
  'bad-sql': {
    reason: 'Invalid',
    meaning: 'The SQL is wrong: syntax, a table, a column or a type.',
    remedy: 'Correct the SQL at the place that the message names.',
  },
  'broken-dataset': {
    reason: 'Invalid',
    meaning: 'The query reads a Dataset whose own SQL fails.',
    remedy: 'Correct its sql, or give it one where its event types do not go together.',
  },
  'file-missing': {
    reason: 'ServiceUnavailable',
    meaning: 'A file of the event log is missing from the folder of datasets.',
    remedy: 'Give all processes the same folder (--datasets), or bring the file back from a backup.',
  },
  'limit-too-high': {
    reason: 'Invalid',
    meaning: 'The query asks for more rows than its format holds.',
    remedy: 'Ask for fewer rows, or for Parquet.',
  },
  'not-a-select': {
    reason: 'Invalid',
    meaning: 'The SQL is not one SELECT.',
    remedy: 'Send one SELECT.',
  },
  'not-ready': {
    reason: 'ServiceUnavailable',
    meaning: 'The process has not read the declared datasets yet.',
    hint: 'Retry in a moment.',
  },
  'not-writable': {
    reason: 'ServiceUnavailable',
    meaning: 'The folder of datasets cannot be created or written.',
    remedy: 'Name a folder with --datasets that this user may write.',
  },
  'other-installation': {
    reason: 'Conflict',
    meaning: 'The folder of datasets belongs to another database.',
    remedy: 'Name another folder with --datasets.',
  },
  outside: {
    reason: 'Invalid',
    meaning: 'The SQL reads something outside of the datasets: a file, a setting, a system table.',
    remedy: 'Read datasets and event types only.',
  },
  'query-failed': {
    reason: 'ServiceUnavailable',
    meaning: 'The query process failed.',
    remedy: 'Try again.',
  },
  'query-too-large': {
    reason: 'Invalid',
    meaning: 'The query needs more memory than it may take.',
    remedy: 'Ask about fewer days (where day >= …) or fewer columns, or aggregate before joining.',
  },
  'query-too-long': {
    reason: 'Timeout',
    meaning: 'The query ran longer than it may.',
    remedy: 'Ask about fewer days (where day >= …), or allow more with timeoutSeconds.',
  },
  'result-too-large': {
    reason: 'RequestEntityTooLarge',
    meaning: 'The result has more rows or bytes than its format may have.',
    remedy: 'Aggregate, or ask about fewer days or columns.',
  },
});

export const eventRefusal = defineRefusals('events', {
  'bad-batch': {
    reason: 'BadRequest',
    meaning: 'The batch has a wrong form; nothing of it was kept.',
    remedy: 'Nothing of it was kept. Correct the request and send it again.',
  },
  'bad-time': {
    reason: 'Invalid',
    meaning: 'A time of the replay cannot be used.',
    remedy: 'Give a date or a time in RFC 3339.',
  },
  'no-day': {
    reason: 'ServiceUnavailable',
    meaning: 'The event log has no current day; the database is damaged.',
    remedy: 'Restore the row of backline.event_day.',
  },
  'no-subject': {
    reason: 'Invalid',
    meaning: 'The Erasure names nobody.',
    remedy: 'Give spec.subject or spec.listener.',
  },
  'not-stored': {
    reason: 'ServiceUnavailable',
    meaning: 'The database did not confirm the events.',
    remedy: 'Send the same batch again, with the same ids: what was kept after all is then a duplicate.',
  },
  'own-type': {
    reason: 'Invalid',
    meaning: 'The name belongs to an event type of the program.',
    remedy: 'Choose another name.',
  },
  'too-many': {
    reason: 'RequestEntityTooLarge',
    meaning: 'The batch holds more events than it may.',
    remedy: 'Send several smaller batches.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof datasetRefusal>, CodesOf<typeof eventRefusal> {}
}
