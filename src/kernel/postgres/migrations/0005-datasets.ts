import type { Migration } from './migration.ts';

export const datasets: Migration = {
  number: 5,
  name: 'datasets',
  needs: 1,
  sql: `
    -- Up to where the log has been rolled into files, and until when everything that was received is in them.
    create table backline.rollup (
      one boolean primary key default true check (one),
      until_tx xid8 not null,
      complete_until timestamptz not null
    );
    insert into backline.rollup (until_tx, complete_until) values ('0', 'epoch');

    -- The files that datasets consist of. A file that is not here does not count, whatever lies in the folder. One with
    -- dropped_at counts no more (it was merged into another, or is older than its events are kept), and stays for those
    -- who had begun to read it. unread: rows whose fields are still in one piece of JSON, because they were accepted by
    -- another revision of their type than was known when they were written. expires_on: until when events of a type that
    -- is no longer declared are kept.
    create table backline.dataset_files (
      path text primary key,
      type text not null,
      day date not null,
      from_tx xid8 not null,
      until_tx xid8 not null,
      rows bigint not null,
      bytes bigint not null,
      late boolean not null,
      unread bigint not null,
      expires_on date not null,
      created_at timestamptz not null,
      dropped_at timestamptz
    );
    create index dataset_files_by_day on backline.dataset_files (type, day) where dropped_at is null;
    create index dataset_files_dropped on backline.dataset_files (dropped_at) where dropped_at is not null;
  `,
};
