import type { Migration } from './migration.ts';

export const installation: Migration = {
  number: 21,
  name: 'installation 2026-11-29',
  needs: 20,
  sql: `
    -- Whose the files of datasets are: the folder holds the same id. Drawn anew when the database turns out to be older
    -- than the folder, so that two databases that were one never share it.
    alter table backline.rollup add column installation uuid not null default gen_random_uuid();
  `,
};
