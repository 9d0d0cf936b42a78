import type { Migration } from './migration.ts';

export const datasetFields: Migration = {
  number: 22,
  name: 'dataset fields 2026-11-29',
  needs: 21,
  sql: `
    -- The fields that files of a type have, in small letters, and what their columns are: a type that is declared anew must
    -- fit them for as long as there are such files. Rows go with the last file of a type that is not declared.
    create table backline.dataset_fields (
      type text not null,
      field text not null,
      shape text not null,
      primary key (type, field)
    );
  `,
};
