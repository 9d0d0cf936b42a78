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

    -- The files that datasets consist of. A file that is not here does not count, whatever lies in the folder.
    create table backline.dataset_files (
      path text primary key,
      type text not null,
      day date not null,
      from_tx xid8 not null,
      until_tx xid8 not null,
      rows bigint not null,
      bytes bigint not null,
      late boolean not null,
      created_at timestamptz not null
    );
    create index dataset_files_by_day on backline.dataset_files (type, day);
  `,
};
