import type { Migration } from './migration.ts';

export const resourceStore: Migration = {
  number: 1,
  name: 'resource store',
  needs: 1,
  sql: `
    -- One row: who may write, and the last number of the total order of writes.
    create table backline.writer (
      only_row boolean primary key default true check (only_row),
      epoch bigint not null,
      address text not null,
      version bigint not null
    );
    insert into backline.writer (epoch, address, version) values (0, '', 0);

    -- One row: up to where history was dropped. What is left of it is the state as it was at that version.
    create table backline.compaction (
      only_row boolean primary key default true check (only_row),
      version bigint not null
    );
    insert into backline.compaction (version) values (0);

    -- Every write, in order. The body is the object as it is served.
    create table backline.changes (
      version bigint primary key,
      epoch bigint not null,
      at timestamptz not null,
      request_id text not null,
      author text not null,
      type text not null,
      kind text not null,
      namespace text not null,
      name text not null,
      body text not null
    );
    create index changes_of_object on backline.changes (kind, namespace, name, version);

    -- Which change holds the current state of each object.
    create table backline.objects (
      kind text not null,
      namespace text not null,
      name text not null,
      version bigint not null,
      primary key (kind, namespace, name)
    );

    -- Every spec that was ever accepted.
    create table backline.revisions (
      kind text not null,
      name text not null,
      hash text not null,
      generation bigint not null,
      spec text not null,
      version bigint not null,
      at timestamptz not null,
      primary key (kind, name, hash)
    );
  `,
};
