import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';

const RecordReadSpec = Type.Object(
  {
    reader: Type.String({ description: 'The reader: user:NAME or client:NAME.' }),
    listener: Type.String({
      description: 'The listener. Empty: listeners beyond the limit for one reader and day.',
    }),
    path: Type.String({ description: 'The question.' }),
    day: Type.String({ description: 'The day, in UTC.' }),
    times: Type.Integer({ description: 'Number of reads on that day.' }),
    firstAt: Type.String({ format: 'date-time', description: 'When first.' }),
    lastAt: Type.String({ format: 'date-time', description: 'When last.' }),
  },
  { description: 'Reads of the records of a listener.' },
);

export type RecordReadSpec = Static<typeof RecordReadSpec>;

/** Read-only: built from the record of reads, newest first. */
export const RecordRead = defineKind({
  group: 'audit.backline.dev',
  version: 'v1',
  kind: 'RecordRead',
  plural: 'recordreads',
  scope: 'Cluster',
  description: 'Reads of the records of a listener, by one reader on one day. Kept as long as the history.',
  spec: RecordReadSpec,
  verbs: ['get', 'list'],
  selectableFields: {
    reader: ['spec', 'reader'],
    listener: ['spec', 'listener'],
    day: ['spec', 'day'],
    path: ['spec', 'path'],
  },
  columns: [
    { name: 'Reader', type: 'string', description: 'Who.', value: ({ spec }) => spec.reader },
    { name: 'Listener', type: 'string', description: 'Whose record.', value: ({ spec }) => spec.listener },
    { name: 'Path', type: 'string', description: 'The question.', value: ({ spec }) => spec.path },
    { name: 'Times', type: 'integer', description: 'Number of reads on that day.', value: ({ spec }) => spec.times },
    { name: 'Last', type: 'date', description: 'When last.', value: ({ spec }) => spec.lastAt },
  ],
});
