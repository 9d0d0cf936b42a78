import type { Migration } from './migration.ts';

export const recordReads: Migration = {
  number: 12,
  name: 'record-reads-20261129',
  needs: 1,
  sql: `
    -- Who read what is on record for which listener: one row for a day, reader, listener and path, whatever the number of
    -- reads. The rows of one reader and day are bounded; what Clients read beyond that is counted with no listener.
    create table backline.record_reads (
      number bigint generated always as identity unique,
      day date not null,
      reader text not null,
      listener text not null,
      path text not null,
      times bigint not null,
      first_at timestamptz not null,
      last_at timestamptz not null,
      primary key (day, reader, listener, path)
    );
    create index record_reads_by_listener on backline.record_reads (listener);
  `,
};
