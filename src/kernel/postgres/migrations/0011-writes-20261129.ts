import type { Migration } from './migration.ts';

export const writes: Migration = {
  number: 11,
  name: 'writes 2026-11-29',
  needs: 1,
  sql: `
    -- Which write made a change: the version of its first change. 0 in rows from before: each counts as a write of its own.
    alter table backline.changes add column write bigint not null default 0;

    -- How the object of a name was declared: a name is of one object in the installation, in whatever namespace it was.
    create index changes_of_name on backline.changes (kind, name, version);
  `,
};
